"""Storing: events, quarantine, ledger and positions in one transaction.

Chunks go into an open transaction one by one, by COPY, and a commit covers several of them.
"""

from __future__ import annotations

import time

import pyarrow as pa

from consumer.sinks import BATCH_ROWS, RowsRefused, Stored
from consumer.sinks.batch import NAME_COLUMN, Chunk, EventGroup
from consumer.sinks.conversion import is_kept
from consumer.sinks.limit import NO_LIMIT, Limit
from consumer.sinks.open_batch import CHUNK_ROWS, OpenBatch
from consumer.sinks.postgres import ledger
from consumer.sinks.postgres.catalogue import our_tables
from consumer.sinks.postgres.columns import EventColumns
from consumer.sinks.postgres.errors import reason_of
from consumer.sinks.postgres.record_columns import RecordNames
from consumer.sinks.postgres.values.copying import copy_in
from consumer.sinks.postgres.values.into_text import CopiedColumn
from consumer.sinks.postgres.warehouse import PostgresWarehouse
from consumer.sinks.refused import set_apart
from consumer.sinks.rows import named_tombstones, quarantine_rows
from schemas.columns.column_type import ColumnType, quote
from schemas.columns.judge import Placed


class PostgresBatches:
    """Writes chunks into a warehouse, in batches. One thread calls it, :meth:`interrupt` apart.

    :param columns: of the events, which have adopted the schemas of what comes.
    :param record_names: the record types of those schemas.
    :param careful: try every row before it is stored, and make every chunk a batch of its own.
    """

    def __init__(
        self,
        warehouse: PostgresWarehouse,
        columns: EventColumns,
        record_names: RecordNames,
        load_id: str,
        *,
        limit: Limit = NO_LIMIT,
        batch_rows: int = BATCH_ROWS,
        careful: bool = False,
    ) -> None:
        self._warehouse = warehouse
        self._rows = RowsInto(warehouse, columns, record_names)
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

        :raises RowsRefused: PostgreSQL refused a row.
        :raises StreamproofError: as :meth:`commit`.
        """
        if self.careful:
            chunk = self._rows.without_refused(chunk)
        try:
            batch = self._insert(chunk)
        except BaseException as error:
            self.rollback()
            if not self.careful and (reason_of(error) or reason_of(error.__cause__)):
                raise RowsRefused from error
            raise
        return self.commit() if self.careful or batch.is_full(self._batch_rows) else None

    def commit(self) -> Stored | None:
        """Commit the batch, if there is one: rows, ledger and positions as one.

        :raises LimitBroken: the quarantine would hold more than the limit.
        :raises WarehouseLocked: somebody else moved a position.
        :raises WarehouseUnreachable: the connection is lost. The positions say whether the batch is stored.
        :raises StoreFull: the disk of the server is full.
        """
        batch = self._batch
        if batch is None:
            return None
        try:
            ledger.order(self._warehouse, batch.number)
            for tally in batch.tallies.values():
                ledger.record(self._warehouse, batch.number, self._load_id, tally, batch.seconds)
                ledger.advance(self._warehouse, tally.span)
            if batch.rejects:
                batch.hold(self._limit, ledger.totals(self._warehouse), self._warehouse.where)
            self._warehouse.commit()
        except BaseException:
            self.rollback()
            raise
        self._batch = None
        return batch.stored()

    def rollback(self) -> None:
        """Forget what was added since the last commit."""
        self._warehouse.rollback()
        self._batch = None

    def interrupt(self) -> None:
        """End the statement that another thread waits for."""
        self._warehouse.interrupt()

    def _insert(self, chunk: Chunk) -> OpenBatch:
        began = time.perf_counter()
        if self._batch is None:
            self._warehouse.begin()
            self._batch = OpenBatch(0)  # a rollback must know that there is a transaction
            self._rows.begin()
            self._batch.number = ledger.next_batch(self._warehouse)
        for span in chunk.spans:
            if span.partition not in self._batch.tallies:
                ledger.claim(self._warehouse, span)
        for group in chunk.groups:
            self._rows.events(group, self._batch.number)
        if chunk.rejects:
            self._rows.others("quarantine", quarantine_rows(chunk.records, chunk.rejects), self._batch.number)
        named = named_tombstones(chunk)
        if named is not None:
            self._rows.others("tombstones", named, self._batch.number)
        self._batch.note(chunk, time.perf_counter() - began)
        return self._batch


class RowsInto:
    """Copies rows into the tables, inside the caller's transaction: :meth:`begin` comes first in each."""

    def __init__(self, warehouse: PostgresWarehouse, columns: EventColumns, record_names: RecordNames) -> None:
        self._warehouse = warehouse
        self._columns = columns
        self._record_names = record_names
        self._layout = columns.layout
        # By schema and columns, as some are there only where a record fills them: it takes a millisecond to find out.
        self._copied: dict[tuple[int, tuple[str, ...]], list[CopiedColumn]] = {}

    def begin(self) -> None:
        """Let nobody change the columns of events, and see what they are now."""
        with self._warehouse.errors():
            self._columns.hold_still()
            self._record_names.look()

    def events(self, group: EventGroup, number: int) -> None:
        """Store decoded records as part of batch ``number``."""
        with self._warehouse.errors():
            rows = self._named(_numbered(group.table, "_batch", number), group.schema_id)
            self._copy("events", rows, self._columns_of(group.schema_id, rows.schema))

    def others(self, table: str, rows: pa.Table, number: int) -> None:
        """Store records that are not events; no character in them keeps one out."""
        rows, stored = _numbered(rows, "batch", number), our_tables()[table]
        columns = [CopiedColumn(name, name, stored[name], always=True) for name in rows.column_names]
        with self._warehouse.errors():
            self._copy(table, rows, columns)

    def without_refused(self, chunk: Chunk) -> Chunk:
        """Return the chunk with the rows that PostgreSQL refuses as rejects; each try is rolled back."""

        def attempt(rows: pa.Table) -> None:
            schema_id = int(rows.column("_schema_id")[0].as_py())
            self._warehouse.begin()
            try:
                self.begin()
                rows = self._named(_numbered(rows, "_batch", 0), schema_id)
                self._copy("events", rows, self._columns_of(schema_id, rows.schema))
            finally:
                self._warehouse.rollback()

        with self._warehouse.errors():
            return set_apart(chunk, attempt, reason_of)

    def _named(self, rows: pa.Table, schema_id: int) -> pa.Table:
        name = self._record_names.of(schema_id)
        return rows if name is None else rows.append_column(NAME_COLUMN, pa.repeat(pa.scalar(name), rows.num_rows))

    def _columns_of(self, schema_id: int, schema: pa.Schema) -> list[CopiedColumn]:
        if self._layout is not self._columns.layout:  # another loader changed it
            self._layout, self._copied = self._columns.layout, {}
        found = self._copied.get((schema_id, tuple(schema.names)))
        if found is None:
            values = {str(number): each for number, each in enumerate(self._columns.placed(schema_id))}
            found = [
                self._of_value(name, values[name]) if name in values else self._of_record(name) for name in schema.names
            ]
            self._copied[schema_id, tuple(schema.names)] = found
        return found

    def _of_value(self, name: str, each: Placed) -> CopiedColumn:
        column = self._layout.columns[each.column]
        if is_kept(each.source, each.place, each.target):
            return CopiedColumn(name, column, each.target)
        return CopiedColumn(name, column, each.target, (each.source, each.place))

    def _of_record(self, name: str) -> CopiedColumn:
        return CopiedColumn(name, name, our_tables()["events"].get(name, ColumnType("VARCHAR")))

    def _copy(self, table: str, rows: pa.Table, columns: list[CopiedColumn]) -> None:
        copy_in(self._warehouse.connection, self._warehouse.converts, quote(table), rows, columns)


def _numbered(rows: pa.Table, column: str, number: int) -> pa.Table:
    return rows.append_column(column, pa.repeat(pa.scalar(number, pa.int64()), rows.num_rows))
