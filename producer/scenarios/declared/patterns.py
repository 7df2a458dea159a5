"""Texts that match a regular expression, drawn for a whole block at once."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Octets = NDArray[np.uint8]

# Python's own parser of regular expressions; it has no public name.
_PARSER: Any = importlib.import_module("re._parser")
_PRINTABLE = bytes(range(0x20, 0x7F))
_DIGITS, _SPACES = b"0123456789", b" "
_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
_CATEGORIES = {"CATEGORY_DIGIT": _DIGITS, "CATEGORY_WORD": _WORD, "CATEGORY_SPACE": _SPACES}
# What has no upper end is at most so much longer than its lower one.
_OPEN_END = 8
_MOST_CHARACTERS = 1000
# Of so many texts those are taken that are as long as is asked for.
_TRIED = 4000


class UnknownPattern(ValueError):
    """The text is no regular expression, or one that says more than which characters follow each other."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression of literals, classes, groups, alternatives and repetitions.

    Values are matrices of octets, a row for each value; a zero is no character.
    """

    text: str

    def draw(self, rng: np.random.Generator, size: int) -> Any:
        """Return ``size`` texts, as an Arrow column: every choice within the expression is as likely as the others."""
        octets = _joined(rng, _parsed(self.text), size)
        there = octets != 0
        offsets = np.zeros(size + 1, dtype=np.int32)
        np.cumsum(there.sum(axis=1), out=offsets[1:])
        content = np.ascontiguousarray(octets[there])
        return pa.StringArray.from_buffers(size, pa.py_buffer(offsets.tobytes()), pa.py_buffer(content.tobytes()))


def checked_pattern(text: str) -> str:
    """Return the text, if values can be drawn of it.

    :raises UnknownPattern: with what is wrong.
    """
    Pattern(text).draw(np.random.default_rng(0), 1)
    return text


def texts_within(text: str, least: int, most: int) -> list[str]:
    """Return different texts of an expression that are so long; none if it has none, or none can be drawn of it.

    A repetition without an end may go on for as long.
    """
    try:
        octets = _joined(np.random.default_rng(0), _ended(_parsed(text), most), _TRIED)
    except UnknownPattern:
        return []
    texts = [row[row != 0].tobytes().decode() for row in octets]
    return [one for one in dict.fromkeys(texts) if least <= len(one) <= most]


def _ended(parts: Any, most: int) -> list[Any]:
    """Return the parts of an expression, with an end for each repetition that has none."""
    found: list[Any] = []
    for kind, said in parts:
        match str(kind):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                end = said[1] if int(said[1]) < int(_PARSER.MAXREPEAT) else max(int(said[0]), most)
                found.append((kind, (said[0], end, _ended(said[2], most))))
            case "SUBPATTERN":
                found.append((kind, (*said[:3], _ended(said[3], most))))
            case "BRANCH":
                found.append((kind, (said[0], [_ended(branch, most) for branch in said[1]])))
            case _:
                found.append((kind, said))
    return found


@cache
def _parsed(text: str) -> tuple[Any, ...]:
    try:
        parsed = _PARSER.parse(text)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        raise UnknownPattern(f"not a regular expression: {error}") from None
    longest = int(parsed.getwidth()[0])
    if longest > _MOST_CHARACTERS:
        raise UnknownPattern(f"its texts have {longest} characters, and at most {_MOST_CHARACTERS} are made")
    return tuple(parsed)


def _joined(rng: np.random.Generator, parts: Any, size: int) -> Octets:
    drawn = [_drawn(rng, str(kind), said, size) for kind, said in parts]
    return np.concatenate(drawn, axis=1) if drawn else np.zeros((size, 0), dtype=np.uint8)


def _drawn(rng: np.random.Generator, kind: str, said: Any, size: int) -> Octets:
    match kind:
        case "LITERAL":
            octets = np.frombuffer(chr(said).encode(), dtype=np.uint8)
            return np.broadcast_to(octets, (size, len(octets))).copy()
        case "IN" | "ANY" | "NOT_LITERAL" | "CATEGORY":
            return _of_class(rng, _characters(kind, said), size, 1)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return _repeated(rng, said, size)
        case "SUBPATTERN":
            return _joined(rng, said[3], size)
        case "BRANCH":
            return _one_of(rng, [_joined(rng, branch, size) for branch in said[1]], size)
        case "AT":
            return np.zeros((size, 0), dtype=np.uint8)
    raise UnknownPattern(f"{kind.lower().replace('_', ' ')} is not made: literals, classes, groups, | and repetitions")


def _repeated(rng: np.random.Generator, said: Any, size: int) -> Octets:
    least, most, parts = int(said[0]), int(said[1]), list(said[2])
    if least > _MOST_CHARACTERS:
        raise UnknownPattern(f"a repetition of {least}, and at most {_MOST_CHARACTERS} are made")
    most = min(most, max(least + _OPEN_END, 1)) if most >= int(_PARSER.MAXREPEAT) else most
    most = min(most, _MOST_CHARACTERS)
    if len(parts) == 1 and str(parts[0][0]) in ("IN", "ANY", "NOT_LITERAL", "CATEGORY"):
        drawn = _of_class(rng, _characters(str(parts[0][0]), parts[0][1]), size, most)
        width = 1
    else:
        copies = [_joined(rng, parts, size) for _ in range(most)]
        drawn = np.concatenate(copies, axis=1) if copies else np.zeros((size, 0), dtype=np.uint8)
        width = drawn.shape[1] // most if most else 1
    if drawn.shape[1] > _MOST_CHARACTERS * 4:
        raise UnknownPattern(f"texts of more than {_MOST_CHARACTERS} characters")
    if least < most and width:
        times = rng.integers(least, most, size, endpoint=True)
        drawn = np.where(np.arange(drawn.shape[1]) // width < times[:, None], drawn, np.uint8(0))
    return drawn


def _one_of(rng: np.random.Generator, branches: list[Octets], size: int) -> Octets:
    width = max(branch.shape[1] for branch in branches)
    padded = np.stack([np.pad(branch, ((0, 0), (0, width - branch.shape[1]))) for branch in branches])
    return padded[rng.integers(0, len(branches), size), np.arange(size)]


def _of_class(rng: np.random.Generator, characters: bytes, size: int, width: int) -> Octets:
    letters = np.frombuffer(characters, dtype=np.uint8)
    return letters[rng.integers(0, len(letters), (size, width))]


def _characters(kind: str, said: Any) -> bytes:
    """Return the printable characters of ASCII that a class has."""
    if kind == "ANY":
        return _PRINTABLE
    members = [(kind, said)] if kind != "IN" else [(str(name), value) for name, value in said]
    excluded = members[0][0] in ("NEGATE", "NOT_LITERAL")
    found: set[int] = set()
    for name, value in members:
        if name in ("LITERAL", "NOT_LITERAL"):
            found.add(value)
        elif name == "RANGE":
            found.update(range(value[0], min(value[1], 0x7F) + 1))
        elif name == "CATEGORY":
            outside = str(value).replace("CATEGORY_NOT_", "CATEGORY_")
            known = set(_CATEGORIES.get(outside, b""))
            found |= known if outside == str(value) else set(_PRINTABLE) - known
    there = bytes(sorted(set(_PRINTABLE) - found if excluded else set(_PRINTABLE) & found))
    if not there:
        raise UnknownPattern("a class without printable characters of ASCII")
    return there
