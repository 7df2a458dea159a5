"""Looking at a topic with a plain client: how much is in it, and what."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from cluster.connection import Connection
from cluster.errors import BrokerUnreachable, TopicMissing
from cluster.topics import admin_client, describe
from schemas.formats import identity
from schemas.identity import read_event_id, sequence_in

READ_TIMEOUT_S = 60.0


class TopicEnds:
    """Watches how many records a topic has, markers of transactions included."""

    def __init__(self, topic: str, consumer: Consumer) -> None:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._consumer, self._partitions = consumer, [TopicPartition(topic, number) for number in partitions]

    def count(self) -> int:
        """Return the sum of the ends of its partitions."""
        return sum(self._consumer.get_watermark_offsets(each, timeout=10)[1] for each in self._partitions)


@contextmanager
def topic_ends(connection: Connection, topic: str, *, isolation_level: str = "read_committed") -> Iterator[TopicEnds]:
    """Watch the ends of a topic: where committed records end, unless all are asked for."""
    consumer = Consumer(connection.kafka.as_librdkafka(group_id="ends", isolation_level=isolation_level))
    try:
        yield TopicEnds(topic, consumer)
    finally:
        consumer.close()


def read_topic(connection: Connection, topic: str) -> list[Message]:
    """Read all records of a topic, in the order of each partition."""
    options = {"group_id": "witness", "enable_auto_commit": False, "enable_partition_eof": True}
    consumer = Consumer(connection.kafka.as_librdkafka(**options))
    found: list[Message] = []
    try:
        left = set(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in left])
        deadline = time.monotonic() + READ_TIMEOUT_S
        while left:
            assert time.monotonic() < deadline, f"{len(found)} records of {topic}, and partitions {left} go on"
            for message in consumer.consume(5000, timeout=1):
                error = message.error()
                if error is None:
                    found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()
    return found


def sequence_of(value: bytes) -> int:
    """Return the sequence of an event from its value, which is one of ours."""
    return sequence_in(identity(value))


def sequences_in(connection: Connection, topic: str) -> dict[int, list[int]]:
    """Read a whole topic and return the sequences of each shard, sorted, repetitions included."""
    found: dict[int, list[int]] = {}
    for message in read_topic(connection, topic):
        value = message.value()
        assert isinstance(value, bytes)
        found.setdefault(read_event_id(identity(value).decode()).shard, []).append(sequence_of(value))
    return {shard: sorted(sequences) for shard, sequences in found.items()}


def is_gone(connection: Connection, topic: str) -> bool:
    """Tell whether the broker does not know a topic any more."""
    try:
        describe(admin_client(connection.kafka), topic)
    except TopicMissing:
        return True
    return False


def answers(connection: Connection, topic: str) -> bool:
    """Tell whether the broker of a topic answers. After a freeze it may have to register with its controller again."""
    try:
        describe(admin_client(connection.kafka), topic)
    except BrokerUnreachable:
        return False
    return True
