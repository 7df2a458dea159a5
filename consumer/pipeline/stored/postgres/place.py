"""A table, a view or a query of PostgreSQL, read in one transaction that sees one moment and cannot write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from cluster.errors import DataRejected, Misconfigured, PlaceMissing, Refused, StreamproofError
from cluster.text.nearest import meant
from consumer.pipeline.stored import WHERE, StoredColumn
from consumer.pipeline.stored.postgres.columns import (
    SourceColumn,
    source_columns,
    text_on_the_way,
    types_of,
    values_query,
)
from consumer.pipeline.stored.postgres.errors import as_stored_errors
from consumer.pipeline.stored.sessions import reading_session
from consumer.pipeline.stored.table_name import TableName
from consumer.pipeline.stored.tabled import TabledRows, names_apart
from consumer.sinks.postgres.connecting import BoundedConnection, connect
from consumer.sinks.postgres.place import Address
from consumer.sinks.postgres.values.copying import copy_out
from schemas.columns.column_type import quote

_LOCK_S = 10.0
# Reading all rows may take this long, seconds; and so may what the proof does between two readings.
_READ_S = 3600.0
_ONE_MOMENT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SESSION = """
    SELECT set_config('default_transaction_read_only', 'on', false), set_config('row_security', 'off', false),
           set_config('idle_in_transaction_session_timeout', %s, false)
"""
_NOW = """
    SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'), current_setting('server_encoding')
"""
_FIND = """
    SELECT c.oid, n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = %(name)s
      AND CASE WHEN %(schema)s::text IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = %(schema)s END
"""
_THERE = """
    SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
    ORDER BY 1 LIMIT 1000
"""
_RIGHTS = """
    SELECT has_schema_privilege(%(schema)s, 'USAGE') AND has_any_column_privilege(%(oid)s::oid, 'SELECT'),
           has_table_privilege(%(oid)s::oid, 'SELECT')
"""
_COLUMNS = """
    SELECT attname, atttypid, atttypmod, has_column_privilege(attrelid, attnum, 'SELECT') FROM pg_attribute
    WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
