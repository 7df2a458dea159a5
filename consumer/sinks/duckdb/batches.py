"""Storing: events, quarantine, ledger and positions in one transaction.

Chunks go into an open transaction one by one, and a commit covers several of them. DuckDB then writes whole row groups
straight into the file, instead of every row into its log first; it costs half as much, and memory holds few rows.
"""

from __future__ import annotations

import time
from contextlib import suppress

import duckdb
import pyarrow as pa

from cluster.errors import StoreFailed
from consumer.sinks import BATCH_ROWS, RowsRefused, Stored
from consumer.sinks.batch import Chunk, EventGroup
from consumer.sinks.duckdb import ledger
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.refused import DATA_ERRORS, reason_of
from consumer.sinks.duckdb.settings import keep_row_groups_apart
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.sinks.limit import NO_LIMIT, Limit
from consumer.sinks.open_batch import CHUNK_ROWS, OpenBatch
from consumer.sinks.refused import set_apart
from consumer.sinks.rows import named_tombstones, quarantine_rows

_INCOMING = "incoming"
_INSERT_REJECTS = f"INSERT INTO quarantine BY NAME SELECT *, ?::BIGINT AS batch FROM {_INCOMING}"  # noqa: S608 - a constant
_INSERT_TOMBSTONES = f"INSERT INTO tombstones BY NAME SELECT *, ?::BIGINT AS batch FROM {_INCOMING}"  # noqa: S608


class DuckDBBatches:
    """Writes chunks into a warehouse, in batches. One thread calls it. Any error rolls the open batch back.

    :param columns: of the events, which have adopted the schemas of what comes.
    :param careful: try every row before it is stored, and make every chunk a batch of its own.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        columns: EventColumns,
        load_id: str,
        *,
        limit: Limit = NO_LIMIT,
        batch_rows: int = BATCH_ROWS,
        careful: bool = False,
    ) -> None:
        self._warehouse = warehouse
        self._columns = columns
        self._load_id = load_id
        self._limit = limit
        self._batch_rows = batch_rows
        self.careful = careful
        self._batch: OpenBatch | None = None

    @property
    def chunk_rows(self) -> int:
        """How many records a chunk should have."""
        return min(self._batch_rows, CHUNK_ROWS)

    def add(self, chunk: Chunk) -> Stored | None:
        """Put a chunk into the batch. If that makes the batch full, commit it and return what it held.

        :raises RowsRefused: DuckDB refused a row.
        :raises StoreFull: the disk is full.
        :raises StreamproofError: as :meth:`commit`.
        """
        if self.careful:
            chunk = without_refused(self._warehouse, self._columns, chunk)
        try:
            batch = self._insert(chunk)
        except StoreFailed as error:
            self.rollback()
            if isinstance(error.__cause__, DATA_ERRORS) and not self.careful:
                raise RowsRefused from error
            raise
        except BaseException as error:
            self.rollback()
            if isinstance(error, DATA_ERRORS) and not self.careful:
                raise RowsRefused from error
            raise
        return self.commit() if self.careful or batch.is_full(self._batch_rows) else None

    def commit(self) -> Stored | None:
        """Commit the batch, if there is one: rows, ledger and positions as one.

        :raises LimitBroken: the quarantine would hold more than the limit.
        :raises WarehouseLocked: somebody else moved a position.
        :raises StoreFull: the disk is full.
        """
        batch = self._batch
        if batch is None:
            return None
        try:
            with self._warehouse.errors():
                for tally in batch.tallies.values():
                    ledger.record(self._warehouse.connection, batch.number, self._load_id, tally, batch.seconds)
                    ledger.advance(self._warehouse.connection, tally.span)
                if batch.rejects:
                    batch.hold(self._limit, ledger.totals(self._warehouse.connection), str(self._warehouse.path))
                if batch.has_large_values:
                    keep_row_groups_apart(self._warehouse.connection)
            self._warehouse.commit()
        except BaseException:
            self.rollback()
            raise
        self._batch = None
        if batch.has_large_values:
            self._warehouse.checkpoint()
        return batch.stored()

    def rollback(self) -> None:
        """Forget what was added since the last commit."""
        if self._batch is not None:
            self._warehouse.rollback()
            self._batch = None

    def interrupt(self) -> None:
        """End the statement that another thread waits for."""
        self._warehouse.connection.interrupt()

    def _insert(self, chunk: Chunk) -> OpenBatch:
        began = time.perf_counter()
        connection = self._warehouse.connection
        with self._warehouse.errors():
            if self._batch is None:
                self._batch = OpenBatch(ledger.next_batch(connection))
                self._warehouse.begin()
            for group in chunk.groups:
                insert_events(connection, self._columns, group, self._batch.number)
            if chunk.rejects:
                rows = quarantine_rows(chunk.records, chunk.rejects)
                insert_rows(connection, _INSERT_REJECTS, rows, self._batch.number)
            named = named_tombstones(chunk)
            if named is not None:
                insert_rows(connection, _INSERT_TOMBSTONES, named, self._batch.number)
        self._batch.note(chunk, time.perf_counter() - began)
        return self._batch


def without_refused(warehouse: Warehouse, columns: EventColumns, chunk: Chunk) -> Chunk:
    """Return the chunk with the rows that DuckDB refuses as rejects; each try is rolled back."""

    def attempt(rows: pa.Table) -> None:
        schema_id = int(rows.column("_schema_id")[0].as_py())
        warehouse.connection.execute("BEGIN TRANSACTION")
        try:
            insert_rows(warehouse.connection, columns.inserting(schema_id, rows.column_names, _INCOMING), rows, 0)
        finally:
            warehouse.rollback()

    with warehouse.errors():
        return set_apart(chunk, attempt, reason_of)


def insert_events(connection: duckdb.DuckDBPyConnection, columns: EventColumns, group: EventGroup, number: int) -> None:
    """Insert decoded records of one schema as part of batch ``number``."""
    statement = columns.inserting(group.schema_id, group.table.column_names, _INCOMING)
    insert_rows(connection, statement, group.table, number)


def insert_rows(connection: duckdb.DuckDBPyConnection, statement: str, rows: pa.Table, number: int) -> None:
    """Insert an Arrow table as part of batch ``number``."""
    connection.register(_INCOMING, rows)
    try:
        connection.execute(statement, [number])
    finally:
        with suppress(duckdb.Error):  # in a transaction that an error has ended, even this is refused
            connection.unregister(_INCOMING)
