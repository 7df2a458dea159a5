"""Following a topic: every record once, in order, over offsets that hold none, for as long as one wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

import pytest
from confluent_kafka import Producer

from cluster.connection import Connection, KafkaSettings
from cluster.errors import BrokerUnreachable, TopicRecreated
from cluster.reading import TopicFollower
from cluster.topics import admin_client, apply_topics, specs_for
from tests.kit.waiting import wait_until

NEVER = threading.Event()


class Followed:
    """What a follower handed on: values and covered offsets, by partition."""

    def __init__(self, follower: TopicFollower, positions: Mapping[int, int]) -> None:
        self.follower = follower
        self.values: dict[int, list[bytes | None]] = {partition: [] for partition in positions}
        self.reached = dict(positions)

    def take(self, max_rows: int = 100) -> int:
        """Take what comes in a moment, and return how many records it was."""
        records, spans = self.follower.fetch(max_rows, NEVER, wait_s=0.2)
        for partition, value in zip(records.partitions.tolist(), records.values, strict=True):
            self.values[partition].append(value)
        for span in spans:
            assert self.reached[span.partition] == span.start
            self.reached[span.partition] = span.end
        return len(records)


@pytest.fixture
def topic(connection: Connection, topic_name) -> str:
    """A topic of three partitions."""
    name = topic_name("followed")
    apply_topics(admin_client(connection.kafka), specs_for(name))
    return name


@pytest.fixture
def follower(connection: Connection, topic: str) -> Iterator[TopicFollower]:
    """A follower of the topic, from the beginning."""
    with TopicFollower(connection.kafka, topic) as opened:
        opened.assign({0: 0, 1: 0, 2: 0})
        yield opened


def send(connection: Connection, topic: str, texts: list[str], partition: int, **settings: object) -> None:
    """Send texts to a partition, in a transaction if an id is given."""
    producer = Producer(connection.kafka.as_librdkafka() | settings)
    if settings:
        producer.init_transactions(30)
        producer.begin_transaction()
    for text in texts:
        producer.produce(topic, text.encode(), partition=partition)
    assert producer.flush(30) == 0
    if settings:
        producer.commit_transaction(30)


def numbered(count: int, begin: int = 0) -> list[str]:
    """Return texts that count."""
    return [str(number) for number in range(begin, begin + count)]


def test_records_come_once_and_in_order_while_others_are_sent(connection, topic, follower):
    seen = Followed(follower, {0: 0, 1: 0, 2: 0})
    for round_ in range(3):
        for partition in range(3):
            send(connection, topic, numbered(70, round_ * 70), partition)
        wait_until(lambda: seen.take() == 0 and set(seen.reached.values()) == {(round_ + 1) * 70}, "all of it")  # noqa: B023
    expected = [text.encode() for text in numbered(210)]
    assert seen.values == {0: expected, 1: expected, 2: expected}
    assert follower.positions == {0: 210, 1: 210, 2: 210}
    assert follower.lag == {0: 0, 1: 0, 2: 0}


def test_offsets_without_a_record_are_covered_too(connection, topic, follower):
    send(connection, topic, ["a", "b"], 1, **{"transactional.id": topic})
    seen = Followed(follower, {0: 0, 1: 0, 2: 0})
    wait_until(lambda: seen.take() == 0 and seen.reached[1] == 3, "the marker behind the transaction")
    assert seen.values[1] == [b"a", b"b"]


def test_a_fetch_is_over_when_it_has_enough_or_its_time_is_up(connection, topic, follower):
    send(connection, topic, numbered(50), 0)
    seen = Followed(follower, {0: 0, 1: 0, 2: 0})
    wait_until(lambda: seen.take(max_rows=7) == 7, "seven records")
    began = time.monotonic()
    stop = threading.Event()
    stop.set()
    assert follower.fetch(100, stop, wait_s=30)[1] == []
    assert time.monotonic() - began < 10


def test_an_assignment_can_be_replaced(connection, topic, follower):
    send(connection, topic, numbered(5), 0)
    send(connection, topic, numbered(5), 2)
    follower.assign({2: 3})
    seen = Followed(follower, {2: 3})
    wait_until(lambda: seen.take() == 0 and seen.reached == {2: 5}, "the rest of partition 2")
    assert seen.values == {2: [b"3", b"4"]}


def test_a_position_that_is_gone_is_an_error_not_a_gap(connection, topic, follower):
    send(connection, topic, numbered(5), 0)
    follower.assign({0: 900})
    with pytest.raises(TopicRecreated, match="records were deleted"):
        wait_until(lambda: follower.fetch(10, NEVER) is None, "an error")


def test_brokers_that_stay_away_end_it_in_words():
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    with TopicFollower(settings, "nowhere", patience_s=1.0) as follower:
        follower.assign({0: 0})
        with pytest.raises(BrokerUnreachable, match="no broker answered while following the topic"):
            wait_until(lambda: follower.fetch(10, NEVER) is None, "an error")
