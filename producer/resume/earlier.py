"""What the control topic holds of a run before a shard of it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.connection import KafkaSettings
from cluster.errors import Misconfigured
from cluster.reading import Watermarks, look_at_topic
from schemas.control_topic import read_control_topic
from schemas.leases import Lease
from schemas.manifest import Manifest, Terms


@dataclass(frozen=True, slots=True)
class RunSaid:
    """What the control topic holds of a run, as one of its shards sees it.

    ``own`` is the newest manifest of the shard, ``others`` what the other shards were begun with. ``empty``: it holds
    nothing at all, of no run. ``taken_back``: a record without a value is the newest under the shard's key.
    ``lease`` is the newest one of the shard, unless its holder says that it has stopped; ``control_ends`` is where the
    partitions of the control topic ended.
    ``bounds`` are first offset and end of each partition of the data topic.
    """

    own: Manifest | None
    others: list[Terms]
    empty: bool
    taken_back: bool
    bounds: dict[int, Watermarks]
    lease: Lease | None = None
    control_ends: Mapping[int, int] = field(default_factory=dict)


def read_run(kafka: KafkaSettings, topic: str, run_id: str, shard: int) -> RunSaid:
    """Read the control topic once, to its end. Of other shards only what they were begun with is kept.

    :raises Misconfigured: a record of the run is not a manifest that this version understands.
    """
    _, bounds = look_at_topic(kafka, topic)
    found = read_control_topic(kafka, topic, run_id=run_id)
    shards: dict[int, Terms] = {number: manifest for (_, number), manifest in found.manifests.items()}
    for number, record in found.unread_of(run_id).items():
        if number == shard or record.terms is None:
            raise Misconfigured(
                f"the manifest of run {run_id}, shard {number} cannot be read",
                where=str(record),
                hint="Another version may have written it. What it accounts for could be sent twice: use a new run id",
            )
        shards[number] = record.terms
    others = [terms for number, terms in sorted(shards.items()) if number != shard]
    own, taken_back = found.manifests.get((run_id, shard)), (run_id, shard) in found.deleted
    lease = found.leases.get((run_id, shard))
    if lease is not None and (lease.released or lease.token in found.yielded):
        lease = None
    return RunSaid(own, others, found.untouched, taken_back, bounds, lease, found.ends)


def read_manifest(kafka: KafkaSettings, topic: str, run_id: str, shard: int) -> Manifest | None:
    """Return the newest manifest of one shard, or ``None``.

    :raises Misconfigured: a record of the run is not a manifest that this version understands.
    """
    return read_run(kafka, topic, run_id, shard).own
