"""Snapshots of states that cannot be made to happen in a test, and a source that hands them out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from consumer.live.snapshot import (
    COUNTS,
    STAGES,
    GroupSight,
    GroupsSight,
    History,
    IncidentSight,
    LastKnown,
    MemberSight,
    NameTotal,
    NewestSight,
    PartitionLag,
    PartitionSight,
    PartitionsSight,
    QuarantineSight,
    RecordSight,
    RunSight,
    RunsSight,
    ShardSight,
    Snapshot,
    Stage,
    TopicSight,
    TotalsSight,
)

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
MARKUP = "<img src=x onerror=alert(1)>"


def at(second: float) -> str:
    """Return a time, ``second`` after the first one, as a snapshot writes it."""
    return (START + timedelta(seconds=second)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def topic_sight(name: str = "shop", second: int = 60, **other: Any) -> TopicSight:
    """Return a topic of which everything is known but what is published; its text tries to be markup."""
    now = at(second)
    counts = dict(zip(STAGES, (5000, 4990, 4980, 4500, None), strict=True))
    stages: list[Stage] = []
    before: int | None = None
    for stage, count in counts.items():
        if count is None:
            last = LastKnown(4000, at(second - 30))
            stages.append(Stage(stage, COUNTS[stage], unknown="the publication cannot be read", last=last))
            continue
        gap = None if before is None else before - count
        stages.append(Stage(stage, COUNTS[stage], count, 120.0, gap, now))
        before = count
    members = (
        MemberSight("m-1", "journey-1", "/127.0.0.1", (0, 1), (0,)),
        MemberSight("m-2", "journey-2", "/127.0.0.1", (2,), (1, 2)),
        MemberSight("m-3", "journey-3", "/127.0.0.1", (), (), idle=True),
    )
    lags = (PartitionLag(0, 1500, 1660, 160), PartitionLag(1, 1340, 1660, 320), PartitionLag(2, None, 1660, None))
    groups = (
        GroupSight("journey", "consumer", "Reconciling", members, lags, 480, 90.0, 12.0, now),
        GroupSight("silent", "classic", "Empty", unknown="it tells no positions", as_of=now),
    )
    value = '{"user":"' + MARKUP + '"}'
    newest = (
        RecordSight(0, 1659, now, "user-7", 7, 2, "shop-value v2 (id 7)", "avro", value),
        RecordSight(1, 1658, now, None, None, None, "", None, "00ff17", "no schema has this id"),
        RecordSight(2, 1657, None, MARKUP, 7, 2, "shop-value v2 (id 7)", "avro", None),
    )
    told = (ShardSight(0, "running", 2500, 2490, 0, now),)
    runs = (RunSight("shop/manual", "customer_events", "running", at(0), 2, told, None, 5000, 4990, 3, 4980, 4500),)
    times = tuple(START.timestamp() + each for each in range(second + 1))
    rates = {stage: tuple(None if count is None else 120.0 for _ in times) for stage, count in counts.items()}
    whole = TopicSight(
        name,
        exists=True,
        stages=tuple(stages),
        rate_in=120.0,
        rate_out=90.0,
        partitions=PartitionsSight(tuple(PartitionSight(each, 0, 1660, 40.0) for each in range(3)), now),
        totals=TotalsSight(
            (NameTotal("productview", 4000), NameTotal("purchase", 1000)),
            "counter",
            "totals",
            None,
            "name",
            0,
            now,
            now,
        ),
        groups=GroupsSight(groups, now),
        newest=NewestSight(newest, now),
        quarantine=QuarantineSight(3, "UnknownSchema", at(second - 40)),
        runs=RunsSight(runs, now),
        history=History(times, rates),
    )
    return replace(whole, **other)


def snapshot_at(second: int = 60, *topics: TopicSight, **other: Any) -> Snapshot:
    """Return a snapshot of that second with one incident that is over; of one topic unless others are given."""
    incident = IncidentSight(at(20), at(30), "stop", "broker 2", "broker 2 is stopped for 10 s")
    whole = Snapshot(second, at(second), "127.0.0.1:9092", topics or (topic_sight(second=second),), (incident,))
    return replace(whole, **other)


@dataclass
class FedSource:
    """Hands out the snapshot that it was given last, and counts who looks.

    :ivar beats: twice a second it is a new one of the same content, as a poller makes them.
    """

    snapshot: Snapshot | None = field(default_factory=snapshot_at)
    beats: bool = False
    watchers: int = 0
    openings: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def subscribe(self, topics: frozenset[str]) -> Iterator[FedLooking]:
        """Count."""
        with self._lock:
            self.watchers += 1
            self.openings += 1
        try:
            yield FedLooking(self, topics)
        finally:
            with self._lock:
                self.watchers -= 1


@dataclass(frozen=True)
class FedLooking:
    """One who looks."""

    source: FedSource
    topics: frozenset[str]

    def latest(self) -> Snapshot | None:
        """Return what the source was given last."""
        found = self.source.snapshot
        if found is not None and self.source.beats:
            found = replace(found, number=found.number * 1_000_000 + int(2 * time.monotonic()))
        return found.of(self.topics) if found is not None and self.topics else found
