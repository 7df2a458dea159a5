"""Loading a topic into its warehouse, exactly once: the main path of this package."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from cluster.connection import Connection
from cluster.errors import Interrupted
from cluster.reading import TopicReader
from consumer.load.beginning import chosen_partitions, step_aside_if_other
from consumer.load.naming import TopicNaming, finder
from consumer.load.onlookers import Onlookers
from consumer.load.positions import check_identity, resume
from consumer.load.progress import LoadProgress, LoadResult, Meter, PartitionResult
from consumer.load.readers import SchemaShelf, source_of_schemas
from consumer.load.transfer import Transfer
from consumer.sinks import BATCH_ROWS, DEFAULT_WAIT_S, Place, place_of
from consumer.sinks.limit import NO_LIMIT, Limit
from schemas.formats import FRAMED, WrittenSchema


def load(
    connection: Connection,
    topic: str,
    warehouse: Path | Place,
    *,
    stop: threading.Event,
    progress: Callable[[LoadProgress], None] | None = None,
    wait_s: float = DEFAULT_WAIT_S,
    limit: Limit = NO_LIMIT,
    batch_rows: int = BATCH_ROWS,
    step_aside: bool = False,
    accept_gap: bool = False,
    partitions: Collection[int] | None = None,
    written: str | None = None,
    plain: WrittenSchema | None = None,
) -> LoadResult:
    """Load every record of ``topic`` that is there now into ``warehouse``, exactly once.

    1. resume: positions come from the warehouse, not from the consumer group
    2. bound: the last stable offsets of this moment are the end; silence before it raises BrokerSilent
    3. fetch and decode: by schema id; of a group that fails, only the faulty records go to the quarantine
    4. commit: events, quarantine, ledger and next offsets in one transaction, in a thread of its own
    5. repeat to the bound, then checkpoint
    6. settle: tell the group where the warehouse is (best effort), as after each commit in passing

    Killed at any moment, it goes on where the last commit left it; ``stop`` commits or rolls back the batch at hand.

    :param wait_s: how long to wait for another process that has the warehouse open.
    :param limit: how much the quarantine may hold, what is there already included.
    :param batch_rows: how many records one transaction stores, about.
    :param step_aside: when the topic was recreated, keep the old warehouse under another name and begin a new one.
    :param accept_gap: when retention deleted records that were not read, note it in the ledger and go on.
    :param partitions: load these alone; another loader may load others at the same time, where the store lets it.
    :param written: how values are written; found out by their schema ids and the manifests unless given.
    :param plain: the schema of values that name none; that of the newest manifest unless given.
    :raises Interrupted: ``stop`` was set; the same call continues.
    :raises StreamproofError: docs/consumer.md lists each kind.
    """
    began = time.monotonic()
    load_id = uuid.uuid4().hex
    with (
        TopicReader(connection.kafka, topic, purpose="load") as source,
        source_of_schemas(connection, needed=plain is None and (written is None or written in FRAMED)) as registry,
    ):
        identity = source.identify()
        place = place_of(warehouse)
        opened = partial(place.open, wait_s=wait_s, topic=topic, stop=stop)
        kept = step_aside_if_other(place, source, identity, opened) if step_aside else None
        with opened() as sink:
            # 1. resume
            sink.verify()
            there = source.watermarks(range(identity.partitions))
            chosen = chosen_partitions(identity, partitions)
            starts = resume(sink, identity, there, chosen, load_id=load_id, accept_gap=accept_gap)
            # 2. bound
            ends = {partition: marks.high for partition, marks in there.items() if partition in chosen}
            meter = Meter(sum(ends.values()) - sum(starts.values()), progress)
            shelf = SchemaShelf(sink, topic, registry)
            naming = TopicNaming(
                finder(plain, written, connection.kafka, topic, list(shelf.kept.values())), registry.id_of
            )
            onlookers = Onlookers(source.tell, sink.totals(), meter.add)
            transfer = Transfer(sink, shelf, naming, load_id, stop, onlookers.add, limit, batch_rows)
            # 3. and 4.
            transfer.to_ends(source, ends)
            done = meter.progress
            if done.offsets_done < done.offsets_total:
                raise Interrupted(
                    f"stopped; {done.rows:,} events of this run are stored",
                    where=f"{topic}, {sink.where}",
                    hint="The same command continues",
                )
            # 5. checkpoint
            sink.checkpoint()
            check_identity(sink, source.identify())
            held = sink.totals()
        # 6. settle
        source.commit(ends, note=onlookers.note)
    limit.hold(held.events, held.quarantined, where=sink.where)
    return LoadResult(
        topic=topic,
        warehouse=sink.where,
        rows=done.rows,
        quarantined=done.quarantined,
        tombstones=done.tombstones,
        absent=done.absent,
        partitions=[PartitionResult(p, starts[p], ends[p], ends[p]) for p in sorted(ends)],
        seconds=done.seconds,
        startup_seconds=max(0.0, time.monotonic() - began - done.seconds),
        load_id=load_id,
        set_aside=kept,
        not_compared=transfer.not_compared,
    )
