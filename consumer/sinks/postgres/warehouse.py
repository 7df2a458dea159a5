"""The warehouse: one schema per topic, for any number of loaders of different partitions.

Nobody holds it as a file is held. Whoever changes its tables takes the advisory lock of the warehouse; who moves a
position holds the row of it until the commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import duckdb
import psycopg
import pyarrow as pa

from cluster.errors import Misconfigured, Refused, WarehouseDamaged
from consumer.sinks.postgres.catalogue import check_tables, damaged, event_columns, our_tables
from consumer.sinks.postgres.connecting import BoundedConnection, connect
from consumer.sinks.postgres.errors import as_store_errors
from consumer.sinks.postgres.migrations import NEWEST, format_of, upgrade
from consumer.sinks.postgres.place import Address, schema_of
from consumer.sinks.postgres.values.copying import StoredColumn, converter, copy_out
from consumer.sinks.postgres.values.documents import NotAsWritten, read_page
from schemas.columns.column_type import quote

_CANCEL_S = 2.0
# Loaders that work side by side number their batches before they commit them, so a higher number may come first. What
# is newest is the highest number to a proof: it is given the order of the commits.
_NUMBERED = {"events": "_batch", "quarantine": "batch", "tombstones": "batch", "load_batches": "batch"}


class PostgresWarehouse:
    """An open warehouse.

    :ivar connection: for the one thread that works with it; in autocommit outside :meth:`transaction`.
    :ivar converts: a DuckDB in memory that turns columns into text and back.
    """

    def __init__(
        self, address: Address, schema: str, connection: BoundedConnection, converts: duckdb.DuckDBPyConnection
    ) -> None:
        self.address = address
        self.schema = schema
        self.connection = connection
        self.converts = converts
        self._is_stopped = False

    @property
    def where(self) -> str:
        """Return what messages call it."""
        return f"{self.address.shown}, schema {self.schema}"

    def errors(self) -> AbstractContextManager[None]:
        """Raise what the driver raises inside as errors of the tree.

        :raises Interrupted: :meth:`interrupt` was called.
        """
        return as_store_errors(self.where, lambda: self._is_stopped)

    def interrupt(self) -> None:
        """End what another thread waits for here; nothing is begun any more before :meth:`rollback`."""
        self._is_stopped = True
        self.converts.interrupt()
        # Only what runs: a cancellation that comes late would end the statement after it.
        if self.connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
            with suppress(psycopg.Error):
                self.connection.cancel_safe(timeout=_CANCEL_S)

    def begin(self) -> None:
        """Begin a transaction; end it with :meth:`commit` or :meth:`rollback`."""
        with self.errors():
            self.connection.execute("BEGIN")

    def commit(self) -> None:
        """Make the transaction durable.

        :raises StreamproofError: it failed. Unless the connection was lost, nothing of it is stored; if it was lost,
            the positions say.
        """
        with self.errors():
            self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """Forget the transaction. With a lost connection, the server does so by itself."""
        self._is_stopped = False
        with suppress(psycopg.Error):
            if self.connection.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self.connection.execute("ROLLBACK")

    @contextmanager
    def transaction(self, mode: str = "") -> Iterator[BoundedConnection]:
        """Commit what happens inside as a whole, or roll it back as a whole.

        :param mode: such as ``ISOLATION LEVEL REPEATABLE READ``.
        """
        with self.errors():
            self.connection.execute(f"BEGIN {mode}")
        try:
            with self.errors():
                yield self.connection
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""
        with self.errors():
            return self.connection.execute(query, parameters or None).fetchall()

    def meta(self) -> dict[str, str]:
        """Return topic and creation time."""
        return {str(key): str(value) for key, value in self.rows("SELECT key, value FROM meta")}

    def columns(self, table: str) -> list[StoredColumn]:
        """Return the columns of one of our tables, with their types in a DuckDB warehouse."""
        if table == "events":
            with self.errors():
                return event_columns(self.connection, self.where)
        return [StoredColumn(name, name, kind) for name, kind in our_tables()[table].items()]

    def pages(self, table: str) -> Iterator[pa.Table]:
        """Yield all rows of one of our tables, as a DuckDB warehouse would hold them: its names, its types.

        In a transaction of isolation level REPEATABLE READ, all tables are of one moment.
        """
        columns = self.columns(table)
        batch = _NUMBERED.get(table)
        chosen = ", ".join("number" if each.column == batch else f"held.{quote(each.column)}" for each in columns)
        query = f"SELECT {chosen} FROM {quote(table)} AS held"  # noqa: S608 - names are quoted
        if batch is not None:
            query += f" LEFT JOIN batch_order ON batch_order.batch = held.{batch}"
        if table == "event_columns":  # which names columns as they are called here
            query = "SELECT field, name AS column_name FROM event_columns JOIN event_types USING (column_name)"
        yield from self.values(query, columns)

    def values(self, query: str, columns: Sequence[StoredColumn]) -> Iterator[pa.Table]:
        """Yield the rows of a query, as a DuckDB warehouse would hold them, in pages of about 16 MB.

        :param columns: what the query gives, in order.
        :raises WarehouseDamaged: something is stored that no loader writes.
        """
        with self.errors():
            for page in copy_out(self.connection, query, [each.column for each in columns]):
                try:
                    yield read_page(self.converts, page, columns)
                except NotAsWritten as error:
                    raise damaged(error.faults, self.where) from None


@contextmanager
def open_warehouse(
    address: Address, topic: str, *, wait_s: float = 10.0, create: bool = True
) -> Iterator[PostgresWarehouse]:
    """Open the warehouse of a topic, and close it in the end.

    :param wait_s: how long to wait for a lock, seconds.
    :param create: make one where there is none.
    :raises WarehouseUnreachable: the server does not answer.
    :raises Refused: the login, or the right to make it or to look into it, is refused.
    :raises WarehouseDamaged: its tables are not as they were made.
    :raises Misconfigured: there is none, it is of a later format, or the schema holds something else.
    """
    schema = schema_of(topic)
    with connect(address, lock_s=wait_s) as connection, converter() as converts:
        warehouse = PostgresWarehouse(address, schema, connection, converts)
        with warehouse.errors():
            connection.execute("SELECT set_config('search_path', %s, false)", [quote(schema)])
            found = _format(connection, schema, warehouse.where)
            if found is None and not create:
                raise Misconfigured(
                    "there is no warehouse",
                    where=warehouse.where,
                    hint="Run `streamproof load` with this address first",
                )
            if found is None or found < NEWEST:
                upgrade(address, schema, topic=topic)
            check_tables(connection, schema, warehouse.where)
        _check_topic(warehouse, topic)
        yield warehouse


def _format(connection: psycopg.Connection[Any], schema: str, where: str) -> int | None:
    """Return the format of the warehouse in a schema; ``None`` where there is no schema, or nothing in it."""
    relations = connection.execute(
        "SELECT relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE nspname = %s",
        [schema],
    ).fetchall()
    if not relations:
        return None
    if connection.execute("SELECT has_schema_privilege(%s, 'USAGE')", [schema]).fetchall() != [(True,)]:
        raise Refused(
            "the user may not look into the schema",
            where=where,
            hint="Have the user who made the warehouse grant USAGE on the schema and the rights on its tables",
        )
    names = {name for (name,) in relations}
    # Each of these names may be somebody else's table: alembic's lies in many a schema.
    if len(names & {"alembic_version", "load_offsets", "meta"}) < 2:
        raise Misconfigured(
            "the schema is there, and is not a warehouse",
            where=where,
            hint="Something else has the topic's name there: use another database",
        )
    if "alembic_version" not in names:
        return format_of(None, where)
    rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return format_of(str(rows[0][0]) if len(rows) == 1 else None, where)


def _check_topic(warehouse: PostgresWarehouse, topic: str) -> None:
    said = warehouse.meta().get("topic")
    if said is None:
        raise WarehouseDamaged("the warehouse names no topic", where=warehouse.where, hint="Somebody changed meta")
    if said != topic:
        raise Misconfigured(
            f"the warehouse holds the topic {said}, not {topic}", where=warehouse.where, hint="Use another database"
        )
