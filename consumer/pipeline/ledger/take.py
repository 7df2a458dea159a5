"""The ledger of a topic that somebody else filled: manifests, written from what Kafka holds."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cluster.connection import Connection
from cluster.errors import Misconfigured, TopicMissing, TopicRecreated
from cluster.rights import refuse_uncreatable, refuse_unwritable
from cluster.topics import admin_client, apply_topics, describe, specs_for
from consumer.pipeline.ledger.partition import PartitionLedger
from consumer.pipeline.ledger.sources import LedgerSource, opened_source
from schemas.control_topic import read_control_topic, write_ledger
from schemas.identity import MAX_SHARDS
from schemas.ledgers import BY_FIELD, BY_POSITION, FIELD, IDENTITY, KEYED, RUN_PREFIX, SCENARIO
from schemas.manifest import Manifest, SchemaUsed, control_topic_of, count
from schemas.registry.contract import subject_for

_VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,99}")
_ANY_FORMAT = "any"
# A hundred thousand ranges of one partition fit into its manifest; those of all have to fit into memory.
_MOST_GAPS_IN_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class LedgerProgress:
    """How far the reading is, in offsets."""

    done: int
    total: int
    seconds: float

    @property
    def rate(self) -> float:
        """Offsets a second."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end at the rate so far."""
        return (self.total - self.done) / self.rate if self.rate else None


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """What the ledger says of a partition: ``records`` in ``[first, next)``, and ``gaps`` offsets without one."""

    partition: int
    first: int
    next: int
    records: int
    gaps: int


