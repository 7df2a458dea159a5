"""Columns into the text that COPY reads, as expressions of DuckDB: no value becomes an object of Python's.

Any type of ``schemas.columns`` in, the type of ``types.py`` out. Values that arrive in another type than the column has
are converted first, by the expressions that every store uses. A FLOAT is written as the double that it is, so that a
column that becomes DOUBLE later has that very number.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consumer.sinks.conversion import converted, is_kept
from consumer.sinks.postgres.values.types import is_nested
from schemas.columns.column_type import NULL, ColumnType, member, quote, text_literal
from schemas.columns.held import Place
from schemas.columns.judge import identity

# A text or a document that holds NUL makes PostgreSQL refuse the row. What a row may not be refused for loses it.
_WITHOUT_NUL = "replace({}, chr(0), chr(65533))"
# In a document it is an escape, which two characters of a text may look like: a backslash, itself escaped, and `u0000`.
_WITHOUT_ESCAPED_NUL = r"replace(replace(replace({}, '\\', chr(1)), '\u0000', chr(65533)), chr(1), '\\')"


@dataclass(frozen=True, slots=True)
class CopiedColumn:
    """A column on its way.

    :ivar name: in the rows.
    :ivar column: in the table.
    :ivar kind: the type of the column in a DuckDB warehouse.
    :ivar arrived: the type in the rows, and where its values are in ``kind``; ``None`` where that is the type.
    :ivar always: store it even where PostgreSQL cannot hold a character of it, with a sign in its place.
    """

    name: str
    column: str
    kind: ColumnType
    arrived: tuple[ColumnType, Place] | None = None
    always: bool = False

    @property
    def text(self) -> str:
        """Return an SQL expression of the text of a value; NULL where it is NULL."""
        own, place = self.arrived or (self.kind, identity(self.kind))
        return _text(quote(self.name), own, place, self.kind, always=self.always)


def lines_query(columns: Sequence[CopiedColumn], relation: str) -> str:
    r"""Return the query of the lines of rows: COPY's text format, with ``\N`` for null and its newline."""
    fields = [f"coalesce({_escaped(each.text, each.kind)}, '\\N')" for each in columns]
    # One call, however many columns: a chain of || is as deep as it is long, and DuckDB takes a depth of 1,000.
    line = f"concat_ws(chr(9), {', '.join(fields)}) || chr(10)"
    return f"SELECT CAST({line} AS VARCHAR) AS line FROM {relation}"  # noqa: S608 - quoted


def written_again(value: str, kind: ColumnType) -> str:
    """Return an SQL expression of the document that a value of ``kind`` is stored as."""
    return _text(value, kind, identity(kind), kind, always=False)


def _text(value: str, own: ColumnType, place: Place, kind: ColumnType, *, always: bool) -> str:
    """Return the text of a value.

    :param own: its type; ``place``: where its values are in ``kind``, which is that of the column.
    """
    if is_nested(kind):
        document = _document(value, own, place, kind, itertools.count())
        text = f"CASE WHEN {value} IS NOT NULL THEN CAST(to_json({document}) AS VARCHAR) END"
        return _WITHOUT_ESCAPED_NUL.format(text) if always else text
    value = converted(value, own, place, kind)
    match kind.name:
        case "FLOAT" | "DOUBLE":
            return f"CAST(CAST({value} AS DOUBLE) AS VARCHAR)"
        case "BLOB":
            return rf"'\x' || lower(hex({value}))"
        case "VARCHAR":
            return _WITHOUT_NUL.format(value) if always else value
    return f"CAST({value} AS VARCHAR)"


def _escaped(text: str, kind: ColumnType) -> str:
    """Escape what means something to COPY. A document has no raw control characters, other types no character of it."""
    if kind.name not in ("VARCHAR", "BLOB", NULL) and not is_nested(kind):
        return text
    text = rf"replace({text}, '\', '\\')"
    if kind.name != "VARCHAR":
        return text
    for code, letter in ((9, "t"), (10, "n"), (13, "r")):
        text = rf"replace({text}, chr({code}), '\{letter}')"
    return text


def _document(value: str, own: ColumnType, place: Place, kind: ColumnType, names: Iterator[int]) -> str:
    """Return an expression of what ``to_json`` makes the document of. It has the members that the value has."""
    if own.name == NULL:
        return "NULL"
    if _is_plain(kind) and is_kept(own, place, kind):
        return value
    if not is_nested(kind):
        return _leaf(converted(value, own, place, kind), kind)
    match kind.name:
        case "UNION":
            made = _branches(value, own, place, kind, names)
        case "STRUCT":
            members = [
                f"{quote(kind.members[at.at][0])} := "
                + _document(member(value, name), child, at, kind.members[at.at][1], names)
                for (name, child), at in zip(own.members, place.inside, strict=True)
            ]
            made = f"struct_pack({', '.join(members)})" if members else "json_object()"
        case "LIST":
            item = f"item_{next(names)}"
            inner = _document(item, own.members[0][1], place.inside[0], kind.members[0][1], names)
            made = f"list_transform({value}, lambda {item}: {inner})"
        case _:
            item = f"item_{next(names)}"
            key, held = (
                _document(member(item, part), child, at, there, names)
                for part, (_, child), at, (_, there) in zip(
                    ("key", "value"), own.members, place.inside, kind.members, strict=True
                )
            )
            made = f"list_transform(map_entries({value}), lambda {item}: struct_pack(key := {key}, value := {held}))"
    return f"CASE WHEN {value} IS NOT NULL THEN {made} END"


def _branches(value: str, own: ColumnType, place: Place, kind: ColumnType, names: Iterator[int]) -> str:
    def branch(inner: str, child: ColumnType, at: Place) -> str:
        name, there = kind.members[at.at]
        document = _document(inner, child, at, there, names)
        return f"struct_pack(tag := {text_literal(name)}, value := to_json({document}))"

    if own.name != "UNION":
        return branch(value, own, Place(place.branch or 0, place.inside))
    cases = [
        f"WHEN {text_literal(name)} THEN {branch(f'union_extract({value}, {text_literal(name)})', child, at)}"
        for (name, child), at in zip(own.members, place.inside, strict=True)
        if child.name != NULL
    ]
    return f"CASE CAST(union_tag({value}) AS VARCHAR) {' '.join(cases)} END" if cases else "NULL"


def _leaf(value: str, kind: ColumnType) -> str:
    match kind.name:
        case "BLOB":
            return f"lower(hex({value}))"
        case "FLOAT" | "DOUBLE":
            number = f"CAST({value} AS DOUBLE)"
            special = f"(NOT isfinite({number}) OR ({number} = 0 AND signbit({number})))"
            return f"CASE WHEN {special} THEN to_json(CAST({number} AS VARCHAR)) ELSE to_json({number}) END"
        case name if name == NULL:
            return "NULL"
    return f"CAST({value} AS VARCHAR)"


# What JSON has a type for.
_JSON_SCALARS = ("VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


def _is_plain(kind: ColumnType) -> bool:
    """Tell whether ``to_json`` itself makes the document that is stored."""
    if not is_nested(kind):
        return kind.name in (*_JSON_SCALARS, "STRUCT")
    return kind.name in ("STRUCT", "LIST") and all(_is_plain(child) for _, child in kind.members)
