"""Text that came from somewhere else, made visible: a terminal and a browser are to show it, not to obey it."""

from __future__ import annotations

import re
import unicodedata

_SHOWN = {ord("\0"): "\u2400", ord("\t"): "\u2409", ord("\n"): "\u2424", ord("\r"): "\u240d"}
# Quick to look for: nearly every text is free of them. What is printable in ASCII needs no look.
_SUSPECT = re.compile(r"[^\x20-\x7e]")


def visible(text: str, *, keep: str = "") -> str:
    """Return ``text`` with everything that a reader cannot see, or that turns text around, made visible.

    Control, format and surrogate characters come out as their code, the well-known ones as their symbols.

    :param keep: characters that stay as they are, such as the ends of lines of a whole page.
    """
    if _SUSPECT.search(text) is None:
        return text
    return "".join(
        _SHOWN.get(ord(letter)) or f"\\u{ord(letter):04x}"
        if letter not in keep and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn")
        else letter
        for letter in text
    )
