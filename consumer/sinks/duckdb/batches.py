"""Storing: events, quarantine, ledger and positions in one transaction.

Chunks go into an open transaction one by one, and a commit covers several of them. DuckDB then writes whole row groups
straight into the file, instead of every row into its log first; it costs half as much, and memory holds few rows.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.errors import StoreFailed
from cluster.records import Headers, Records
from consumer.sinks import BATCH_ROWS, RowsRefused, Stored
from consumer.sinks.batch import Chunk, Reject, Tally, ids_in_headers, timestamps
from consumer.sinks.duckdb import ledger
from consumer.sinks.duckdb.refused import DATA_ERRORS, set_apart
from consumer.sinks.duckdb.settings import LARGE_VALUE_BYTES, keep_row_groups_apart
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.sinks.limit import NO_LIMIT, Limit, LimitBroken

# Measured (docs/consumer.md). From 131,072 nested rows in one Arrow table on, DuckDB has read wrong inner values.
CHUNK_ROWS = 20_480
# A batch is committed at the first of these, or when it has its rows.
MAX_BATCH_BYTES = 128 * 1024 * 1024
MAX_LARGE_BATCH_BYTES = 48 * 1024 * 1024  # where values are large; it is followed by a checkpoint
MAX_BATCH_S = 10.0

_INCOMING = "incoming"
INSERT_EVENTS = f"INSERT INTO events BY NAME SELECT *, ?::BIGINT AS _batch FROM {_INCOMING}"  # noqa: S608 - a constant
_INSERT_REJECTS = f"INSERT INTO quarantine BY NAME SELECT *, ?::BIGINT AS batch FROM {_INCOMING}"  # noqa: S608
_INSERT_TOMBSTONES = f"INSERT INTO tombstones BY NAME SELECT *, ?::BIGINT AS batch FROM {_INCOMING}"  # noqa: S608
_HEADERS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))


@dataclass(slots=True)
class _OpenBatch:
    """What the open transaction holds so far."""

    number: int
    began: float = field(default_factory=time.monotonic)
    tallies: dict[int, Tally] = field(default_factory=dict)
    seconds: ledger.Seconds = field(default_factory=ledger.Seconds)
    rejects: int = 0
    first_reject: str = ""
    left: int | None = None

    def note(self, chunk: Chunk, insert_s: float) -> None:
        for tally in chunk.tallies():
            before = self.tallies.get(tally.span.partition)
            self.tallies[tally.span.partition] = before.plus(tally) if before else tally
        self.seconds = self.seconds.plus(chunk.records.fetch_s, chunk.decode_s, insert_s)
        if chunk.rejects and not self.rejects:
            first = chunk.rejects[0]
            records = chunk.records
            self.first_reject = (
                f"partition {records.partitions[first.row]}, offset {records.offsets[first.row]}, "
                f"{first.phase}/{first.kind}"
            )
        self.rejects += len(chunk.rejects)
        self.left = chunk.left

    def is_full(self, batch_rows: int) -> bool:
        most_bytes = MAX_LARGE_BATCH_BYTES if self.has_large_values else MAX_BATCH_BYTES
        if self.value_bytes >= most_bytes or time.monotonic() - self.began >= MAX_BATCH_S:
            return True
        # What would be less than a row group joins the last one: alone it would go through the log.
        last = self.left is not None and self.left < batch_rows
        return not last and sum(tally.span.end - tally.span.start for tally in self.tallies.values()) >= batch_rows

    @property
    def value_bytes(self) -> int:
        return sum(tally.value_bytes for tally in self.tallies.values())

    @property
    def has_large_values(self) -> bool:
        records = sum(tally.events + tally.quarantined for tally in self.tallies.values())
        return self.value_bytes >= LARGE_VALUE_BYTES * max(1, records)


class DuckDBBatches:
    """Writes chunks into a warehouse, in batches. One thread calls it. Any error rolls the open batch back.

    :param careful: try every row before it is stored, and make every chunk a batch of its own.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        load_id: str,
        *,
        limit: Limit = NO_LIMIT,
        batch_rows: int = BATCH_ROWS,
        careful: bool = False,
    ) -> None:
        self._warehouse = warehouse
        self._load_id = load_id
        self._limit = limit
        self._batch_rows = batch_rows
        self.careful = careful
        self._batch: _OpenBatch | None = None

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
            chunk = without_refused(self._warehouse, chunk)
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
        tallies = list(batch.tallies.values())
        try:
            with self._warehouse.errors():
                for tally in tallies:
                    ledger.record(self._warehouse.connection, batch.number, self._load_id, tally, batch.seconds)
                    ledger.advance(self._warehouse.connection, tally.span)
                if batch.rejects:
                    self._hold_limit(batch)
                if batch.has_large_values:
                    keep_row_groups_apart(self._warehouse.connection)
            self._warehouse.commit()
        except BaseException:
            self.rollback()
            raise
        self._batch = None
        if batch.has_large_values:
            self._warehouse.checkpoint()
        return Stored(
            events=sum(tally.events for tally in tallies),
            quarantined=sum(tally.quarantined for tally in tallies),
            tombstones=sum(tally.tombstones for tally in tallies),
            absent=sum(tally.absent for tally in tallies),
        )

    def rollback(self) -> None:
        """Forget what was added since the last commit."""
        if self._batch is not None:
            self._warehouse.rollback()
            self._batch = None

    def interrupt(self) -> None:
        """End the statement that another thread waits for."""
        self._warehouse.connection.interrupt()

    def _insert(self, chunk: Chunk) -> _OpenBatch:
        began = time.perf_counter()
        connection = self._warehouse.connection
        with self._warehouse.errors():
            if self._batch is None:
                self._batch = _OpenBatch(ledger.next_batch(connection))
                self._warehouse.begin()
            for group in chunk.groups:
                insert_rows(connection, INSERT_EVENTS, group.table, self._batch.number)
            if chunk.rejects:
                rows = _quarantine_rows(chunk.records, chunk.rejects)
                insert_rows(connection, _INSERT_REJECTS, rows, self._batch.number)
            named = _named_tombstones(chunk)
            if named is not None:
                insert_rows(connection, _INSERT_TOMBSTONES, named, self._batch.number)
        self._batch.note(chunk, time.perf_counter() - began)
        return self._batch

    def _hold_limit(self, batch: _OpenBatch) -> None:
        held = ledger.totals(self._warehouse.connection)
        if not self._limit.broken_by(held.events, held.quarantined):
            return
        stored = ", ".join(f"partition {p} up to offset {tally.span.start}" for p, tally in batch.tallies.items())
        raise LimitBroken(
            f"the quarantine would hold {held.quarantined} records, the limit is {self._limit}; the batch with "
            f"{batch.rejects} of them was rolled back, stored is {stored}",
            where=f"{self._warehouse.path}, first: {batch.first_reject}",
            hint="Mend the producer and replay the quarantine, or raise --max-quarantined",
        )


