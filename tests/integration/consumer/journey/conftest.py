"""Groups on a real broker and a real PostgreSQL: members as threads, or as the processes that the command starts."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer

from cluster.connection import Connection
from cluster.topics import TopicSpec, admin_client, apply_topics, describe
from consumer.journey.events import Application
from consumer.journey.instance import run_instance
from consumer.journey.request import ConsumeRequest, GroupWork, InstanceState
from consumer.journey.store import Subscription
from consumer.journey.store.naming import store_at
from schemas.formats import WrittenSchema
from tests.kit.waiting import wait_until

PARTITIONS = 3
USERS = 20
TYPES = ("PageViewed", "VideoPlayed", "UrlClicked")
CONTRACT = WrittenSchema(
    json.dumps(
        {
            "type": "record",
            "name": "Step",
            "fields": [
                {"name": "event_id", "type": "string"},
                {"name": "user_id", "type": ["null", "string"]},
                {"name": "event_type", "type": "string"},
                {"name": "number", "type": "int"},
            ],
        }
    ),
    "plain-json",
)


@dataclass
class Sent:
    """A topic, and what was sent to it."""

    connection: Connection
    topic: str
    events: list[dict[str, Any]] = field(default_factory=list)
    _producer: Producer | None = None

    def send(self, count: int) -> None:
        """Send so many more events, in turn of each user, and wait for the broker."""
        producer = self._producer = self._producer or Producer(self.connection.kafka.as_librdkafka(linger_ms=1))
        for number in range(len(self.events), len(self.events) + count):
            event = {
                "event_id": f"event-{number}",
                "user_id": f"user-{number % USERS}",
                "event_type": TYPES[number % len(TYPES)],
                "number": number,
            }
            producer.produce(self.topic, json.dumps(event).encode(), key=event["user_id"])
            producer.poll(0)
            self.events.append(event)
        assert producer.flush(30) == 0

    def send_raw(self, value: bytes | None, partition: int = 0) -> None:
        """Send a value as it is."""
        producer = Producer(self.connection.kafka.as_librdkafka())
        producer.produce(self.topic, value, key="raw", partition=partition)
        assert producer.flush(30) == 0

    @contextmanager
    def sending(self, count: int, every_s: float = 0.05) -> Iterator[None]:
        """Send ten events at a time in the background while something else happens, and then the rest."""
        over = threading.Event()

        def send() -> None:
            for _ in range(count // 10):
                self.send(10)
                over.wait(every_s)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @property
    def videos(self) -> dict[str, int]:
        """Return how many videos each user played."""
        return dict(Counter(event["user_id"] for event in self.events if event["event_type"] == "VideoPlayed"))


@dataclass
class Member:
    """An instance as a thread of this process."""

    stop: threading.Event
    thread: threading.Thread
    said: list[InstanceState]
    ended: list[InstanceState | BaseException] = field(default_factory=list)

    @property
    def owned(self) -> tuple[int, ...]:
        """Return the partitions that it last said it has."""
        return self.said[-1].owned if self.said else ()

    def begin(self) -> None:
        """Let it join."""
        self.thread.start()

    def leave(self) -> InstanceState:
        """Stop it, and return what it said last."""
        self.stop.set()
        self.thread.join(30)
        (end,) = self.ended
        if isinstance(end, BaseException):
            raise end
        return end


@dataclass(frozen=True)
class Group:
    """A group over what was sent, in a database."""

    sent: Sent
    url: str
    request: ConsumeRequest

    def with_(self, **changes: Any) -> Group:
        """Return another group."""
        return replace(self, request=replace(self.request, **changes))

    def work(self) -> GroupWork:
        """Return what an instance is told, its subscription being noted."""
        request = self.request
        topic = describe(admin_client(self.sent.connection.kafka), request.topic)
        subscription = Subscription(request.application, request.group, request.fields, topic)
        request.store.prepare(subscription, recreated=request.recreated)
        return GroupWork(self.sent.connection, request, subscription)

    @contextmanager
    def member(self, number: int, *, begun: bool = True) -> Iterator[Member]:
        """Let an instance work until it is left; it joins at once, or when it is told to."""
        work, stop = self.work(), threading.Event()
        said: list[InstanceState] = []
        ended: list[InstanceState | BaseException] = []

        def run() -> None:
            try:
                ended.append(run_instance(work, number, stop, said.append))
            except BaseException as error:  # noqa: BLE001 - told to the test
                ended.append(error)

        member = Member(stop, threading.Thread(target=run, daemon=True), said, ended)
        if begun:
            member.begin()
        try:
            yield member
        finally:
            stop.set()
            if member.thread.ident is not None:
                member.thread.join(30)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the store."""
        with psycopg.connect(self.url, options="-c search_path=streamproof_groups") as connection:
            return connection.execute(statement, {"group": self.request.group}).fetchall()  # type: ignore[call-overload]

    def stored(self) -> int:
        """Return how many events are stored."""
        return self.query("SELECT count(*) FROM journeys WHERE group_name = %(group)s")[0][0]

    def wait_for_all(self) -> None:
        """Wait until as many events are stored as were sent."""
        wait_until(lambda: self.stored() >= len(self.sent.events), "all events in the store", timeout_s=90, poll_s=0.1)

    def check_journeys(self) -> None:
        """Hold the store against what was sent: each event once, and those of a user in the order of sending."""
        rows = self.query(
            "SELECT event_id, user_id, (body ->> 'number')::int, body ->> 'event_type' FROM journeys "
            "WHERE group_name = %(group)s ORDER BY user_id, step"
        )
        assert len(rows) == len(self.sent.events)
        assert {row[0] for row in rows} == {event["event_id"] for event in self.sent.events}
        for user in {event["user_id"] for event in self.sent.events}:
            there = [row[2] for row in rows if row[1] == user]
            assert there == [event["number"] for event in self.sent.events if event["user_id"] == user]
        positions = self.query(
            "SELECT sum(events), sum(next_offset - first_offset - aside - tombstones) FROM positions "
            "JOIN subscriptions USING (subscription) WHERE group_name = %(group)s"
        )
        assert positions == [(len(rows), len(rows))]

    def totals(self) -> dict[str, int]:
        """Return what Analytic keeps."""
        return dict(self.query("SELECT user_id, events FROM totals WHERE group_name = %(group)s"))


@pytest.fixture
def sent(connection: Connection, topic_name: Callable[[str], str]) -> Sent:
    """A topic of three partitions with nothing in it."""
    topic = topic_name("journey")
    apply_topics(admin_client(connection.kafka), [TopicSpec(topic, PARTITIONS, 1, {})])
    return Sent(connection, topic)


@pytest.fixture
def group(sent: Sent, postgres: Any) -> Group:
    """A Journey group of one instance, in a database of its own."""
    url = postgres.database()
    request = ConsumeRequest(
        Application.JOURNEY,
        sent.topic,
        store_at(url),
        f"{sent.topic}-journey",
        batch_rows=200,
        commit_ms=50,
        plain=CONTRACT,
    )
    return Group(sent, url, request)


@pytest.fixture
def duckdb_file(tmp_path: Path) -> Path:
    """Where a store in a file goes."""
    return tmp_path / "kept" / "journey.duckdb"


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """The contract of the events, as a file."""
    path = tmp_path / "step.avsc"
    path.write_text(CONTRACT.text)
    return path
