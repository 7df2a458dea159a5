"""A table, a view or a query of a DuckDB file.

The file is opened to be read, which keeps writers out as long as it is open: what is read is of one moment. A query is
one SELECT, and can reach nothing but the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from cluster.errors import (
    Busy,
    DataRejected,
    Misconfigured,
    PlaceMissing,
    Refused,
    StoreFailed,
    StoreOutOfMemory,
    StreamproofError,
)
from cluster.machine.disk import says_refused
from cluster.text.nearest import meant
from consumer.pipeline.stored import WHERE, StoredColumn
from consumer.pipeline.stored.sessions import reading_session
from consumer.pipeline.stored.table_name import TableName
from consumer.pipeline.stored.tabled import (
    VECTOR_ROWS,
    TabledRows,
    gathered,
    names_apart,
    now_in_words,
    selected,
    types_in_a_session,
)
from consumer.sinks.duckdb.errors import holder_of, is_locked
from schemas.columns.column_type import quote

_TABLES = """
    SELECT schema_name, table_name, true FROM duckdb_tables() WHERE database_name = current_database() AND NOT internal
    UNION ALL
    SELECT schema_name, view_name, false FROM duckdb_views() WHERE database_name = current_database() AND NOT internal
    ORDER BY 1, 2
"""
_MAIN = "main"
_OPEN_HERE, _WHEN_CLOSED = "this process has the file open itself", "Try again when it is closed"
_NOT_SO = "it cannot be read as it is asked for"
_A_VALUE, _BY_ITSELF = "a value stops the query", "Run the query by itself: DuckDB names the value"
_BEGINS = (b"DUCK", 8)  # what a database file says of itself, and where


def is_database(path: Path) -> bool:
    """Tell whether a file is a DuckDB database, by what it says of itself."""
    mark, at = _BEGINS
    try:
        with path.open("rb") as file:
            return file.read(at + len(mark))[at:] == mark
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class DuckdbPlace:
    """A table or a query of a file; one of both is given."""

    path: Path
    table: TableName | None = None
    query: str | None = None

    @property
    def shown(self) -> str:
        """Return the path, and the table."""
        return f"{self.path}#{self.table}" if self.table is not None else f"{self.path} (query)"

    @contextmanager
    def open(self) -> Iterator[DuckdbRows]:
        """Open the file to be read.

        :raises Misconfigured: there is no such file or table, or the query is not one SELECT.
        :raises Busy: somebody writes to the file.
        :raises StoreFailed: it is no readable database.
        """
        if not self.path.is_file():
            raise PlaceMissing(_no_file(self.path), where=str(self.path))
        with ExitStack() as opened:
            with self.errors():
                connection = opened.enter_context(reading_session(self.path))
                connection.execute("BEGIN TRANSACTION READ ONLY")
                if self.query is not None:
                    relation, numbered = f"({_one_select(self.query, self.shown)}\n)", False
                else:
                    relation, numbered = self._relation(connection)
                rows = DuckdbRows(self, connection, f"{relation} AS stored", numbered=numbered)
            yield rows

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise what DuckDB raises inside as errors of the tree."""
        try:
            yield
        except duckdb.Error as error:
            raise _meaning(error, self) from error

    def _relation(self, connection: duckdb.DuckDBPyConnection) -> tuple[str, bool]:
        """Return the table in SQL, and whether it is one with numbered rows."""
        there = [(str(schema), str(name), bool(base)) for schema, name, base in connection.sql(_TABLES).fetchall()]
        wanted = self.table or TableName(("",))
        for parts in wanted.readings():
            schema, name = parts if len(parts) == 2 else (_MAIN, parts[0])
            for found, table, base in there:
                if (found.lower(), table.lower()) == (schema.lower(), name.lower()):
                    return f"{quote(found)}.{quote(table)}", base
        names = [table if schema == _MAIN else f"{schema}.{table}" for schema, table, _ in there]
        what = "the file has no tables" if not names else f"there is no table {wanted}"
        raise PlaceMissing(what + meant(str(wanted), names, listed=True), where=str(self.path))


