"""Rows that come as Arrow tables, a few at a time, whatever they are read from.

Whoever reads them sees errors of the tree: what a driver or a library says is met here, where a table is asked for,
and not in a query over the relation.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from cluster.errors import Misconfigured
from cluster.text.nearest import meant
from consumer.pipeline.stored import WHERE, StoredColumn
from schemas.columns.column_type import quote

# DuckDB has read wrong inner values from 131,072 nested rows in one Arrow table on, and from slices.
TABLE_ROWS = 65_536
TABLE_BYTES = 16 * 1024 * 1024
# What DuckDB works on at once: of large values, no more are in memory.
VECTOR_ROWS = 2_048
_numbers = itertools.count()
_ARRIVING = "arriving"


class TabledRows(ABC):
    """The rows of an open place; :class:`consumer.pipeline.stored.StoredRows` says what each member promises."""

    def __init__(self, shown: str, columns: Sequence[StoredColumn], as_of: str) -> None:
        self.shown = shown
        self.columns = columns
        self.as_of = as_of

    @abstractmethod
    def tables(self, columns: Sequence[StoredColumn], *, located: bool) -> Iterator[pa.Table]:
        """Yield every row once, in tables of at most :data:`TABLE_ROWS` rows that are no slices.

        :param located: whether they have the column ``_where`` as well.
        :raises StreamproofError: the place cannot be read any more, or a row cannot.
        """

    def relations(
        self, session: duckdb.DuckDBPyConnection, columns: Sequence[str], *, located: bool = False
    ) -> Iterator[str]:
        """Yield the names of relations in a session, which together hold every row once."""
        name = f"stored_rows_{next(_numbers)}"
        for table in self.tables(self._named(columns), located=located):
            if table.num_rows:
                session.register(name, table)
                try:
                    yield name
                finally:
                    session.unregister(name)

    def changed(self) -> str:
        """Return nothing: the place gives one moment."""
        return ""

    def contradictions(self) -> list[str]:
        """Return nothing: the place says nothing of itself."""
        return []

    def set_aside(self) -> Iterator[pa.Table]:
        """Yield nothing: every row is a row."""
        return iter(())

    def notes(self) -> list[str]:
        """Return nothing."""
        return []

    def _named(self, names: Sequence[str]) -> list[StoredColumn]:
        there = {column.name: column for column in self.columns}
        for name in names:
            if name not in there:
                raise Misconfigured(f"there is no column {name}{meant(name, there, listed=True)}", where=self.shown)
        return [there[name] for name in names]


def now_in_words() -> str:
    """Return this moment: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield small batches as tables of a good size; each keeps its own memory, and nothing is copied."""
    held: list[pa.RecordBatch] = []
    rows = size_bytes = 0
    for batch in batches:
        if held and (rows + batch.num_rows > TABLE_ROWS or size_bytes >= TABLE_BYTES):
            yield pa.Table.from_batches(held)
            held, rows, size_bytes = [], 0, 0
        held.append(batch)
        rows, size_bytes = rows + batch.num_rows, size_bytes + batch.nbytes
    if rows:
        yield pa.Table.from_batches(held)


def types_in_a_session(schema: pa.Schema) -> list[str]:
    """Return the types of DuckDB that Arrow columns have once they are registered."""
    with duckdb.connect() as session:
        session.register(_ARRIVING, pa.Table.from_batches([], schema))
        return [str(kind) for kind in session.sql(f"SELECT * FROM {_ARRIVING}").types]  # noqa: S608 - a constant


def names_apart(names: Iterable[str]) -> dict[str, str]:
    """Return the column of each name, by position: DuckDB's names ignore case, and one may not come twice.

    A name that is taken, or that this side needs, gets a number.
    """
    given: dict[str, str] = {}
    taken = {WHERE}
    for name in names:
        column, number = name, 2
        while column.lower() in taken:
            column, number = f"{name}_{number}", number + 1
        taken.add(column.lower())
        given[name] = column
    return given


def selected(expressions: dict[str, str]) -> str:
    """Return a list of expressions under their names."""
    return ", ".join(f"{expression} AS {quote(name)}" for name, expression in expressions.items())
