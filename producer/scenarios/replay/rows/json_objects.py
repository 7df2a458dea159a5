"""One line of JSON as an object, or why it is none: nothing of it is guessed at or left out."""

from __future__ import annotations

import json
import re
from typing import Any

from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows.csv_strict import ENCODING, NUL
from producer.scenarios.replay.rows.text_types import says_again

BROKEN, NO_OBJECT, TWICE, NOT_EXACT = "broken_json", "no_object", "member_twice", "not_exact"
# Numbers of so many digits, and very small ones, may be others in a double.
_RISKY = re.compile(r"[0-9][0-9.]{16,}|[eE]-[0-9]{3}")


class Unfit(Exception):
    """A line that is not taken: its reason, and more about it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_object(line: str, reading: Reading) -> dict[str, Any]:
    """Return the object that a line of JSON says, its members called as fields.

    :raises Unfit: as :func:`parse_object`; or two members would be called the same.
    """
    found = parse_object(line)
    try:
        return reading.renamed(found)
    except ValueError as error:
        raise Unfit(TWICE, f"{error} stands twice, as columns calls it") from None


def parse_object(line: str) -> dict[str, Any]:
    """Return the object that a line of JSON says.

    :raises Unfit: it is no JSON or no object, has a member twice, or a number that no double is.
    """
    exact = float if not _RISKY.search(line) else _exact_float
    try:
        found = json.loads(line, object_pairs_hook=_members, parse_float=exact, parse_constant=_no_constant)
    except (json.JSONDecodeError, RecursionError) as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise Unfit(BROKEN, f"it is no JSON: {said}") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise Unfit(NOT_EXACT, f"a number in it: {error}") from None
    if not isinstance(found, dict):
        what = "a list" if isinstance(found, list) else "no object"
        raise Unfit(NO_OBJECT, f"the line holds {what}: each line of JSON lines is an object")
    if "\0" in line or "\\u" in line:
        _refuse_odd_text(found)
    return found


def _refuse_odd_text(found: dict[str, Any]) -> None:
    try:
        if _holds(found, "\0"):
            raise Unfit(NUL, "it holds a NUL")
        if not _is_text(found):
            raise Unfit(ENCODING, "an escape in it is half a character")
    except RecursionError:
        raise Unfit(BROKEN, "it is no JSON: nested too deeply") from None


def _holds(value: Any, character: str) -> bool:
    if isinstance(value, dict):
        return any(character in name or _holds(one, character) for name, one in value.items())
    if isinstance(value, list):
        return any(_holds(one, character) for one in value)
    return isinstance(value, str) and character in value


def _is_text(found: dict[str, Any]) -> bool:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unfit(TWICE, f"{twice} stands twice")
    return found


def _exact_float(text: str) -> float:
    value = float(text)
    if not says_again(text, value):
        raise Unfit(NOT_EXACT, "a number in it is none that a double is")
    return value


def _no_constant(text: str) -> float:
    raise Unfit(BROKEN, f"it is no JSON: {text}")