# Kinds of relations whose rows have a place, and those that can be locked.
_NUMBERED, _LOCKABLE = ("r", "p", "m"), ("r", "p", "v")
_PAGE = "page"
_ASKED = "streamproof_asked"
_PLACE = "place of the row"


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A table or a query of a database; one of both is given."""

    address: Address
    table: TableName | None = None
    query: str | None = None

    @property
    def shown(self) -> str:
        """Return the address, without secrets, and the table."""
        return f"{self.address.shown}#{self.table}" if self.table is not None else f"{self.address.shown} (query)"

    @contextmanager
    def open(self) -> Iterator[PostgresRows]:
        """Connect, and begin the transaction in which everything is read.

        :raises Misconfigured: there is no such database or table, or the query is not one SELECT.
        :raises Refused: the login is refused, or the user may not read the table.
        :raises WarehouseUnreachable: nobody answers.
        """
        with ExitStack() as opened:
            connection = opened.enter_context(_connected(self.address))
            convert = opened.enter_context(reading_session())
            with as_stored_errors(self.shown), connection.patient(_READ_S):
                connection.execute(_SESSION, [f"{_READ_S * 1000:.0f}"])
                found = self._look_for(connection, self.table) if self.table is not None else None
                connection.execute(_ONE_MOMENT)
                if found is not None and found.whole and found.kind in _LOCKABLE:
                    # Before the moment is taken: who empties a table meanwhile would leave nothing of it to see.
                    connection.execute(f"LOCK TABLE {found.name} IN ACCESS SHARE MODE".encode())
                rows = PostgresRows(self, connection, convert, found)
            yield rows

    def _look_for(self, connection: BoundedConnection, table: TableName) -> _Found:
        """Return the table that is meant.

        :raises Misconfigured: there is none.
        :raises Refused: the user may not read it.
        """
        for parts in table.readings():
            schema, name = parts if len(parts) == 2 else (None, parts[0])
            # As it is written, and then as the server reads a name without quotes.
            spellings = [(schema, name)]
            if not table.quoted:
                spellings.append((schema and schema.lower(), name.lower()))
            for schema_, name_ in spellings:
                rows = connection.execute(_FIND, {"schema": schema_, "name": name_}).fetchall()
                if rows:
                    return self._readable(connection, *rows[0])
        there = [str(name) for (name,) in connection.execute(_THERE).fetchall()]
        what = f"there is no table {table}" if there else "the database has no tables"
        raise PlaceMissing(what + meant(str(table), there, listed=True), where=self.address.shown)

    def _readable(self, connection: BoundedConnection, oid: int, schema: str, name: str, kind: str) -> _Found:
        ((readable, whole),) = connection.execute(_RIGHTS, {"schema": schema, "oid": oid}).fetchall()
        if not readable:
            raise Refused(
                "the user may not read the table",
                where=f"{self.address.shown}#{schema}.{name}",
                hint="Grant SELECT on the table and USAGE on its schema",
            )
        return _Found(oid, f"{quote(schema)}.{quote(name)}", kind, whole=whole)


@dataclass(frozen=True, slots=True)
class _Found:
    """A table that may be read: ``name`` is SQL, ``kind`` what the catalogue calls its kind.

    :ivar whole: whether the user may read every column.
    """

    oid: int
    name: str
    kind: str
    whole: bool


class PostgresRows(TabledRows):
    """An open transaction.

    :param found: the table; ``None`` where a query is asked.
    :param convert: a session of DuckDB's that turns texts into values.
    """

    def __init__(
        self,
        place: PostgresPlace,
        connection: BoundedConnection,
        convert: duckdb.DuckDBPyConnection,
        found: _Found | None,
    ) -> None:
        self._connection = connection
        self._convert = convert
        self._notes: list[str] = []
        self._where = "''"
        shown = place.shown
        (as_of, encoding), *_ = connection.execute(_NOW).fetchall()
        self._encoded = encoding != "UTF8"
        self._relation, fields = self._of_a_table(found) if found is not None else self._asked(place.query or "", shown)
        sources = source_columns(connection, fields)
        names = names_apart(source.name for source in sources)
        self._sources = {names[source.name]: source for source in sources}
        self._kinds = types_of(connection, sources, self._relation)
        columns = [
            StoredColumn(name, self._kinds[source.name], declared=source.said) for name, source in self._sources.items()
        ]
        super().__init__(shown, columns, as_of)

    def tables(self, columns: Sequence[StoredColumn], *, located: bool) -> Iterator[pa.Table]:
        """Yield the rows."""
        sources = {column.name: self._sources[column.name] for column in columns}
        located = located or not sources
        texts = {source.name: f"c{number}" for number, source in enumerate(sources.values())}
        asked = [text_on_the_way(source) for source in sources.values()] + ([self._where] if located else [])
        names = [*texts.values(), *([_PLACE] if located else [])]
        query = f"SELECT {', '.join(asked)} FROM {self._relation}"  # noqa: S608 - names are quoted
        values = values_query(texts, sources.values(), self._kinds) + (
            f"{', ' if texts else ''}{quote(_PLACE)}" if located else ""
        )
        given = [*sources, *([WHERE] if located else [])]
        # A savepoint: who stops reading half-way leaves the transaction as it was.
        with as_stored_errors(self.shown), self._connection.patient(_READ_S), self._connection.transaction():
            for page in copy_out(self._connection, query, names):
                yield self._valued(page, values, sources.values()).rename_columns(given)

    def notes(self) -> list[str]:
        """Return which columns the user may not read."""
        return self._notes

    def _valued(self, page: pa.Table, values: str, sources: Sequence[SourceColumn] | Any) -> pa.Table:
        """Return values instead of texts."""
        try:
            if self._encoded:
                page.validate(full=True)
            if all(self._kinds[source.name] == "VARCHAR" for source in sources):
                return page
            self._convert.register(_PAGE, page)
            values_of: pa.Table = self._convert.sql(f"SELECT {values} FROM {_PAGE}").to_arrow_table()  # noqa: S608
            return values_of
        except (duckdb.Error, pa.ArrowInvalid) as error:
            raise DataRejected(
                f"a value is one that DuckDB has no room for: {type(error).__name__}",
                where=self.shown,
                hint="Give a --query that casts it to text",
            ) from None
        finally:
            self._convert.unregister(_PAGE)

    def _of_a_table(self, found: _Found) -> tuple[str, list[tuple[str, int, int]]]:
        """Return the table in SQL, and name and type of each of its columns that the user may read."""
        columns = self._connection.execute(_COLUMNS, [found.oid]).fetchall()
        hidden = [column for column, _, _, allowed in columns if not allowed]
        if hidden:
            self._notes.append(f"the user may not read the columns {', '.join(hidden)}")
        elif found.kind in _NUMBERED:
            self._where = "'row ' || ctid"
        return found.name, [(column, kind, modifier) for column, kind, modifier, allowed in columns if allowed]

    def _asked(self, query: str, shown: str) -> tuple[str, list[tuple[str, int, int]]]:
        """Return the query as a relation, and name and type of each column; the server reads it alone first."""
        text = query.strip().rstrip(";").rstrip()
        # Prepared by the protocol, it is one statement and no more; made ready by PREPARE, it is no command.
        self._connection.execute(f"PREPARE {_ASKED} AS {text}".encode(), prepare=True)
        relation = f"({text}\n) AS stored"
        given = self._connection.execute(f"SELECT * FROM {relation} LIMIT 0".encode()).pgresult  # noqa: S608 - checked
        if given is None or not given.nfields:
            raise Misconfigured("the query gives no columns", where=shown)
        fields = [
            ((given.fname(number) or b"").decode(), given.ftype(number), given.fmod(number))
            for number in range(given.nfields)
        ]
        if len({name for name, _, _ in fields}) < len(fields):
            raise Misconfigured("two columns have the same name", where=shown, hint="Name them apart with AS")
        return relation, fields


@contextmanager
def _connected(address: Address) -> Iterator[BoundedConnection]:
    try:
        connection = connect(address, lock_s=_LOCK_S)
    except StreamproofError as error:
        if isinstance(error, Refused) and "CREATE" in error.hint:
            error.hint = "Grant CONNECT on the database"
        raise
    try:
        yield connection
    finally:
        connection.close()
