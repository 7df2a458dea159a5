"""What a manifest says about the places of its records is what the topic holds, however they came there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from cluster.connection import Connection
from cluster.errors import Interrupted
from cluster.reading import TopicReader
from cluster.topics import TopicSpec, admin_client, apply_topics, specs_for
from producer import ProduceRequest, produce_shard
from producer.resume.placing import Placing
from schemas.manifest import Manifest, PlaceWindows, count
from schemas.registry.contract import load_contract, subject_for
from schemas.registry.gate import Registry

EVENTS = 3_000
FAULTS = ("duplicate=20", "dropped=7", "tombstone=9", "undecodable=12", "late=5", "out_of_order=5", "clock_skew=3600")


@pytest.fixture
def ready_topic(connection: Connection, topic_name: Callable[[str], str]) -> Callable[..., str]:
    """A function that makes a topic with a configuration, and registers version 1 of the contract."""

    def make(config: dict[str, str] | None = None) -> str:
        topic = topic_name("placed")
        data, control = specs_for(topic)
        changed = TopicSpec(**{**_fields(data), "config": {**data.config, **(config or {})}})
        apply_topics(admin_client(connection.kafka), [changed, control])
        with Registry(connection.registry) as registry:
            registry.register(subject_for(topic), load_contract("customer_events").version(1).text)
        return topic

    return make


def _fields(spec: TopicSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__}


def messages(connection: Connection, topic: str) -> list[Message]:
    with TopicReader(connection.kafka, topic) as reader:
        bounds = reader.watermarks(range(reader.identify().partitions))
        starts, ends = ({p: marks[place] for p, marks in bounds.items()} for place in (0, 1))
        reader.assign(starts, ends)
        return list(reader.messages())


def seen(found: list[Message]) -> PlaceWindows:
    placing = Placing()
    for message in found:
        placing.note(message)
    return placing.windows()


def run(connection: Connection, topic: str, **more: Any) -> Manifest:
    return produce_shard(connection, ProduceRequest(topic=topic, run_id="placed", **more), stop=threading.Event())


def test_the_places_that_reports_tell_are_those_that_a_reader_finds(connection, ready_topic):
    topic = ready_topic()
    manifest = run(connection, topic, events=EVENTS)
    found = messages(connection, topic)

    assert manifest.placed == seen(found)
    assert sum(records for _, _, records, _ in manifest.placed.windows) == EVENTS
    assert {partition for partition, *_ in manifest.placed.windows} == {0, 1, 2}


def test_a_topic_that_stamps_records_itself_has_its_own_times_in_the_witness(connection, ready_topic):
    topic = ready_topic({"message.timestamp.type": "LogAppendTime"})
    manifest = run(connection, topic, events=EVENTS)
    found = messages(connection, topic)

    assert {message.timestamp()[0] for message in found} == {TIMESTAMP_LOG_APPEND_TIME}
    assert manifest.placed == seen(found)


def test_copies_tombstones_and_a_wrong_clock_are_in_the_witness_as_the_topic_has_them(connection, ready_topic):
    topic = ready_topic()
    manifest = run(connection, topic, events=EVENTS, faults=FAULTS)
    found = messages(connection, topic)

    assert manifest.injected["duplicate"] > 0
    assert len(found) == EVENTS - manifest.dropped + manifest.injected["duplicate"]
    assert manifest.placed == seen(found)


def test_a_run_that_is_continued_takes_over_the_places_of_what_landed(connection, ready_topic, stop_at):
    topic = ready_topic()
    early = stop_at(EVENTS // 3, total=EVENTS)
    request = ProduceRequest(topic=topic, run_id="placed", events=EVENTS, rate=2_000.0)
    with pytest.raises(Interrupted):
        produce_shard(connection, request, stop=early.stop, progress=early)
    before = len(messages(connection, topic))
    manifest = produce_shard(connection, request, stop=threading.Event())

    assert 0 < before < EVENTS
    assert (manifest.resumed, count(manifest.unknown)) == (1, 0)
    assert manifest.placed == seen(messages(connection, topic))
