"""Storing a batch: events, quarantine, ledger and positions in one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from cluster.errors import DataRejected, Misconfigured, StoreFailed
from consumer import ledger
from consumer.batch import Batch, EventGroup, Records, Reject, timestamp_ms
from consumer.store_errors import DATA_ERRORS
from consumer.warehouse import Warehouse

_INCOMING = "incoming"
_INSERT_EVENTS = f"INSERT INTO events BY NAME SELECT *, ?::BIGINT AS _batch FROM {_INCOMING}"  # noqa: S608 - a constant
_INSERT_REJECTS = f"INSERT INTO quarantine BY NAME SELECT *, ?::BIGINT AS batch FROM {_INCOMING}"  # noqa: S608
_HEADERS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))


@dataclass(frozen=True, slots=True)
class Limit:
    """How many records the quarantine may hold: a number, or a share of all records with a value."""

    records: int | None = None
    share: float | None = None

    def broken_by(self, held: ledger.Totals) -> bool:
        """Tell whether ``held`` is too much."""
        if self.records is not None and held.quarantined > self.records:
            return True
        return self.share is not None and held.quarantined > self.share * (held.events + held.quarantined)

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read ``100`` or ``0.5%``.

        :raises Misconfigured: it is neither.
        """
        try:
            limit = cls(share=float(text[:-1]) / 100) if text.endswith("%") else cls(records=int(text))
        except ValueError:
            limit = cls()
        if limit == cls() or (limit.records or 0) < 0 or not 0 <= (limit.share or 0) <= 1:
            raise Misconfigured(f"{text!r} is not a limit", hint="Give a number of records, or a share such as 0.5%")
        return limit

    def __str__(self) -> str:
        return f"{self.records}" if self.records is not None else f"{100 * (self.share or 0):g} %"


NO_LIMIT = Limit()


class LimitBroken(DataRejected):
    """The quarantine would hold more than it may."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a stored batch held."""

    events: int
    quarantined: int
    tombstones: int
    absent: int


