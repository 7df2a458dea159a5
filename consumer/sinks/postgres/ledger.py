"""The ledger: positions, and what every batch held, for loaders that may work side by side.

1. claim: a batch takes the row of each of its positions, and looks whether it is where the loader left it
2. record: the batch gets its place in the order of commits, under a lock that ends with the commit, and its rows
3. advance: each position by compare-and-set
"""

from __future__ import annotations

import json

from cluster.errors import WarehouseDamaged, WarehouseLocked
from cluster.records import Span
from consumer.sinks import Totals
from consumer.sinks.balance import BALANCE, Balance
from consumer.sinks.batch import Tally
from consumer.sinks.open_batch import Seconds
from consumer.sinks.postgres.warehouse import PostgresWarehouse

# Looking at all rows of a large warehouse may take this long.
_VERIFY_S = 3600.0
ONE_MOMENT = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
_TOTALS = "SELECT coalesce(sum(events), 0)::bigint, coalesce(sum(quarantined), 0)::bigint FROM load_batches"
_LOCK_ORDER = "SELECT pg_advisory_xact_lock(hashtextextended('streamproof order ' || current_schema(), 0))"
_ORDER = "INSERT INTO batch_order (batch, number) SELECT %s, coalesce(max(number), 0) + 1 FROM batch_order"
_RECORD = """
    INSERT INTO load_batches (
        batch, load_id, loaded_at, partition, start_offset, end_offset,
        events, quarantined, tombstones, absent, expired, schema_ids, crc_sum, value_bytes, fetch_s, decode_s, insert_s
    ) VALUES (%s, %s, now(), %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s, %s)
"""
_NO_TIME = Seconds()


def verify(warehouse: PostgresWarehouse) -> None:
    """Check that positions, ledger and rows agree, at one moment.

    :raises WarehouseDamaged: they do not; the first contradictions are named.
    """
    faults = contradictions(warehouse)
    if faults:
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise WarehouseDamaged(
            "the warehouse contradicts its ledger: " + "; ".join(faults[:3]) + more,
            where=warehouse.where,
            hint="Somebody changed it. Restore it, or load with --set-aside: the schema gets another name, and what "
            "Kafka still holds is loaded into a new one",
        )


def contradictions(warehouse: PostgresWarehouse) -> list[str]:
    """Return what positions, ledger and rows say differently, a sentence each."""
    with warehouse.errors(), warehouse.connection.patient(_VERIFY_S), warehouse.transaction(ONE_MOMENT):
        return [fault for row in warehouse.rows(BALANCE) for fault in Balance(*row).contradictions()]


def totals(warehouse: PostgresWarehouse) -> Totals:
    """Return how many events and quarantined records the ledger holds."""
    return Totals(*warehouse.rows(_TOTALS)[0])


def next_batch(warehouse: PostgresWarehouse) -> int:
    """Return a number that no other batch gets."""
    return int(warehouse.rows("SELECT nextval('batch_numbers')")[0][0])


def claim(warehouse: PostgresWarehouse, span: Span) -> None:
    """Take the position of a partition for this transaction, and look whether it is at the start of ``span``.

    :raises WarehouseLocked: somebody else loads the partition, or has moved it on.
    """
    try:
        found = warehouse.rows("SELECT next_offset FROM load_offsets WHERE partition = %s FOR UPDATE", [span.partition])
    except WarehouseLocked as error:
        raise WarehouseLocked(
            f"another loader is at work on partition {span.partition}",
            where=warehouse.where,
            hint="Run the command again when it has ended, or give a longer --wait",
        ) from error
    if found != [(span.start,)]:
        raise _moved(warehouse, span)


def order(warehouse: PostgresWarehouse, number: int) -> None:
    """Give a batch its place in the order of commits. Nobody else commits one until this transaction has ended."""
    with warehouse.errors():
        warehouse.connection.execute(_LOCK_ORDER)
        warehouse.connection.execute(_ORDER, [number])


def record(warehouse: PostgresWarehouse, number: int, load_id: str, tally: Tally, seconds: Seconds = _NO_TIME) -> None:
    """Write the ledger row of one partition of a batch, inside the caller's transaction."""
    span = tally.span
    where = (number, load_id, span.partition, span.start, span.end)
    counts = (tally.events, tally.quarantined, tally.tombstones, tally.absent, tally.expired)
    sums = (json.dumps(tally.schema_ids), tally.crc_sum, tally.value_bytes)
    with warehouse.errors():
        warehouse.connection.execute(_RECORD, [*where, *counts, *sums, seconds.fetch, seconds.decode, seconds.insert])


def advance(warehouse: PostgresWarehouse, span: Span) -> None:
    """Compare-and-set the position of a partition from the start of ``span`` to its end.

    :raises WarehouseLocked: the position is not where this loader left it.
    """
    with warehouse.errors():
        changed = warehouse.connection.execute(
            "UPDATE load_offsets SET next_offset = %s WHERE partition = %s AND next_offset = %s",
            [span.end, span.partition, span.start],
        ).rowcount
    if changed != 1:
        raise _moved(warehouse, span)


def _moved(warehouse: PostgresWarehouse, span: Span) -> WarehouseLocked:
    return WarehouseLocked(
        f"another loader moved the position of partition {span.partition} away from {span.start}; "
        "the batch was rolled back",
        where=warehouse.where,
        hint="Run the command again: it goes on from where the other one is",
    )
