"""What the fault tests of `produce` share: a ready topic, and an independent reading of what is in it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from cluster.connection import Connection
from cluster.topics import admin_client, apply_topics, specs_for
from producer.resume import sequence_of
from schemas.contract import load_contract, subject_for
from schemas.identity import read_event_id
from schemas.registry import Registry

ReadTopic = Callable[[Connection, str], dict[int, list[int]]]
MakeReady = Callable[[Connection, str], None]


@pytest.fixture(scope="session")
def make_ready() -> MakeReady:
    """A function that makes a topic with its control topic, and registers version 1 of the contract."""

    def make(connection: Connection, topic: str) -> None:
        apply_topics(admin_client(connection.kafka), specs_for(topic))
        with Registry(connection.registry) as registry:
            registry.register(subject_for(topic), load_contract("customer_events").version(1).text)

    return make


@pytest.fixture
def ready_topic(connection: Connection, topic_name: Callable[[str], str], make_ready: MakeReady) -> str:
    """A topic of the session's stack that a run can be sent to."""
    topic = topic_name("faults")
    make_ready(connection, topic)
    return topic


@pytest.fixture(scope="session")
def sequences_in() -> ReadTopic:
    """A function that reads a whole topic and returns the sequences of each shard, sorted, repetitions included."""

    def read(connection: Connection, topic: str) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        consumer = Consumer(connection.kafka.as_librdkafka(group_id="witness", auto_offset_reset="earliest"))
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in partitions}
            consumer.assign([TopicPartition(topic, p, 0) for p in ends])
            read, deadline = 0, time.monotonic() + 60
            while read < sum(ends.values()):
                assert time.monotonic() < deadline, f"{read} of {sum(ends.values())} records"
                for message in consumer.consume(5000, timeout=1):
                    if message.error():
                        raise KafkaException(message.error())
                    value = message.value()
                    found.setdefault(read_event_id(value[6:42].decode()).shard, []).append(sequence_of(value))
                    read += 1
        finally:
            consumer.close()
        return {shard: sorted(sequences) for shard, sequences in found.items()}

    return read