class Store:
    """Writes batches into a warehouse. One thread calls it."""

    def __init__(self, warehouse: Warehouse, load_id: str, limit: Limit) -> None:
        self._warehouse = warehouse
        self._load_id = load_id
        self._limit = limit
        self._next_batch = ledger.next_batch(warehouse.connection)

    def write(self, batch: Batch) -> Stored:
        """Store a batch as a whole, or nothing of it.

        Rows that DuckDB itself refuses (a value beyond the range of its types) go to the quarantine like any other.

        :raises LimitBroken: the quarantine would hold more than the limit.
        :raises StoreFull: the disk is full.
        :raises WarehouseLocked: somebody else moved a position.
        """
        try:
            return self._write(batch)
        except StoreFailed as error:
            if not isinstance(error.__cause__, DATA_ERRORS):
                raise
            without = self._set_apart(batch)
            if without is batch:
                raise
            return self._write(without)

    def _write(self, batch: Batch) -> Stored:
        began = time.perf_counter()
        number = self._next_batch
        with self._warehouse.transaction() as connection:
            for group in batch.groups:
                _insert(connection, _INSERT_EVENTS, group.table, number)
            if batch.rejects:
                _insert(connection, _INSERT_REJECTS, _quarantine_rows(batch.records, batch.rejects), number)
            batch.insert_s = time.perf_counter() - began
            tallies = ledger.record(connection, number, self._load_id, batch)
            for span in batch.spans:
                ledger.advance(connection, span)
            if batch.rejects:
                self._hold_limit(connection, batch)
        self._next_batch += 1
        return Stored(
            events=sum(tally.events for tally in tallies),
            quarantined=sum(tally.quarantined for tally in tallies),
            tombstones=sum(tally.tombstones for tally in tallies),
            absent=sum(tally.absent for tally in tallies),
        )

    def _hold_limit(self, connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
        held = ledger.totals(connection)
        if not self._limit.broken_by(held):
            return
        first = batch.rejects[0]
        where = f"partition {batch.records.partitions[first.row]}, offset {batch.records.offsets[first.row]}"
        stored = ", ".join(f"partition {span.partition} up to {span.start}" for span in batch.spans)
        raise LimitBroken(
            f"the quarantine would hold {held.quarantined} records, the limit is {self._limit}; the batch with "
            f"{len(batch.rejects)} of them was rolled back, stored is {stored}",
            where=f"{self._warehouse.path}, first: {where}, {first.phase}/{first.kind}",
            hint="Mend the producer and replay the quarantine, or raise --max-quarantined",
        )

    def _set_apart(self, batch: Batch) -> Batch:
        """Return the batch with the rows that DuckDB refuses as rejects."""
        groups: list[EventGroup] = []
        rejects = list(batch.rejects)
        for group in batch.groups:
            refused = self._refused_rows(group.table)
            if not refused:
                groups.append(group)
                continue
            rejects += [
                Reject(int(group.rows[at]), group.schema_id, "insert", "refused_by_store", why)
                for at, why in refused.items()
            ]
            keep = np.setdiff1d(np.arange(len(group.rows)), list(refused))
            if len(keep):
                # take() copies: DuckDB must never see a slice of nested Arrow.
                groups.append(replace(group, rows=group.rows[keep], table=group.table.take(pa.array(keep))))
        if len(rejects) == len(batch.rejects):
            return batch
        rejects.sort(key=lambda reject: reject.row)
        return replace(batch, groups=groups, rejects=rejects)

    def _refused_rows(self, table: pa.Table) -> dict[int, str]:
        """Return the rows that cannot be inserted, with DuckDB's reason, by halving what fails."""
        connection = self._warehouse.connection
        refused: dict[int, str] = {}
        connection.execute("CREATE OR REPLACE TEMP TABLE probe AS FROM events LIMIT 0")
        pending = [(0, table.num_rows)]
        while pending:
            start, end = pending.pop()
            part = table.take(pa.array(range(start, end)))
            try:
                _insert(connection, _INSERT_EVENTS.replace("INTO events", "INTO temp.probe"), part, 0)
            except DATA_ERRORS as error:
                if end - start == 1:
                    refused[start] = _reason(error)
                else:
                    middle = (start + end) // 2
                    pending += [(middle, end), (start, middle)]
        connection.execute("DROP TABLE temp.probe")
        return refused


def _insert(connection: duckdb.DuckDBPyConnection, statement: str, rows: pa.Table, number: int) -> None:
    connection.register(_INCOMING, rows)
    try:
        connection.execute(statement, [number])
    finally:
        connection.unregister(_INCOMING)


def _quarantine_rows(records: Records, rejects: list[Reject]) -> pa.Table:
    rows = [reject.row for reject in rejects]
    messages = [records.messages[row] for row in rows]
    return pa.table(
        {
            "_partition": records.partitions[rows],
            "_offset": records.offsets[rows],
            "_timestamp": pa.array([timestamp_ms(m) for m in messages], pa.timestamp("ms", tz="UTC")),
            "key": pa.array([m.key() for m in messages], pa.binary()),
            "value": pa.array([records.values[row] for row in rows], pa.binary()),
            "headers": pa.array([_headers(m) for m in messages], _HEADERS),
            "schema_id": pa.array([reject.schema_id for reject in rejects], pa.int32()),
            "phase": [reject.phase for reject in rejects],
            "error_class": [reject.kind for reject in rejects],
            "error": [reject.message for reject in rejects],
            "crc32": records.crcs[rows],
        }
    )


def _headers(message: Any) -> list[dict[str, Any]] | None:
    headers = message.headers()
    return [{"name": name, "value": value} for name, value in headers] if headers else None


def _reason(error: Exception) -> str:
    """Return DuckDB's sentence without the value that it quotes: an error carries no payload."""
    return str(error).split("\n", 1)[0].split(" with value ", 1)[0][:200]
