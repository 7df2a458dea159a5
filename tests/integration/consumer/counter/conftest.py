"""Topics to count, and a count of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from cluster.connection import Connection
from consumer.counter.bounds import Every, Until
from consumer.counter.count import Counting, count
from consumer.counter.examine import Examination, examine
from consumer.counter.result import CountResult
from tests.kit.filled_topic import FilledTopic, fill_topic
from tests.kit.kafka import read_topic


@dataclass
class Counted:
    """A topic of a test's own, and the topic of its totals."""

    topic: FilledTopic
    output: FilledTopic
    by: str = "eventName"
    stop: threading.Event = field(default_factory=threading.Event)

    def send(self, *names: Any, partition: int = 0) -> None:
        """Write an event for each name."""
        self.topic.send([json.dumps({"eventName": name, "n": 1}).encode() for name in names], partition=partition)

    def count(self, **asked: Any) -> CountResult:
        """Count what is there."""
        wanted = {"topic": self.topic.name, "by": self.by, "to": self.output.name, "until": Until(end=True)} | asked
        counting = Counting(**wanted)
        return count(self.topic.connection, counting, stop=self.stop)

    def each(self, text: str = "event", **how: Any) -> Every:
        """Return when totals are published."""
        return Every.parse(text, **how)

    def outputs(self) -> list[dict[str, Any]]:
        """Return the outputs as anybody reads them."""
        return [json.loads(message.value()) for message in read_topic(self.topic.connection, self.output.name)]

    def examine(self) -> Examination:
        """Prove the outputs."""
        by = self.by
        return examine(self.topic.connection, self.topic.name, self.output.name, by=by, stop=threading.Event())

    def words(self, *more: object) -> list[object]:
        """Return the command that counts it."""
        return ["count", self.topic.name, "--by", self.by, "--to", self.output.name, *more]


@pytest.fixture
def counted(connection: Connection, topic_name: Callable[[str], str]) -> Callable[..., Counted]:
    """A factory of topics to count: ``counted(partitions=3)``."""

    def make(partitions: int = 3, by: str = "eventName", **output: str) -> Counted:
        topic = fill_topic(connection, topic_name("events"), partitions)
        return Counted(topic, fill_topic(connection, topic_name("totals"), **output), by)

    return make
