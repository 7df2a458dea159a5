"""What PostgreSQL gives as text, back into columns, as expressions of DuckDB: the way back of ``into_text.py``.

A row that was stored before a member of a record came lacks it, and gets NULL there, as in a DuckDB warehouse.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from consumer.sinks.postgres.values.types import is_nested
from schemas.columns.column_type import NULL, ColumnType, member, quote, text_literal


def value_expression(text: str, kind: ColumnType) -> str:
    """Return an expression of DuckDB's that makes values of ``kind``.

    :param text: an expression of the text of the stored value; NULL where it is NULL. The session of PostgreSQL must
        be set as ``connecting.py`` sets it: ISO dates, UTC, bytes in hexadecimal.
    """
    kind = _with_flags(kind)
    if is_nested(kind):
        return _parsed(text, kind, itertools.count())
    match kind.name:
        case "VARCHAR":
            return text
        case "BLOB":
            return f"unhex(substr({text}, 3))"
    return f"CAST({text} AS {kind})"


def _with_flags(kind: ColumnType) -> ColumnType:
    """Return a type in which a record without fields is what it is stored as: true where it is there."""
    if kind.name == "STRUCT" and not kind.members:
        return ColumnType("BOOLEAN")
    return ColumnType(kind.name, tuple((name, _with_flags(child)) for name, child in kind.members))


def _parsed(document: str, kind: ColumnType, names: Iterator[int]) -> str:
    """Return values of a nested type from the text of a document, read once as far as unions."""
    layout = text_literal(json.dumps(_layout(kind)))
    read = f"from_json({document}, {layout})"
    if _is_plain(kind):
        return read
    # Bound to a name, so that it is read once.
    item = f"whole_{next(names)}"
    return f"list_extract(list_transform([{read}], lambda {item}: {_value(item, kind, names)}), 1)"


# What `from_json` reads as it is meant; whatever else is read as text and cast.
_READ = ("VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


def _layout(kind: ColumnType) -> Any:
    match kind.name:
        case "STRUCT":
            return {name: _layout(child) for name, child in kind.members}
        case "LIST":
            return [_layout(kind.members[0][1])]
        case "MAP":
            return [{"key": _layout(kind.members[0][1]), "value": _layout(kind.members[1][1])}]
        case "UNION":
            return {"tag": "VARCHAR", "value": "JSON"}
    return kind.name if kind.name in _READ else "VARCHAR"


def _is_plain(kind: ColumnType) -> bool:
    match kind.name:
        case "STRUCT":
            return all(_is_plain(child) for _, child in kind.members)
        case "LIST":
            return _is_plain(kind.members[0][1])
    return kind.name in _READ


def _value(value: str, kind: ColumnType, names: Iterator[int]) -> str:
    """Return values of ``kind`` from what :func:`_layout` made ``from_json`` read."""
    if _is_plain(kind):
        return value
    match kind.name:
        case "STRUCT":
            members = [f"{quote(name)} := {_value(member(value, name), child, names)}" for name, child in kind.members]
            return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({', '.join(members)}) END"
        case "LIST":
            item = f"item_{next(names)}"
            return f"list_transform({value}, lambda {item}: {_value(item, kind.members[0][1], names)})"
        case "MAP":
            item = f"item_{next(names)}"
            key, held = (
                _value(member(item, part), child, names)
                for part, (_, child) in zip(("key", "value"), kind.members, strict=True)
            )
            entries = f"list_transform({value}, lambda {item}: struct_pack(key := {key}, value := {held}))"
            return f"CASE WHEN {value} IS NOT NULL THEN map_from_entries({entries}) END"
        case "UNION":
            return _union(value, kind, names)
    return f"unhex({value})" if kind.name == "BLOB" else f"CAST({value} AS {kind})"


def _union(value: str, kind: ColumnType, names: Iterator[int]) -> str:
    document = member(value, "value")
    branches = []
    for name, kept in kind.members:
        if kept.name == NULL:
            continue
        if is_nested(kept):
            read = _parsed(f"CAST({document} AS VARCHAR)", kept, names)
        else:
            read = _value(f"CAST(json_extract_string({document}, '$') AS VARCHAR)", _as_text(kept), names)
            read = read if _as_text(kept) == kept else f"CAST({read} AS {kept})"
        branches.append(f"WHEN {text_literal(name)} THEN CAST(union_value({quote(name)} := {read}) AS {kind})")
    return f"CASE {member(value, 'tag')} {' '.join(branches)} END"


def _as_text(kind: ColumnType) -> ColumnType:
    """Return the type under which a scalar's text is read: what `from_json` would have read itself is a text here."""
    return ColumnType("VARCHAR") if kind.name in _READ else kind
