"""Reading a range of a topic once, outside any consumer group, with a bound and a deadline on silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from cluster.connection import KafkaSettings
from cluster.errors import BrokerSilent, Interrupted, TopicMissing
from cluster.kafka_errors import NO_GROUP, BrokerWatch, translate
from cluster.leaders import not_heard_of_it, while_leaders_move
from schemas.manifest import CONTROL_SUFFIX

_CALL_TIMEOUT_S = 10.0
SILENCE_S = 15.0
_BATCH = 10_000


class Reader:
    """A consumer that commits nothing, and the watch over its brokers."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.watch = BrokerWatch(kafka)
        settings = kafka.as_librdkafka(
            group_id="streamproof-reader",  # librdkafka wants one; nothing is subscribed or committed
            enable_auto_commit=False,
            enable_auto_offset_store=False,
            auto_offset_reset="error",
            enable_partition_eof=False,
            isolation_level="read_committed",
        )
        try:
            self.consumer = Consumer(settings | self.watch.settings())
        except KafkaException as error:
            raise translate(error, "opening the reader", where=kafka.bootstrap_servers) from None


@contextmanager
def open_reader(kafka: KafkaSettings) -> Iterator[Reader]:
    """Open a reader and close it."""
    reader = Reader(kafka)
    try:
        yield reader
    finally:
        reader.consumer.close()


def watermarks(reader: Reader, topic: str) -> dict[int, tuple[int, int]]:
    """Return the first offset and the end of each partition.

    :raises TopicMissing: there is no such topic.
    :raises LeaderMoving: a partition has no leader that answers.
    :raises BrokerUnreachable: no answer.
    """
    return while_leaders_move(lambda: _watermarks(reader, topic))


def _watermarks(reader: Reader, topic: str) -> dict[int, tuple[int, int]]:
    doing = f"asking for the offsets of topic {topic}"
    try:
        found = reader.consumer.list_topics(topic, timeout=_CALL_TIMEOUT_S).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)  # noqa: TRY301 - translated with the others below
    except KafkaException as error:
        failure = translate(error, doing, where=reader.watch.servers)
        if isinstance(failure, TopicMissing):
            base = topic.removesuffix(CONTROL_SUFFIX)
            raise TopicMissing(
                f"topic {topic} does not exist",
                where=reader.watch.servers,
                hint=f"Create it with `streamproof topics apply --topic {base}`",
            ) from None
        raise failure from None
    try:
        return {
            partition: reader.consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=_CALL_TIMEOUT_S, cached=False
            )
            for partition in sorted(found.partitions)
        }
    except KafkaException as error:
        raise not_heard_of_it(translate(error, doing, where=reader.watch.servers)) from None


def read_to_end(
    reader: Reader,
    topic: str,
    starts: Mapping[int, int],
    ends: Mapping[int, int],
    *,
    stop: threading.Event | None = None,
) -> Iterator[Message]:
    """Yield every record in ``[start, end)`` of each partition, in order within a partition.

    :raises Interrupted: ``stop`` was set.
    :raises BrokerSilent: the broker delivered nothing for a while before the ends.
    """
    consumer = reader.consumer
    open_partitions = {partition for partition, end in ends.items() if starts[partition] < end}
    if not open_partitions:
        return
    consumer.assign([TopicPartition(topic, partition, starts[partition]) for partition in sorted(open_partitions)])
    heard = time.monotonic()
    while open_partitions:
        if stop is not None and stop.is_set():
            raise Interrupted(
                f"stopped while reading topic {topic}, before anything was sent", hint="The same command continues"
            )
        messages = consumer.consume(_BATCH, timeout=0.2)
        reader.watch.check()
        yield from _below(ends, messages, topic)
        if messages:
            heard = time.monotonic()
        # Positions, not offsets of messages: the end may be a record that a transaction or compaction took away.
        for position in consumer.position([TopicPartition(topic, partition) for partition in open_partitions]):
            if position.offset >= ends[position.partition]:
                open_partitions.discard(position.partition)
        if time.monotonic() - heard > SILENCE_S:
            raise BrokerSilent(
                f"nothing was delivered for {SILENCE_S:g} s before the end of topic {topic}",
                where=f"partitions {sorted(open_partitions)}",
                hint="Check the broker and try again",
            )


def _below(ends: Mapping[int, int], messages: list[Message], topic: str) -> Iterator[Message]:
    """Yield the messages before the end of their partition."""
    for message in messages:
        error, partition, offset = message.error(), message.partition(), message.offset()
        if error is not None and error.code() == NO_GROUP:
            continue
        if error is not None:
            raise translate(error, f"reading topic {topic}", where=f"partition {partition}")
        if partition is not None and offset is not None and offset < ends[partition]:
            yield message