@dataclass(frozen=True, slots=True)
class LedgerResult:
    """What was written down.

    :param repeated: how many values of the field occur more than once.
    :param control_created: whether the control topic was made for it.
    """

    run_id: str
    topic: str
    identity: str
    field: str | None
    partitions: list[PartitionResult]
    records: int
    repeated: int
    control_created: bool
    seconds: float

    def document(self) -> dict[str, Any]:
        """Return the result as ``ledger --json`` prints it."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}


def take_ledger(
    connection: Connection,
    topic: str,
    *,
    name: str | None = None,
    field: str | None = None,
    stop: threading.Event,
    progress: Callable[[LedgerProgress], None] | None = None,
) -> LedgerResult:
    """Write down what a topic holds, so that a pipeline that reads it can be audited against Kafka itself.

    1. begin: no ledger of the topic has the name, and Kafka will take the manifests
    2. bound: first offset and last stable offset of each partition, of one moment
    3. read: every record up to there; which offsets have none, checksums, and the values of the field
    4. tell apart: how many values of the field occur more than once
    5. recognise: the topic is still the one that was read
    6. declare: a manifest for each partition in the control topic, which is made where it is missing; nothing was
       written before

    :param name: what the ledger is called; the time unless given.
    :param field: the field that tells records apart; partition and offset unless given.
    :raises Interrupted: ``stop`` was set; nothing was written.
    :raises Misconfigured: the name is taken, there is no such field, or the topic has too many partitions or holes.
    :raises DataRejected: a value cannot be decoded, or has null in the field.
    :raises TopicRecreated: the topic was made anew, or its records expired, while it was read.
    :raises StreamproofError: Kafka or the registry does not answer, or does not allow it.
    """
    began, started_at = time.monotonic(), datetime.now(UTC)
    # 1. begin
    run_id = RUN_PREFIX + (_checked(name) if name is not None else f"{started_at:%Y%m%d-%H%M%S-%f}"[:-3])
    admin = admin_client(connection.kafka)
    control = control_topic_of(topic)
    missing = [spec for spec in specs_for(topic) if spec.name == control]
    if _is_there(connection, topic, run_id):
        missing = []
        refuse_unwritable(admin, control)
    else:
        refuse_uncreatable(admin, missing)
    # 2. bound
    with opened_source(connection, topic, field, stop=stop) as source:
        if source.info.partitions > MAX_SHARDS:
            raise Misconfigured(
                f"the topic has {source.info.partitions:,} partitions, and a ledger takes {MAX_SHARDS:,} at most",
                where=f"topic {topic}",
            )
        # 3. read
        ledgers = _read(source, progress)
        # 4. tell apart
        repeated = source.repeated()
        info = source.info
    # 5. recognise
    now = describe(admin, topic)
    if now.topic_id != info.topic_id:
        raise TopicRecreated(
            "the topic was deleted and made anew while it was read; nothing was written",
            where=f"topic {topic}",
            hint="Run the command again",
        )
    # 6. declare
    settings: dict[str, int | float | str | None] = {IDENTITY: BY_FIELD if field else BY_POSITION}
    settings |= {FIELD: field, "repeated": repeated} if field else {}
    manifests = [
        Manifest(
            status="finished",
            run_id=run_id,
            shard=ledger.partition,
            shards=info.partitions,
            topic=topic,
            topic_id=info.topic_id,
            scenario=SCENARIO,
            scenario_version=_VERSION,
            seed=0,
            settings=settings | {KEYED: ledger.keyed},
            common=sorted(settings),
            schema_used=SchemaUsed(subject=subject_for(topic), version=0, id=0),
            value_format=_ANY_FORMAT,
            started_at=started_at.isoformat(timespec="milliseconds"),
            ended_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            start_offsets={ledger.partition: ledger.first},
            brokers=connection.kafka.shown,
            first_sequence=ledger.first,
            next_sequence=ledger.end,
            acknowledged=ledger.records,
            failed=ledger.without_record(),
            crc=ledger.checksums(),
        )
        for ledger in ledgers
    ]
    apply_topics(admin, missing)
    write_ledger(connection.kafka, manifests)
    return LedgerResult(
        run_id=run_id,
        topic=topic,
        identity=str(settings[IDENTITY]),
        field=field,
        partitions=[
            PartitionResult(each.shard, each.first_sequence, each.next_sequence, each.acknowledged, count(each.failed))
            for each in manifests
        ],
        records=sum(each.acknowledged for each in manifests),
        repeated=repeated,
        control_created=bool(missing),
        seconds=time.monotonic() - began,
    )


def _read(source: LedgerSource, progress: Callable[[LedgerProgress], None] | None) -> list[PartitionLedger]:
    topic = source.info.name
    ledgers = {
        partition: PartitionLedger(topic, partition, mark.low, mark.high)
        for partition, mark in sorted(source.marks.items())
    }
    began, done, total = time.monotonic(), 0, sum(mark.high - mark.low for mark in source.marks.values())
    if progress is not None:
        progress(LedgerProgress(0, total, 0.0))
    for seen in source.seen():
        ledgers[seen.partition].add(seen.offsets, seen.crcs, seen.keyed)
        if sum(ledger.gaps for ledger in ledgers.values()) > _MOST_GAPS_IN_ALL:
            raise Misconfigured(
                f"the partitions have more than {_MOST_GAPS_IN_ALL:,} stretches of offsets without a record",
                where=f"topic {topic}",
                hint="They come of compaction, or of many small transactions; such a topic has no ledger",
            )
        done += seen.passed
        if progress is not None:
            progress(LedgerProgress(done, total, time.monotonic() - began))
    return list(ledgers.values())


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Misconfigured(
            f"{name[:120]!r} cannot be the name of a ledger",
            hint="Use letters, digits, dot, underscore, colon, plus and hyphen, at most 100 of them",
        )
    return name


def _is_there(connection: Connection, topic: str, run_id: str) -> bool:
    """Tell whether the control topic is there. What was proved against a ledger would mean something else.

    :raises Misconfigured: it has a ledger of that name.
    :raises TopicMissing: there is no such topic.
    """
    try:
        found = read_control_topic(connection.kafka, topic, run_id=run_id)
    except TopicMissing:
        describe(admin_client(connection.kafka), topic)
        return False
    taken = [manifest for (_, _), manifest in sorted(found.ledgers.items())]
    if taken or found.unread_of(run_id):
        when = f", taken at {taken[0].started_at}" if taken else ""
        raise Misconfigured(
            f"there is a ledger {run_id} already{when}",
            where=f"topic {control_topic_of(topic)}",
            hint="Give another --name, or none",
        )
    return True
