"""The ledger: positions, and what every batch held. It proves, from the file alone, that nothing is missing or twice.

Rows, ledger and positions change in one transaction, so they can only disagree when the file was damaged or changed
by hand. A loader looks before it goes on.
"""

from __future__ import annotations

import duckdb

from cluster.errors import WarehouseDamaged, WarehouseLocked
from cluster.records import Span
from consumer.sinks import Totals
from consumer.sinks.balance import BALANCE, Balance
from consumer.sinks.batch import Tally
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.sinks.open_batch import Seconds


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
    return [fault for row in warehouse.rows(BALANCE) for fault in Balance(*row).contradictions()]


def totals(connection: duckdb.DuckDBPyConnection) -> Totals:
    """Return how many events and quarantined records the ledger holds."""
    query = "SELECT coalesce(sum(events), 0)::BIGINT, coalesce(sum(quarantined), 0)::BIGINT FROM load_batches"
    ((events, quarantined),) = connection.execute(query).fetchall()
    return Totals(events, quarantined)


def next_batch(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the number of the batch that comes next."""
    ((number,),) = connection.execute("SELECT coalesce(max(batch), 0) + 1 FROM load_batches").fetchall()
    return int(number)


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
