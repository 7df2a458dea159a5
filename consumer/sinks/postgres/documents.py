"""What the documents of ``jsonb`` columns consist of, held against the types of their columns.

A document is read by its type: a member that the type lacks would be left out, and a leaf of another type would read as
NULL. So the structures of all documents are looked at, of which there are few, before anything in them is believed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from consumer.sinks.column_types import NULL, ColumnType, quote
from consumer.sinks.postgres.copying import StoredColumn
from consumer.sinks.postgres.types import NESTED

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
# What `json_structure` calls a leaf, by what it may be; whatever is not here is text.
_LEAVES: dict[str, frozenset[str]] = {
    "BOOLEAN": frozenset({"BOOLEAN"}),
    **dict.fromkeys(_WHOLE, frozenset({"BIGINT", "UBIGINT"})),
    # NaN, the infinities and -0.0 are text, and an array may hold both.
    **dict.fromkeys(("FLOAT", "DOUBLE"), frozenset({"DOUBLE", "BIGINT", "UBIGINT", "HUGEINT", "VARCHAR", "JSON"})),
    NULL: frozenset(),
}
_TEXT = frozenset({"VARCHAR"})
_ENTRY = ("key", "value")
_BRANCH = ("tag", "value")


def strangers(connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[StoredColumn]) -> Iterator[str]:
    """Yield which documents are not of the type of their column, a sentence for each column.

    :param relation: columns of text, as PostgreSQL gave them.
    """
    for column in columns:
        if column.kind.name not in NESTED:
            continue
        query = f"SELECT DISTINCT json_structure({quote(column.column)}) FROM {relation}"  # noqa: S608 - quoted
        for (structure,) in connection.execute(query).fetchall():
            wrong = None if structure is None else next(_wrong(json.loads(structure), column.kind, column.name), None)
            if wrong is not None:
                yield f"a document holds what its column does not: {wrong}"
                break


def _wrong(structure: Any, kind: ColumnType, where: str) -> Iterator[str]:
    match kind.name:
        case "STRUCT":
            yield from _members(structure, dict(kind.members), where)
        case "LIST":
            yield from _items(structure, kind.members[0][1], where)
        case "MAP":
            entry = ColumnType("STRUCT", tuple(zip(_ENTRY, (each for _, each in kind.members), strict=True)))
            yield from _items(structure, entry, where)
        case "UNION":
            yield from _branch(structure, [each for _, each in kind.members], where)
        case name if not isinstance(structure, str) or structure not in _LEAVES.get(name, _TEXT):
            yield f"{where} is {_called(structure)} instead of {kind}"


def _below(structure: Any, kind: ColumnType, where: str) -> Iterator[str]:
    """Look at what stands inside a document, where NULL may stand as well."""
    if structure != "NULL":
        yield from _wrong(structure, kind, where)


def _members(structure: Any, members: dict[str, ColumnType], where: str) -> Iterator[str]:
    if not isinstance(structure, dict):
        yield f"{where} is {_called(structure)} instead of an object"
        return
    for name, inside in structure.items():
        if name not in members:
            yield f"{where} has a member {name!r}"
        else:
            yield from _below(inside, members[name], f"{where}.{name}")


def _items(structure: Any, item: ColumnType, where: str) -> Iterator[str]:
    if not isinstance(structure, list):
        yield f"{where} is {_called(structure)} instead of an array"
        return
    for inside in structure:
        yield from _below(inside, item, f"{where}[]")


def _branch(structure: Any, branches: Sequence[ColumnType], where: str) -> Iterator[str]:
    """Look at a value of a union. In an array, the branches of all items are told as one: any member of any of them."""
    if not isinstance(structure, dict) or structure.keys() - set(_BRANCH):
        yield f"{where} is {_called(structure)} instead of a branch of a union"
        return
    inside = structure.get("value", "NULL")
    if inside in ("NULL", "JSON") or any(not list(_wrong(inside, each, where)) for each in branches):
        return
    known = {name for each in branches if each.name == "STRUCT" for name, _ in each.members}
    if not isinstance(inside, dict) or inside.keys() - known:
        yield f"{where} is {_called(inside)}, which no branch of the union is"


def _called(structure: Any) -> str:
    if isinstance(structure, dict):
        return f"an object with {', '.join(map(repr, list(structure)[:3]))}"
    return "an array" if isinstance(structure, list) else {"JSON": "of several types"}.get(structure, str(structure))
