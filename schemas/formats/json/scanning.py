"""What JSON is made of, read strictly from a text: each function takes a position and returns the next one.

What is wrong is raised with its place; the text itself is never in a message.
"""

from __future__ import annotations

import re
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # documented by its use in the module itself

from schemas.undecodable import UndecodableValue

_BLANKS = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_FIRST = {"{": "an object", "[": "an array", '"': "text", "t": "true", "f": "false", "n": "null"}
_FIRST |= dict.fromkeys("-0123456789", "a number")


def skip(text: str, at: int) -> int:
    """Return the position of the first character from ``at`` on that is not blank."""
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def truncated(text: str, at: int, what: str) -> UndecodableValue:
    """Return the fault of a value that ends too early."""
    return UndecodableValue("truncated", f"the value ends at character {len(text)}, inside {what} that starts at {at}")


def bad_syntax(at: int, what: str) -> UndecodableValue:
    """Return the fault of a value that is not JSON."""
    return UndecodableValue("bad_syntax", f"what stands at character {at} is not {what}")


def expect(text: str, at: int, first: str, wanted: str) -> None:
    """Make sure that a value of the right type begins here."""
    there = text[at : at + 1]
    if there == first:
        return
    if not there:
        raise truncated(text, at, wanted)
    if there not in _FIRST:
        raise bad_syntax(at, "JSON")
    raise UndecodableValue("wrong_type", f"at character {at} stands {_FIRST[there]}; the schema has {wanted} there")


def string(text: str, at: int) -> tuple[str, int]:
    """Read a text; ``at`` is its first quote."""
    try:
        value, end = scanstring(text, at + 1, True)
    except JSONDecodeError as error:
        if error.msg.startswith("Unterminated"):
            raise truncated(text, at, "a text") from None
        raise bad_syntax(error.pos, "what a text may hold") from None
    if _SURROGATE.search(value):
        raise UndecodableValue("invalid_utf8", f"the text at character {at} has half of a surrogate pair")
    return value, end


def number(text: str, at: int) -> re.Match[str]:
    """Read a number: its text, and as groups its fraction and its exponent."""
    there = text[at : at + 1]
    if not there or there not in "-0123456789":
        expect(text, at, "-", "a number")
    found = _NUMBER.match(text, at)
    if found is None:
        if len(text) == at + 1:
            raise truncated(text, at, "a number")
        raise bad_syntax(at, "a number")
    return found


def after(text: str, at: int, closing: str, what: str, start: int) -> tuple[bool, int]:
    """Read what follows an item: return whether it is the end, and the position behind."""
    at = skip(text, at)
    there = text[at : at + 1]
    if there in (",", closing) and there:
        return there == closing, at + 1
    if not there:
        raise truncated(text, start, what)
    raise bad_syntax(at, f"a comma or the end of {what}")


def key(text: str, at: int, start: int) -> tuple[str, int, int]:
    """Read the name of a member and the colon: return it, where it began, and where its value begins."""
    at = skip(text, at)
    if text[at : at + 1] != '"':
        if at == len(text):
            raise truncated(text, start, "an object")
        raise bad_syntax(at, "the name of a member")
    name, end = string(text, at)
    end = skip(text, end)
    if text[end : end + 1] != ":":
        if end == len(text):
            raise truncated(text, start, "an object")
        raise bad_syntax(end, "a colon")
    return name, at, skip(text, end + 1)