class DuckdbRows(TabledRows):
    """An open file. ``relation`` is what is read, in its session."""

    def __init__(
        self, place: DuckdbPlace, connection: duckdb.DuckDBPyConnection, relation: str, *, numbered: bool
    ) -> None:
        self._place = place
        self._connection = connection
        self._relation = relation
        self._where = "'row ' || rowid" if numbered else "''"
        empty = connection.sql(f"SELECT * FROM {relation} LIMIT 0")  # noqa: S608 - quoted, or one SELECT
        self._sources = {column: name for name, column in names_apart(empty.columns).items()}
        if len(self._sources) != len(empty.columns):
            raise Misconfigured("two columns have the same name", where=place.shown, hint="Name them apart with AS")
        arriving = types_in_a_session(empty.to_arrow_table().schema)
        said = [str(kind) for kind in empty.types]
        columns = [
            StoredColumn(name, kind, declared=told if told != kind else "")
            for name, kind, told in zip(self._sources, arriving, said, strict=True)
        ]
        super().__init__(place.shown, columns, now_in_words())

    def tables(self, columns: Sequence[StoredColumn], *, located: bool) -> Iterator[pa.Table]:
        """Yield the rows."""
        expressions = {column.name: quote(self._sources[column.name]) for column in columns}
        if located or not expressions:
            expressions[WHERE] = self._where
        with self._place.errors():
            query = f"SELECT {selected(expressions)} FROM {self._relation}"  # noqa: S608 - names are quoted
            yield from gathered(self._connection.sql(query).to_arrow_reader(VECTOR_ROWS))


def _one_select(query: str, shown: str) -> str:
    """Return a query without its end.

    :raises Misconfigured: it is not one SELECT.
    """
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error:
        raise Misconfigured("the query is not SQL as DuckDB reads it", where=shown) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT or statements[0].named_parameters:
        raise Misconfigured(
            "the query is not one SELECT without parameters", where=shown, hint="Nothing else is run in a place"
        )
    return query.strip().rstrip(";").rstrip()


def _no_file(path: Path) -> str:
    there = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"there is no file {path.name}{meant(path.name, there)}"


# What DuckDB raises, what its message has in it, what that means, and what to do next. The first that fits is taken.
_MEANINGS: tuple[tuple[type[duckdb.Error], str, type[StreamproofError], str, str], ...] = (
    (duckdb.Error, "different configuration", Busy, _OPEN_HERE, _WHEN_CLOSED),
    (duckdb.Error, "file handle conflict", Busy, _OPEN_HERE, _WHEN_CLOSED),
    (
        duckdb.PermissionException,
        "",
        Refused,
        "the view or the query reads beyond its file, or changes how it is read",
        "Only what the file itself holds is read; give the files that it reads by their own path",
    ),
    (duckdb.OutOfMemoryException, "", StoreOutOfMemory, "DuckDB needs more memory for it than it may have here", ""),
    (duckdb.InvalidInputException, "read-only", Misconfigured, "the query writes", "Give one SELECT that only reads"),
    (duckdb.BinderException, "", Misconfigured, _NOT_SO, ""),
    (duckdb.CatalogException, "", Misconfigured, _NOT_SO, ""),
    (duckdb.ParserException, "", Misconfigured, _NOT_SO, ""),
    (duckdb.ConversionException, "", DataRejected, _A_VALUE, _BY_ITSELF),
    (duckdb.InvalidInputException, "", DataRejected, _A_VALUE, _BY_ITSELF),
    (duckdb.OutOfRangeException, "", DataRejected, _A_VALUE, _BY_ITSELF),
)


def _meaning(error: duckdb.Error, place: DuckdbPlace) -> StreamproofError:
    """Return the error of the tree. What DuckDB says is told where it is about names, and never about values."""
    said, shown = str(error).split("\n", 1)[0].replace(str(place.path), place.path.name), place.shown
    if is_locked(error):
        return Busy(
            f"the file is held by {holder_of(error)}, which writes to it",
            where=shown,
            hint="DuckDB lets nobody read meanwhile: try again when it has ended, or give a copy of the file",
        )
    for raised, word, kind, message, hint in _MEANINGS:
        if isinstance(error, raised) and word in said:
            return kind(f"{message}: {said[:200]}" if message == _NOT_SO else message, where=shown, hint=hint)
    if says_refused(said):
        return StoreFailed("the file may not be read", where=shown, hint="Check whose it is")
    return StoreFailed("the file is not a readable DuckDB database", where=f"{shown}: {said[:200]}")
