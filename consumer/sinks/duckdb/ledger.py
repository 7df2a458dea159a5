"""The ledger: positions, and what every batch held. It proves, from the file alone, that nothing is missing or twice.

Rows, ledger and positions change in one transaction, so they can only disagree when the file was damaged or changed
by hand. A loader looks before it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from cluster.errors import WarehouseDamaged, WarehouseLocked
from cluster.records import Span
from consumer.sinks import Totals
from consumer.sinks.batch import Tally
from consumer.sinks.duckdb.warehouse import Warehouse

_BALANCE = """
    WITH ledger AS (
        SELECT partition,
               sum(events) AS events, sum(quarantined) AS quarantined, sum(crc_sum) AS crc_sum,
               min(start_offset) AS first_offset, max(end_offset) AS end_offset,
               bool_and(end_offset - start_offset = events + quarantined + tombstones + absent + expired) AS adds_up
        FROM load_batches GROUP BY partition
    ), ranges AS (
        SELECT partition, start_offset, lag(end_offset) OVER (PARTITION BY partition ORDER BY start_offset) AS previous
        FROM load_batches WHERE start_offset < end_offset
    ), torn AS (
        SELECT partition, count(*) AS breaks FROM ranges WHERE start_offset <> previous GROUP BY partition
    ), loaded AS (
        SELECT _partition AS partition, count(*) AS events, sum(_crc32) AS crc_sum,
               min(_offset) AS first_offset, max(_offset) AS last_offset
        FROM events GROUP BY _partition
    ), held AS (
        SELECT _partition AS partition, count(*) AS quarantined, sum(crc32) AS crc_sum,
               min(_offset) AS first_offset, max(_offset) AS last_offset
        FROM quarantine GROUP BY _partition
    )
    SELECT partition, next_offset, ledger.end_offset, coalesce(adds_up, true), coalesce(breaks, 0),
           coalesce(ledger.events, 0), coalesce(loaded.events, 0),
           coalesce(ledger.quarantined, 0), coalesce(held.quarantined, 0),
           coalesce(ledger.crc_sum, 0), coalesce(loaded.crc_sum, 0) + coalesce(held.crc_sum, 0),
           coalesce(least(loaded.first_offset, held.first_offset) >= ledger.first_offset
                    AND greatest(loaded.last_offset, held.last_offset) < next_offset, true)
    FROM load_offsets
    FULL JOIN ledger USING (partition) LEFT JOIN torn USING (partition)
    FULL JOIN loaded USING (partition) FULL JOIN held USING (partition)
    ORDER BY partition
"""


def verify(warehouse: Warehouse) -> None:
    """Check that positions, ledger and rows agree.

    :raises WarehouseDamaged: they do not; the first contradictions are named.
    """
    faults = contradictions(warehouse)
    if faults:
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise WarehouseDamaged(
            "the warehouse contradicts its ledger: " + "; ".join(faults[:3]) + more,
            where=str(warehouse.path),
            hint="Move the file away, or restore a copy of it; a new warehouse loads again what Kafka still holds",
        )


def contradictions(warehouse: Warehouse) -> list[str]:
    """Return what positions, ledger and rows say differently, a sentence each."""
    return [fault for row in warehouse.rows(_BALANCE) for fault in _Balance(*row).contradictions()]


@dataclass(frozen=True, slots=True)
class _Balance:
    """What positions, ledger and rows say about one partition; the columns of ``_BALANCE``."""

    partition: int
    next_offset: int | None
    ledger_end: int | None
    adds_up: bool
    breaks: int
    ledger_events: int
    events: int
    ledger_quarantined: int
    quarantined: int
    ledger_crc: int
    crc: int
    inside: bool

    def contradictions(self) -> Iterable[str]:
        """Yield what does not agree, a sentence each."""
        name = f"partition {self.partition}"
        if self.next_offset is None:
            yield f"{name} has rows and no position"
        elif self.ledger_end is not None and self.ledger_end != self.next_offset:
            yield f"{name} goes on at offset {self.next_offset}, its ledger ends at {self.ledger_end}"
        if not self.adds_up:
            yield f"{name} has a batch whose counts do not add up to its offsets"
        if self.breaks:
            yield f"{name} has {self.breaks} gaps or overlaps between its batches"
        if self.events != self.ledger_events:
            yield f"{name} has {self.events} events, its ledger says {self.ledger_events}"
        if self.quarantined != self.ledger_quarantined:
            yield f"{name} has {self.quarantined} quarantined records, its ledger says {self.ledger_quarantined}"
        if self.crc != self.ledger_crc:
            yield f"{name} has a checksum of {self.crc}, its ledger says {self.ledger_crc}"
        if not self.inside:
            yield f"{name} has a record outside the offsets of its ledger"


def totals(connection: duckdb.DuckDBPyConnection) -> Totals:
    """Return how many events and quarantined records the ledger holds."""
    query = "SELECT coalesce(sum(events), 0)::BIGINT, coalesce(sum(quarantined), 0)::BIGINT FROM load_batches"
    ((events, quarantined),) = connection.execute(query).fetchall()
    return Totals(events, quarantined)


def next_batch(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of the batch that comes next."""
    ((number,),) = connection.execute("SELECT coalesce(max(batch), 0) + 1 FROM load_batches").fetchall()
    return int(number)


@dataclass(frozen=True, slots=True)
class Seconds:
    """Where the time of a batch went."""

    fetch: float = 0.0
    decode: float = 0.0
    insert: float = 0.0

    def plus(self, fetch: float, decode: float, insert: float) -> Seconds:
        """Return the time of one more chunk added."""
        return Seconds(self.fetch + fetch, self.decode + decode, self.insert + insert)


_NO_TIME = Seconds()


def record(
    connection: duckdb.DuckDBPyConnection, number: int, load_id: str, tally: Tally, seconds: Seconds = _NO_TIME
) -> None:
    """Write the ledger row of one partition of a batch, inside the caller's transaction."""
    span = tally.span
    where = (number, load_id, span.partition, span.start, span.end)
    counts = (tally.events, tally.quarantined, tally.tombstones, tally.absent, tally.expired)
    sums = (tally.schema_ids, tally.crc_sum, tally.value_bytes)
    connection.execute(
        "INSERT INTO load_batches VALUES (?, ?, now(), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [*where, *counts, *sums, seconds.fetch, seconds.decode, seconds.insert],
    )


def advance(connection: duckdb.DuckDBPyConnection, span: Span) -> None:
    """Compare-and-set the position of a partition from the start of ``span`` to its end.

    :raises WarehouseLocked: the position is not where this loader left it: somebody else loaded the span.
    """
    ((changed,),) = connection.execute(
        "UPDATE load_offsets SET next_offset = ? WHERE partition = ? AND next_offset = ?",
        [span.end, span.partition, span.start],
    ).fetchall()
    if changed != 1:
        raise WarehouseLocked(
            f"another loader moved the position of partition {span.partition} away from {span.start}; "
            "the batch was rolled back",
            hint="Run the command again: it goes on from where the other one is",
        )
