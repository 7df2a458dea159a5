"""Columns into the text that COPY reads, as expressions of DuckDB: no value becomes an object of Python's.

Any type of ``schemas.columns.column_type`` in, the type of ``types.py`` out. Text serves every wider type as well: a
loader may write with the types that it knows while another one widens a column. A FLOAT is therefore written as the
double that it is, so that a column that became DOUBLE gets that very number.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consumer.sinks.postgres.values.types import NESTED
from schemas.columns.column_type import NULL, ColumnType, quote

# A text or a document that holds NUL makes PostgreSQL refuse the row. What a row may not be refused for loses it.
_WITHOUT_NUL = "replace({}, chr(0), chr(65533))"
# In a document it is an escape, which two characters of a text may look like: a backslash, itself escaped, and `u0000`.
_WITHOUT_ESCAPED_NUL = r"replace(replace(replace({}, '\\', chr(1)), '\u0000', chr(65533)), chr(1), '\\')"


@dataclass(frozen=True, slots=True)
class CopiedColumn:
    """A column on its way: ``arrived`` is its type in the rows, ``stored`` what the table makes of it.

    :ivar name: in the rows and in the table.
    :ivar always: store it even where PostgreSQL cannot hold a character of it, with a sign in its place.
    """

    name: str
    arrived: ColumnType
    stored: ColumnType
    always: bool = False


def line_expression(columns: Sequence[CopiedColumn]) -> str:
    r"""Return an SQL expression of the line of a row: COPY's text format, with ``\N`` for null and its newline."""
    fields = [
        f"coalesce({_escaped(_text(quote(c.name), c.arrived, c.stored, always=c.always), c.stored)}, '\\N')"
        for c in columns
    ]
    return " || chr(9) || ".join(fields) + " || chr(10)"


def written_again(value: str, kind: ColumnType) -> str:
    """Return an SQL expression of the document that a value of ``kind`` is stored as."""
    return _text(value, kind, kind, always=False)


def _text(value: str, arrived: ColumnType, stored: ColumnType, *, always: bool) -> str:
    if stored.name in NESTED:
        text = f"CASE WHEN {value} IS NOT NULL THEN CAST(to_json({_document(value, arrived, stored)}) AS VARCHAR) END"
        return _WITHOUT_ESCAPED_NUL.format(text) if always else text
    match arrived.name:
        case "FLOAT" | "DOUBLE":
            return f"CAST(CAST({value} AS DOUBLE) AS VARCHAR)"
        case "BLOB":
            return rf"'\x' || lower(hex({value}))"
        case "VARCHAR":
            return _WITHOUT_NUL.format(value) if always else value
    return f"CAST({value} AS VARCHAR)"


def _escaped(text: str, stored: ColumnType) -> str:
    """Escape what means something to COPY. A document has no raw control characters, other types no character of it."""
    if stored.name not in ("VARCHAR", "BLOB", NULL, *NESTED):
        return text
    text = rf"replace({text}, '\', '\\')"
    if stored.name != "VARCHAR":
        return text
    for code, letter in ((9, "t"), (10, "n"), (13, "r")):
        text = rf"replace({text}, chr({code}), '\{letter}')"
    return text


def _document(value: str, arrived: ColumnType, stored: ColumnType, names: Iterator[int] | None = None) -> str:
    """Return an expression of what ``to_json`` makes the document of. Members are named as the table names them."""
    names = names if names is not None else itertools.count()
    if _is_plain(arrived, stored):
        return value
    match arrived.name:
        case "STRUCT":
            there = stored.by_name("the table")
            members = [
                f"{quote(there[name.lower()][0])} := "
                + _document(f"struct_extract({value}, {_literal(name)})", kind, there[name.lower()][1], names)
                for name, kind in arrived.members
            ]
            made = f"struct_pack({', '.join(members)})"
        case "LIST":
            item = f"item_{next(names)}"
            made_item = _document(item, arrived.members[0][1], stored.members[0][1], names)
            made = f"list_transform({value}, lambda {item}: {made_item})"
        case "MAP":
            item = f"item_{next(names)}"
            key, held = (
                _document(f"struct_extract({item}, '{part}')", ours, theirs, names)
                for (part, ours), (_, theirs) in zip(
                    (("key", arrived.members[0][1]), ("value", arrived.members[1][1])), stored.members, strict=True
                )
            )
            made = f"list_transform(map_entries({value}), lambda {item}: struct_pack(key := {key}, value := {held}))"
        case "UNION":
            there = stored.by_name("the table")
            branches = [
                f"WHEN {_literal(name)} THEN struct_pack(tag := {_literal(there[name.lower()][0])}, value := to_json("
                + _document(f"union_extract({value}, {_literal(name)})", kind, there[name.lower()][1], names)
                + "))"
                for name, kind in arrived.members
                if kind.name != NULL
            ]
            made = f"CASE CAST(union_tag({value}) AS VARCHAR) {' '.join(branches)} END"
        case _:
            return _leaf(value, arrived)
    return f"CASE WHEN {value} IS NOT NULL THEN {made} END"


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


def _is_plain(arrived: ColumnType, stored: ColumnType) -> bool:
    """Tell whether ``to_json`` itself makes the document that is stored."""
    match arrived.name:
        case "STRUCT":
            there = stored.by_name("the table")
            return all(
                there[name.lower()][0] == name and _is_plain(kind, there[name.lower()][1])
                for name, kind in arrived.members
            )
        case "LIST":
            return _is_plain(arrived.members[0][1], stored.members[0][1])
    return arrived.name in _JSON_SCALARS


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
