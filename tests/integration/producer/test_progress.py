"""What a shard tells while it runs, against the real broker: onlookers see it, and nobody who judges does."""

from __future__ import annotations

import threading

import pytest

from cluster.connection import Connection
from producer import ProduceRequest, produce_shard
from producer.send.meter import Progress
from schemas.control_topic import read_control_topic
from schemas.manifest import Manifest, control_topic_of
from schemas.progress import TELL_EVERY_S, ProgressTeller, ShardProgress, progress_in
from tests.kit.kafka import read_topic


def told(connection: Connection, topic: str) -> list[ShardProgress]:
    """Read what shards told, in its order."""
    found = [progress_in(message) for message in read_topic(connection, control_topic_of(topic))]
    return [progress for progress in found if progress is not None]


def test_a_shard_tells_how_far_it_is_while_it_runs_and_at_its_end(connection: Connection, ready_topic: str) -> None:
    request = ProduceRequest(topic=ready_topic, run_id="told", events=90, rate=30.0)
    manifest = produce_shard(connection, request, stop=threading.Event())

    steps = told(connection, ready_topic)

    assert len(steps) >= 2
    assert {step.key() for step in steps} == {"told/0/progress"}
    assert 0 < steps[0].acknowledged < 90
    assert [step.acknowledged for step in steps] == sorted(step.acknowledged for step in steps)
    assert [step.ended for step in steps] == [False] * (len(steps) - 1) + [True]
    assert (steps[-1].generated, steps[-1].acknowledged, steps[-1].failed) == (90, manifest.acknowledged, 0)


def test_who_reads_manifests_sees_nothing_of_what_is_told(connection: Connection, ready_topic: str) -> None:
    request = ProduceRequest(topic=ready_topic, run_id="told", events=60, rate=30.0)
    manifest = produce_shard(connection, request, stop=threading.Event())

    assert told(connection, ready_topic)
    for found in (read_control_topic(connection.kafka, ready_topic, run_id=run_id) for run_id in (None, "told")):
        assert found.manifests == {("told", 0): manifest}
        assert (found.unread, found.deleted, found.pages) == ({}, set(), {})


def test_a_run_that_is_over_within_a_second_leaves_its_manifests_alone(
    connection: Connection, ready_topic: str
) -> None:
    clock = iter([0.0, 0.2, TELL_EVERY_S - 0.1])
    with ProgressTeller(connection.kafka, announced(ready_topic), clock=lambda: next(clock)) as teller:
        teller.tell(generated=1, acknowledged=0, failed=0)
        teller.tell(generated=2, acknowledged=1, failed=0)

    assert read_topic(connection, control_topic_of(ready_topic)) == []


@pytest.mark.parametrize("fault", ["no broker", "no such topic"])
def test_what_cannot_be_told_is_dropped_and_fails_nothing(connection: Connection, topic_name, fault: str) -> None:
    kafka = connection.kafka
    if fault == "no broker":
        kafka = kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    ticks = iter(range(1_000))
    with ProgressTeller(kafka, announced(topic_name("never")), clock=lambda: float(next(ticks))) as teller:
        for step in range(100):  # far more than may wait
            teller.tell(generated=step, acknowledged=0, failed=0)


def announced(topic: str) -> Manifest:
    """Return the manifest that a shard is announced with."""
    return Manifest.model_validate(
        {
            "run_id": "told",
            "shard": 0,
            "shards": 1,
            "topic": topic,
            "scenario": "customer_events",
            "scenario_version": 1,
            "seed": 1,
            "schema_used": {"subject": f"{topic}-value", "version": 1, "id": 1},
            "status": "running",
            "started_at": "2026-01-01T00:00:00.000+00:00",
        }
    )


def test_telling_does_not_take_the_display_of_a_run_away(connection: Connection, ready_topic: str) -> None:
    seen: list[Progress] = []
    request = ProduceRequest(topic=ready_topic, run_id="shown", events=40, rate=30.0)

    produce_shard(connection, request, stop=threading.Event(), progress=seen.append)

    assert seen[-1].acknowledged == 40
