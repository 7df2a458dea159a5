"""Rows through COPY in both directions: whole columns as text, made and read in C++."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
from pyarrow import csv

from consumer.sinks.duckdb.column_types import column_type
from consumer.sinks.postgres.values.from_text import value_expression
from consumer.sinks.postgres.values.into_text import CopiedColumn, lines_query
from schemas.columns.column_type import ColumnType, quote

_INCOMING = "incoming"
# How many bytes of text, about, or rows become one table on the way back: DuckDB has read wrong inner values from
# 131,072 nested rows in one Arrow table on, and from slices.
PAGE_BYTES = 16 * 1024 * 1024
PAGE_ROWS = 65_536
_PIECE_BYTES = 1024 * 1024
# How many bytes of rows, about, become lines at once.
_LINES_OF_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column of a warehouse in PostgreSQL.

    :ivar column: its name there, of at most 63 bytes.
    :ivar name: its name in a DuckDB warehouse: the whole one.
    :ivar kind: its type in a DuckDB warehouse.
    """

    column: str
    name: str
    kind: ColumnType


@contextmanager
def converter() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB in memory that turns columns into text and back."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "SET TimeZone = 'UTC'; SET threads = 1; SET memory_limit = '400MB'; SET enable_progress_bar = false"
        )
        yield connection


def types_of(connection: duckdb.DuckDBPyConnection, schema: pa.Schema) -> list[ColumnType]:
    """Return the types of an Arrow schema's columns, in its order.

    :raises duckdb.Error: DuckDB has none for one of them.
    """
    connection.register(_INCOMING, pa.Table.from_batches([], schema))
    try:
        return [column_type(kind) for kind in connection.sql(f"SELECT * FROM {_INCOMING}").types]  # noqa: S608
    finally:
        connection.unregister(_INCOMING)


def lines(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, columns: Sequence[CopiedColumn]
) -> Iterator[pa.Buffer]:
    """Yield the rows as COPY's text format: buffers of whole lines.

    A few rows at a time where they are large: each step of an expression holds its own text of all rows that it is
    given, some ten times what they are.
    """
    pieces = min(-(-rows.nbytes // _LINES_OF_BYTES), rows.num_rows) or 1
    if pieces == 1:
        yield from _lines(connection, rows, columns)
        return
    step = -(-rows.num_rows // pieces)
    for start in range(0, rows.num_rows, step):
        # Rows of their own, and not a slice, of which DuckDB has read wrong inner values.
        places = pa.array(range(start, min(start + step, rows.num_rows)), pa.int64())
        yield from _lines(connection, rows.take(places), columns)


def _lines(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, columns: Sequence[CopiedColumn]
) -> Iterator[pa.Buffer]:
    connection.register(_INCOMING, rows)
    try:
        made = connection.sql(lines_query(columns, _INCOMING)).to_arrow_table().column(0)
    finally:
        connection.unregister(_INCOMING)
    for chunk in made.chunks:
        # An Arrow column of text is its texts, one after the other.
        _, ends, text = chunk.buffers()
        if text is not None:
            places = memoryview(ends).cast("q" if pa.types.is_large_string(chunk.type) else "i")
            first, last = places[chunk.offset], places[chunk.offset + len(chunk)]
            yield text.slice(first, last - first)


def copy_in(
    connection: psycopg.Connection[Any],
    converts: duckdb.DuckDBPyConnection,
    table: str,
    rows: pa.Table,
    columns: Sequence[CopiedColumn],
) -> None:
    """Copy rows into a table, inside the caller's transaction.

    :raises psycopg.Error: PostgreSQL refuses them.
    """
    names = ", ".join(quote(each.column) for each in columns)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for buffer in lines(converts, rows, columns):
            view = memoryview(buffer)
            for start in range(0, len(view), _PIECE_BYTES):
                copy.write(view[start : start + _PIECE_BYTES])


def copy_out(connection: psycopg.Connection[Any], query: str, names: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows of a query as columns of text, a page at a time; NULL is null."""
    page, held, rows = BytesIO(), 0, 0
    statement = f"COPY ({query}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for line in copy:
            page.write(line)
            held, rows = held + len(line), rows + 1
            if held >= PAGE_BYTES or rows >= PAGE_ROWS:
                yield _columns(page, held, names)
                page, held, rows = BytesIO(), 0, 0
    if held:
        yield _columns(page, held, names)


def _columns(page: BytesIO, held: int, names: Sequence[str]) -> pa.Table:
    page.seek(0)
    return csv.read_csv(
        page,
        read_options=csv.ReadOptions(use_threads=False, block_size=held + 1, column_names=list(names)),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            check_utf8=False,
        ),
    )


def values_query(columns: Sequence[StoredColumn], relation: str) -> str:
    """Return the query of DuckDB's that makes columns of :func:`copy_out` the columns of a DuckDB warehouse.

    :param relation: the columns of text, named as in PostgreSQL.
    """
    made = ", ".join(f"{value_expression(quote(c.column), c.kind)} AS {quote(c.name)}" for c in columns)
    return f"SELECT {made} FROM {relation}"  # noqa: S608 - names are quoted