def without_refused(warehouse: Warehouse, chunk: Chunk) -> Chunk:
    """Return the chunk with the rows that DuckDB refuses as rejects; each try is rolled back."""

    def attempt(rows: pa.Table) -> None:
        warehouse.connection.execute("BEGIN TRANSACTION")
        try:
            insert_rows(warehouse.connection, INSERT_EVENTS, rows, 0)
        finally:
            warehouse.rollback()

    with warehouse.errors():
        return set_apart(chunk, attempt)


def insert_rows(connection: duckdb.DuckDBPyConnection, statement: str, rows: pa.Table, number: int) -> None:
    """Insert an Arrow table as part of batch ``number``."""
    connection.register(_INCOMING, rows)
    try:
        connection.execute(statement, [number])
    finally:
        with suppress(duckdb.Error):  # in a transaction that an error has ended, even this is refused
            connection.unregister(_INCOMING)


def _quarantine_rows(records: Records, rejects: list[Reject]) -> pa.Table:
    rows = np.array([reject.row for reject in rejects], dtype=np.int64)
    return pa.table(
        {
            "_partition": records.partitions[rows],
            "_offset": records.offsets[rows],
            "_timestamp": timestamps(records, rows),
            "key": pa.array(records.keys(rows), pa.binary()),
            "value": pa.array([records.values[row] for row in rows.tolist()], pa.binary()),
            "headers": pa.array([_named(headers) for headers in records.headers(rows)], _HEADERS),
            "schema_id": pa.array([reject.schema_id for reject in rejects], pa.int32()),
            "phase": [reject.phase for reject in rejects],
            "error_class": [reject.kind for reject in rejects],
            "error": [reject.message for reject in rejects],
            "crc32": records.crcs[rows],
        }
    )


def _named_tombstones(chunk: Chunk) -> pa.Table | None:
    """Return the tombstones that say which event they stand for, ``None`` if there are none."""
    records = chunk.records
    if None not in records.values:
        return None
    rows = np.array([row for row, value in enumerate(records.values) if value is None], dtype=np.int64)
    table = pa.table(
        {
            "_partition": records.partitions[rows],
            "_offset": records.offsets[rows],
            "_timestamp": timestamps(records, rows),
            "key": pa.array(records.keys(rows), pa.binary()),
            "event_id": ids_in_headers(records, rows),
        }
    )
    named = table.filter(pc.is_valid(table.column("event_id")))
    return named if len(named) else None


def _named(headers: Headers | None) -> list[dict[str, Any]] | None:
    return [{"name": name, "value": value} for name, value in headers] if headers else None
