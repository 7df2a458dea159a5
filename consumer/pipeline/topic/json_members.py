"""JSON objects of which nobody knows a contract: each member is a column of text, exactly as it is written.

Numbers keep every digit: ``0.1000000000000000055`` and ``9007199254740993`` are no floats here. A text is its
characters, a boolean ``true`` or ``false``, an object or array inside is its JSON as it stands, and null is NULL, as an
absent member is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from json.decoder import scanstring  # type: ignore[attr-defined]  # its stubs do not know it
from typing import Any

import pyarrow as pa

from cluster.errors import Misconfigured
from schemas.formats import Salvaged
from schemas.undecodable import UndecodableValue

# Objects with a member for each customer are no rows of a table.
MOST_MEMBERS = 2_000
_SHAPES_KEPT = 1_000
_SPACE = " \t\n\r"


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class _TwiceError(ValueError):
    """An object has a member twice."""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=Number, parse_int=Number, parse_constant=Number, strict=False
)
_TEXTS = frozenset({str, Number, type(None)})
_KINDS: dict[type, str] = {str: "string", Number: "number", bool: "boolean", dict: "object", list: "array"}


def read_object(value: bytes) -> dict[str, Any]:
    """Return the members of an object: texts, numbers as :class:`Number`, and what is nested as Python has it.

    :raises UndecodableValue: the value is not one JSON object.
    """
    try:
        found = _DECODER.decode(value.decode())
    except UnicodeDecodeError as error:
        raise UndecodableValue("invalid_utf8", f"the value is not UTF-8 at byte {error.start}") from None
    except _TwiceError:
        raise UndecodableValue("duplicate_member", "an object has one member twice") from None
    except json.JSONDecodeError as error:
        raise UndecodableValue("not_json", f"the value is not JSON at character {error.pos}: {error.msg}") from None
    except RecursionError:
        raise UndecodableValue("too_deep", "the value is nested too deeply") from None
    if not isinstance(found, dict):
        raise UndecodableValue("not_an_object", "the value is JSON, and not an object")
    return found


class Members:
    """The members that objects have, in the order in which they were met, and which kinds of values each has."""

    def __init__(self) -> None:
        self._met: dict[tuple[str, type], None] = {}
        self._shapes: set[tuple[object, ...]] = set()  # most objects are as another one was

    def look_at(self, row: dict[str, Any]) -> None:
        """Take the members of one more object.

        :raises Misconfigured: there are more than a table may have columns.
        """
        shape = (*row, *map(type, row.values()))
        if shape in self._shapes:
            return
        if len(self._shapes) < _SHAPES_KEPT:
            self._shapes.add(shape)
        before = len(self._met)
        self._met.update(dict.fromkeys(zip(row, map(type, row.values()), strict=True)))
        if len(self._met) > before and len(self.names) > MOST_MEMBERS:
            raise Misconfigured(
                f"the objects have more than {MOST_MEMBERS:,} different members",
                hint="They are read as rows with a column for each member; put what is a map into a member of its own",
            )

    @property
    def names(self) -> list[str]:
        """Return the members."""
        return list(dict.fromkeys(name for name, _ in self._met))

    def declared(self, name: str) -> str:
        """Return in words what a member is: ``json number``, ``json string or number``."""
        kinds = [_KINDS[kind] for member, kind in self._met if member == name and kind in _KINDS]
        return f"json {' or '.join(kinds) or 'null'}"


class MemberDecoder:
    """Decodes objects into columns of text: a :class:`schemas.formats.ValueDecoder` without a contract."""

    root = None

    def __init__(self, names: Iterable[str]) -> None:
        self.arrow_schema = pa.schema([pa.field(name, pa.string()) for name in names])

    def decode_one(self, value: bytes) -> dict[str, Any]:
        """Return the texts of one object.

        :raises UndecodableValue: the value is not one JSON object.
        """
        row = _told(value)
        for member in row.values():
            if member is not None and not _is_text(member):
                raise UndecodableValue("invalid_utf8", "a text holds half of a surrogate pair")
        return row

    def salvage(self, values: list[bytes]) -> Salvaged:
        """Decode what can be decoded."""
        try:
            return Salvaged(self._batch([_told(value) for value in values]), list(range(len(values))))
        except (UndecodableValue, UnicodeEncodeError):
            return self._salvage(values)

    def _salvage(self, values: list[bytes]) -> Salvaged:
        rows: list[dict[str, Any]] = []
        kept: list[int] = []
        faults: dict[int, UndecodableValue] = {}
        for number, value in enumerate(values):
            try:
                rows.append(self.decode_one(value))
                kept.append(number)
            except UndecodableValue as fault:
                faults[number] = fault
        return Salvaged(self._batch(rows), kept, faults)

    def _batch(self, rows: list[dict[str, Any]]) -> pa.RecordBatch:
        columns = [pa.array([row.get(name) for row in rows], pa.string()) for name in self.arrow_schema.names]
        return pa.RecordBatch.from_arrays(columns, schema=self.arrow_schema)


def _told(value: bytes) -> dict[str, Any]:
    """Return the members of an object as texts."""
    row = read_object(value)
    if not _TEXTS.issuperset(map(type, row.values())):
        raw: dict[str, str] | None = None
        for name, member in row.items():
            if isinstance(member, bool):
                row[name] = "true" if member else "false"
            elif isinstance(member, dict | list):
                raw = raw or as_written(value.decode())
                row[name] = raw[name]
    return row


def as_written(text: str) -> dict[str, str]:
    """Return each member of an object as it is written; the text is known to be one object."""
    found: dict[str, str] = {}
    at = _after_space(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = scanstring(text, at + 1, False)
        start = _after_space(text, text.index(":", at) + 1)
        _, at = _DECODER.raw_decode(text, start)
        found[name] = text[start:at]
        at = _after_space(text, at)
        at = _after_space(text, at + 1) if text[at] == "," else at
    return found


def _after_space(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _is_text(member: str) -> bool:
    if member.isascii():
        return True
    try:
        member.encode()
    except UnicodeEncodeError:
        return False
    return True
