"""What PostgreSQL gave as text, read and believed: as far as a loader that stores what was read would write it again.

A document of ``jsonb`` is read by the type of its column, and that reading is lenient: a member that the type lacks is
left out, a number that is too large is NULL, an amount with more digits is rounded. A query of PostgreSQL sees what
stands there. So each document is written again from its reading, and has to say the same. Only the order of members,
the spelling of a number and NULL in place of a missing member are free: PostgreSQL chooses the first two, and members
came after rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from consumer.sinks.duckdb.refused import reason_of
from consumer.sinks.postgres.values.copying import StoredColumn, values_query
from consumer.sinks.postgres.values.into_text import written_again
from consumer.sinks.postgres.values.types import is_nested, postgres_type
from schemas.columns.column_type import ColumnType, quote

_TEXTS, _VALUES = "texts", "read_values"
_LONGEST_PATH = 120
# Without the spaces that PostgreSQL puts between members; `json` also cuts the digits that a double does not hold.
_PLAIN = "CAST(json(said) AS VARCHAR)"
_LOOKS_DIFFERENT = f"{_PLAIN} IS DISTINCT FROM again OR replace(said, ' ', '') <> replace({_PLAIN}, ' ', '')"


class NotAsWritten(Exception):
    """Something is stored that no loader writes.

    :ivar faults: a sentence for each column, without a value.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def read_page(connection: duckdb.DuckDBPyConnection, page: pa.Table, columns: Sequence[StoredColumn]) -> pa.Table:
    """Return the columns of a DuckDB warehouse that columns of text stand for.

    :param page: as ``copy_out`` yields it.
    :raises NotAsWritten: a value is not of its column's type, or says something else than what is read of it.
    """
    connection.register(_TEXTS, page)
    try:
        values = _values(connection, columns)
        connection.register(_VALUES, values)
        try:
            faults = list(_faults(connection, columns))
        finally:
            connection.unregister(_VALUES)
    finally:
        connection.unregister(_TEXTS)
    if faults:
        raise NotAsWritten(faults)
    return values


def _values(connection: duckdb.DuckDBPyConnection, columns: Sequence[StoredColumn]) -> pa.Table:
    try:
        values: pa.Table = connection.sql(values_query(columns, _TEXTS)).to_arrow_table()
    except duckdb.Error as error:
        if reason_of(error) is None:
            raise
        faults = [_unreadable(each) for each in columns if not _can_be_read(connection, each)]
        raise NotAsWritten(faults or ["a value is not of the type of its column"]) from None  # which holds the value
    return values


def _can_be_read(connection: duckdb.DuckDBPyConnection, column: StoredColumn) -> bool:
    try:
        connection.sql(values_query([column], _TEXTS)).to_arrow_table()
    except duckdb.Error as error:
        return reason_of(error) is None
    return True


def _unreadable(column: StoredColumn) -> str:
    return f"the column {column.name} holds a value that is not of its type"


def _faults(connection: duckdb.DuckDBPyConnection, columns: Sequence[StoredColumn]) -> Iterator[str]:
    for column in columns:
        nested = is_nested(column.kind)
        if not nested and (postgres_type(column.kind) != "text" or column.kind.name == "VARCHAR"):
            continue  # PostgreSQL's own type holds nothing else
        text, value = f"{_TEXTS}.{quote(column.column)}", f"{_VALUES}.{quote(column.name)}"
        again, differs = f"CAST({value} AS VARCHAR)", "said IS DISTINCT FROM again"
        if nested:
            kind = as_jsonb_orders(column.kind)
            again, differs = written_again(f"CAST({value} AS {kind})", kind), _LOOKS_DIFFERENT
        query = f"""
            SELECT said, again FROM (SELECT {text} AS said, {again} AS again FROM {_TEXTS} POSITIONAL JOIN {_VALUES})
            WHERE {differs}
        """  # noqa: S608 - names are quoted
        for said_text, again_text in connection.execute(query).fetchall():
            if not nested or said_text is None or again_text is None:
                yield _unreadable(column)
                break
            if where := _difference(_parsed(said_text), _parsed(again_text), column.name):
                yield f"a document holds what its column does not: {where[:_LONGEST_PATH]}"
                break


def as_jsonb_orders(kind: ColumnType) -> ColumnType:
    """Return a type with the members of its records in the order in which PostgreSQL keeps them in ``jsonb``."""
    members = ((name, as_jsonb_orders(member)) for name, member in kind.members)
    if kind.name != "STRUCT":
        return ColumnType(kind.name, tuple(members))
    return ColumnType(kind.name, tuple(sorted(members, key=lambda each: (len(each[0].encode()), each[0].encode()))))


def _parsed(document: str) -> Any:
    """Return a document with exact numbers."""
    return json.loads(document, parse_int=Decimal, parse_float=Decimal)


def _difference(said: Any, again: Any, where: str) -> str | None:
    """Return where a document says something else than the one that was written again; ``None`` if it does not."""
    if isinstance(said, dict) and isinstance(again, dict):
        for name in (*again, *(said.keys() - again.keys())):
            place = f"{where}.{name}"
            if name not in again:
                return place
            if found := _difference(said.get(name), again[name], place):
                return found
        return None
    if isinstance(said, list) and isinstance(again, list) and len(said) == len(again):
        differences = (_difference(one, other, f"{where}[]") for one, other in zip(said, again, strict=True))
        return next((each for each in differences if each), None)
    return None if type(said) is type(again) and said == again else where
