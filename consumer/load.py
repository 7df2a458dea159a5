"""Loading a topic into its warehouse, exactly once: the main path of this package."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from cluster.connection import Connection
from cluster.errors import Interrupted, TopicRecreated
from cluster.topics import TopicInfo
from consumer.decode import decode
from consumer.ledger import verify
from consumer.limit import NO_LIMIT, Limit
from consumer.positions import check_identity, resume, set_aside, stored_positions
from consumer.progress import LoadProgress, LoadResult, PartitionResult
from consumer.readers import Readers, SchemaShelf
from consumer.source import Source
from consumer.store import BATCH_ROWS, RowsRefused, Store, Stored
from consumer.warehouse import DEFAULT_WAIT_S, Warehouse, open_warehouse
from consumer.writer import Writer
from schemas.registry import Registry

# Measured (docs/consumer.md). From 131,072 nested rows in one Arrow table on, DuckDB has read wrong inner values.
CHUNK_ROWS = 20_480


def load(
    connection: Connection,
    topic: str,
    warehouse: Path,
    *,
    stop: threading.Event,
    progress: Callable[[LoadProgress], None] | None = None,
    wait_s: float = DEFAULT_WAIT_S,
    limit: Limit = NO_LIMIT,
    batch_rows: int = BATCH_ROWS,
    step_aside: bool = False,
    accept_gap: bool = False,
) -> LoadResult:
    """Load every record of ``topic`` that is there now into ``warehouse``, exactly once.

    1. resume: positions come from the warehouse, not from the consumer group
    2. bound: the last stable offsets of this moment are the end; silence before it raises BrokerSilent
    3. fetch and decode: by schema id; of a group that fails, only the faulty records go to the quarantine
    4. commit: events, quarantine, ledger and next offsets in one transaction, in a thread of its own
    5. repeat to the bound, then checkpoint
    6. settle: tell the group where the warehouse is (best effort)

    Killed at any moment, it goes on where the last commit left it; ``stop`` commits or rolls back the batch at hand.

    :param wait_s: how long to wait for another process that has the warehouse open.
    :param limit: how much the quarantine may hold.
    :param batch_rows: how many records one transaction stores, about.
    :param step_aside: when the topic was recreated, keep the old warehouse under another name and begin a new one.
    :param accept_gap: when retention deleted records that were not read, note it in the ledger and go on.
    :raises Interrupted: ``stop`` was set; the same call continues.
    :raises StreamproofError: docs/consumer.md lists each kind.
    """
    began = time.monotonic()
    load_id = uuid.uuid4().hex
    with Source(connection.kafka, topic) as source, Registry(connection.registry) as registry:
        identity = source.identify()
        file, kept = _open(warehouse, identity, wait_s, stop, step_aside=step_aside)
        with file:
            # 1. resume
            verify(file)
            there = source.watermarks(range(identity.partitions))
            starts = resume(file, identity, there, load_id=load_id, accept_gap=accept_gap)
            # 2. bound
            ends = {partition: marks.high for partition, marks in there.items()}
            state = LoadProgress(offsets_total=sum(ends.values()) - sum(starts.values()))

            def on_stored(stored: Stored) -> None:
                nonlocal state
                state = state.plus(stored, time.monotonic() - began)
                if progress is not None:
                    progress(state)

            shelf = SchemaShelf(file, topic, registry)

            def transfer(*, careful: bool) -> None:
                store = Store(file, load_id, limit=limit, batch_rows=batch_rows, careful=careful)
                source.assign(stored_positions(file), ends)
                with Writer(file, store, stop, on_stored) as writer:
                    readers = Readers(registry, shelf.texts, lambda *schema: writer.call(shelf.adopt, *schema))
                    while not (source.finished or stop.is_set()):
                        # 3. fetch and decode
                        records, spans = source.fetch(min(batch_rows, CHUNK_ROWS), stop)
                        chunk = decode(records, spans, readers)
                        # 4. commit
                        writer.submit(chunk)

            try:
                transfer(careful=False)
            except RowsRefused:
                transfer(careful=True)
            if state.offsets_done < state.offsets_total:
                raise Interrupted(
                    f"stopped; {state.rows:,} events of this run are stored",
                    where=f"{topic}, {file.path}",
                    hint="The same command continues",
                )
            # 5. checkpoint
            file.checkpoint()
            check_identity(file, source.identify())
        # 6. settle
        source.commit(ends)
    return LoadResult(
        topic=topic,
        warehouse=file.path,
        rows=state.rows,
        quarantined=state.quarantined,
        tombstones=state.tombstones,
        absent=state.absent,
        partitions=[PartitionResult(p, starts[p], ends[p], ends[p]) for p in sorted(ends)],
        seconds=time.monotonic() - began,
        load_id=load_id,
        set_aside=kept,
    )


def _open(
    path: Path, identity: TopicInfo, wait_s: float, stop: threading.Event, *, step_aside: bool
) -> tuple[Warehouse, Path | None]:
    """Open the warehouse; one of a former topic steps aside if it may, and is returned under its new name."""
    file = open_warehouse(path, wait_s=wait_s, topic=identity.name, stop=stop)
    if not step_aside:
        return file, None
    try:
        check_identity(file, identity)
    except TopicRecreated:
        file.checkpoint()
        file.close()
        kept = set_aside(file.path)
        return open_warehouse(path, wait_s=wait_s, topic=identity.name, stop=stop), kept
    return file, None
