"""The text of a schema as JSON, whatever wrote it.

Comments are taken out: Avro's own parser takes them. So is a byte order mark, which editors of Windows write. Half a
surrogate pair, all that is left of a text that was cut in the middle of an emoji, is U+FFFD: UTF-8 has no bytes for it.
"""

from __future__ import annotations

import json
import re
from typing import Any

_MOST_LEVELS = 500  # of JSON in JSON; a table holds far fewer levels of types
_HALF = re.compile(r"[\ud800-\udfff]")
_MAY_HAVE_HALVES = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
# A text, or a comment to the end of its line, or one between its marks; a text hides what looks like a comment in it.
_TEXT_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n\r]*|/\*.*?\*/', re.DOTALL)


class NestedTooDeeply(ValueError):
    """Brackets in brackets, more than any schema needs."""

    def __init__(self) -> None:
        super().__init__(f"nested too deeply, more than {_MOST_LEVELS} levels")


def load(text: str) -> Any:
    """Return what a text says as JSON.

    :raises NestedTooDeeply: more than 500 levels.
    :raises ValueError: it is not JSON; places are those of the text as it is.
    """
    text = text.removeprefix("\ufeff")
    try:
        found = _read(text)
    except ValueError:
        found = _read(_TEXT_OR_COMMENT.sub(_blank, text))
    if text.count("[") + text.count("{") > _MOST_LEVELS and _levels_exceed(found):
        raise NestedTooDeeply
    return _without_halves(found) if _MAY_HAVE_HALVES.search(text) else found


def plain(text: str) -> str:
    """Return a text as it is where it is JSON, and else what it says without its comments, if it says anything."""
    try:
        json.loads(text)
        if not _HALF.search(text):
            return text
    except (ValueError, RecursionError):
        pass
    try:
        return json.dumps(load(text), ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        return text


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise NestedTooDeeply from None


def _levels_exceed(found: Any) -> bool:
    waiting = [(found, 1)]
    while waiting:
        here, level = waiting.pop()
        below = here.values() if isinstance(here, dict) else here if isinstance(here, list) else ()
        if below and level > _MOST_LEVELS:
            return True
        waiting += [(one, level + 1) for one in below]
    return False


def _without_halves(found: Any) -> Any:
    if isinstance(found, dict):
        return {_without_halves(key): _without_halves(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_without_halves(one) for one in found]
    return _HALF.sub("\ufffd", found) if isinstance(found, str) else found


def _blank(found: re.Match[str]) -> str:
    """Return a text as it is, and blanks for a comment, with its ends of lines."""
    return found[0] if found[0][0] == '"' else re.sub(r"[^\n\r]", " ", found[0])
