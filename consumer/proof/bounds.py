"""How far the load must have come for the findings of a run to be final."""

from __future__ import annotations

from datetime import datetime, timedelta

from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # there, only without a stub

from cluster.connection import Connection
from cluster.leaders import list_offsets
from cluster.reading import Watermarks
from cluster.topics import admin_client
from consumer.proof.found import PartitionPosition
from consumer.proof.kept_audits import latest_audit
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.manifest import Manifest

_POSITIONS = "SELECT partition, next_offset FROM load_offsets"
# Record times and the end of a run come from the same clock; the manifest rounds.
_CLOCK_MARGIN = timedelta(seconds=1)


def positions_of(
    warehouse: Warehouse, run_id: str, marks: dict[int, Watermarks], claims: str
) -> list[PartitionPosition]:
    """Return how far each partition is loaded, and the end that it must reach.

    The end is taken after the manifests were read, so a run whose manifests have all finished lies below it. The
    first such end is kept: on a topic that others go on writing to, the load reaches it, whatever comes after.

    :param claims: fingerprint of the manifests when all have finished, else empty.
    """
    loaded = dict(warehouse.rows(_POSITIONS))
    earlier = latest_audit(warehouse, run_id) or {}
    same = claims != "" and earlier.get("claims") == claims
    first = {row["partition"]: row["bound"] for row in earlier["partitions"]} if same else {}
    return [
        PartitionPosition(
            partition,
            next_offset=loaded.get(partition, mark.low),
            bound=min(mark.high, first.get(partition, mark.high)),
            end=mark.high,
        )
        for partition, mark in sorted(marks.items())
    ]


def offsets_after(connection: Connection, topic: str, moment: datetime, partitions: list[int]) -> dict[int, int | None]:
    """Return for every partition the first offset with a record of ``moment`` or later, ``None`` if there is none."""
    since = OffsetSpec.for_timestamp(int(moment.timestamp() * 1000))
    # The client must outlive its answers: one that is collected before they came never gives them.
    admin = admin_client(connection.kafka)
    offsets = list_offsets(admin, topic, dict.fromkeys(partitions, since), "reading offsets by time")
    return {partition: offset if offset >= 0 else None for partition, offset in offsets.items()}


def bounded_by_time(
    connection: Connection, topic: str, partitions: list[PartitionPosition], manifests: list[Manifest]
) -> list[PartitionPosition]:
    """Lower the bounds to the end of the run, as record times tell it.

    Used only when every acknowledged event is stored: then the load need not chase what others write. It is not
    sound enough to call something lost, as another producer's clock may be ahead.
    """
    if not any(position.behind for position in partitions):
        return partitions
    ended = max(datetime.fromisoformat(manifest.ended_at) for manifest in manifests if manifest.ended_at)
    after = offsets_after(connection, topic, ended + _CLOCK_MARGIN, [position.partition for position in partitions])
    return [
        PartitionPosition(
            position.partition,
            position.next_offset,
            min(position.bound, end if (end := after.get(position.partition)) is not None else position.bound),
            position.end,
        )
        for position in partitions
    ]
