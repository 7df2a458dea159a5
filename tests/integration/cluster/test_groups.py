"""Groups on a real broker: who has what, who is idle, how far behind, and nothing made up."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from cluster.connection import Connection, KafkaSettings
from cluster.errors import BrokerUnreachable, DependencyDown
from cluster.groups.sight import GroupSeen, handover_s, look_at_groups
from cluster.topics import TopicSpec, admin_client, apply_topics
from tests.kit.waiting import wait_until

PARTITIONS = 3
PROTOCOLS = {
    "consumer": {"group_protocol": "consumer"},
    "classic": {"group_protocol": "classic", "partition_assignment_strategy": "cooperative-sticky"},
}


@pytest.fixture
def topic(connection: Connection, topic_name: Callable[[str], str]) -> str:
    """A topic of three partitions, the first two of which hold five records and one."""
    name = topic_name("grouped")
    apply_topics(admin_client(connection.kafka), [TopicSpec(name, PARTITIONS, 1, {})])
    producer = Producer(connection.kafka.as_librdkafka())
    for partition in (0, 0, 0, 0, 0, 1):
        producer.produce(name, b"x", partition=partition)
    assert producer.flush(20) == 0
    return name


@contextmanager
def member(
    connection: Connection, topic: str, group: str, protocol: str, name: str
) -> Iterator[queue.SimpleQueue[TopicPartition]]:
    """A consumer that is in a group, and polls, until it leaves. It commits what is put into its queue."""
    settings = {"group_id": group, "client_id": name, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    consumer = Consumer(connection.kafka.as_librdkafka(**settings, **PROTOCOLS[protocol]))
    consumer.subscribe([topic])
    leave, to_commit = threading.Event(), queue.SimpleQueue[TopicPartition]()

    def poll() -> None:  # in one thread: a commit waits for a poll of another for ever
        while not leave.is_set():
            consumer.poll(0.05)
            with suppress(queue.Empty):
                consumer.commit(offsets=[to_commit.get_nowait()], asynchronous=False)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield to_commit
    finally:
        leave.set()
        thread.join()
        consumer.close()


def seen(connection: Connection, topic: str, group: str) -> GroupSeen | None:
    """Return the group among those that read the topic."""
    found = look_at_groups(admin_client(connection.kafka), topic, PARTITIONS)
    return next((each for each in found.groups if each.group == group), None)


def settled(connection: Connection, topic: str, group: str, members: int) -> GroupSeen:
    """Wait until every partition is with somebody, and return the group."""

    def is_settled() -> GroupSeen | None:
        try:
            found = seen(connection, topic, group)
        except DependencyDown:  # the first group of a broker has it make its own topic, and read it
            return None
        if found is None or found.state != "stable" or len(found.members or ()) != members:
            return None
        owned = sorted(p for each in found.members or () for p in each.owned)
        return found if owned == list(range(PARTITIONS)) and not any(each.moving for each in found.members) else None

    return wait_until(is_settled, f"{members} members with all partitions", timeout_s=60)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_member_beyond_the_partitions_is_idle_and_said_to_be(connection, topic, protocol):
    group = f"{topic}-group"
    with ExitStack() as members:
        for name in "abcd":
            members.enter_context(member(connection, topic, group, protocol, name))
        found = settled(connection, topic, group, members=4)
        assert found.protocol == protocol
        assert [each.client_id for each in found.members] == list("abcd")
        assert sorted(len(each.owned) for each in found.members) == [0, 1, 1, 1]
        assert [each.idle for each in found.members] == [not each.owned for each in found.members]
        assert found.idle == 1
        if protocol == "consumer":
            assert [each.target for each in found.members] == [each.owned for each in found.members]
            assert found.handover_s == handover_s(admin_client(connection.kafka), group) == 5.5
        else:
            assert {each.target for each in found.members} == {None}
            assert found.handover_s is None


def test_lag_is_what_was_not_told_as_read_and_unknown_where_nothing_was(connection, topic):
    group = f"{topic}-group"
    with member(connection, topic, group, "consumer", "only") as to_commit:
        settled(connection, topic, group, members=1)
        to_commit.put(TopicPartition(topic, 0, 2))
        wait_until(lambda: seen(connection, topic, group).committed, "the first offset")
        found = seen(connection, topic, group)
        assert (found.committed, found.lags, found.lag) == ({0: 2}, {0: 3, 1: None, 2: 0}, None)
        to_commit.put(TopicPartition(topic, 1, 1))
        wait_until(lambda: seen(connection, topic, group).lag == 3, "the second offset")
    left = seen(connection, topic, group)
    assert (left.state, left.members, left.lag) == ("empty", (), 3)


def test_a_group_that_reads_something_else_is_not_among_them(connection, topic, topic_name):
    other = topic_name("other")
    apply_topics(admin_client(connection.kafka), [TopicSpec(other, PARTITIONS, 1, {})])
    group = f"{other}-group"
    with member(connection, other, group, "consumer", "only"):
        settled(connection, other, group, members=1)
        assert seen(connection, topic, group) is None
    (asked,) = look_at_groups(admin_client(connection.kafka), topic, PARTITIONS, only=[group]).groups
    assert (asked.committed, asked.lag) == ({}, None)


def test_a_broker_that_is_not_there_is_no_topic_without_groups():
    admin = admin_client(KafkaSettings(bootstrap_servers="127.0.0.1:1"))
    with pytest.raises(BrokerUnreachable):
        look_at_groups(admin, "any", PARTITIONS)
