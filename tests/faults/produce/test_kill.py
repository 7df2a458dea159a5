"""`kill -9` of a producing process, wherever it happens to be: the topic never holds an event twice, and then all."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable

from confluent_kafka import Consumer, TopicPartition

from cluster.connection import Connection
from producer.manifest import read_manifest

EVENTS = 60_000
KILLS = 5


def command(connection: Connection, topic: str) -> list[str]:
    return [
        *(sys.executable, "-m", "streamproof", "produce", "customer_events", "--topic", topic, "--json"),
        *("--events", str(EVENTS), "--rate", "15000", "--run-id", "killed", "--seed", "4"),
        *("--bootstrap-servers", connection.kafka.bootstrap_servers, "--registry-url", connection.registry.url),
    ]


class Ends:
    """Watches how many records a topic has."""

    def __init__(self, connection: Connection, topic: str) -> None:
        self._consumer = Consumer(connection.kafka.as_librdkafka(group_id="ends"))
        self._partitions = [TopicPartition(topic, partition) for partition in range(3)]

    def count(self) -> int:
        return sum(self._consumer.get_watermark_offsets(each, timeout=10)[1] for each in self._partitions)

    def close(self) -> None:
        self._consumer.close()


def kill_when(reached: Callable[[], bool], arguments: list[str]) -> None:
    """Start a command and kill it as soon as ``reached``."""
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not reached():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
        process.kill()
        process.communicate(timeout=10)


def test_five_kills_at_random_moments_and_the_topic_is_right_after_each(connection, ready_topic, sequences_in, request):
    chance = random.Random(20)
    ends = Ends(connection, ready_topic)
    request.addfinalizer(ends.close)
    landed = 0
    for number in range(KILLS):
        # The first somewhere before anything is sent, the others after up to a fifth of the events more.
        until = time.monotonic() + chance.uniform(0.1, 1.0) if number == 0 else 0.0
        more = 0 if number == 0 else chance.randint(1, EVENTS // KILLS)
        kill_when(
            lambda until=until, enough=landed + more: time.monotonic() >= until and ends.count() >= enough,
            command(connection, ready_topic),
        )
        found = sequences_in(connection, ready_topic).get(0, [])
        assert len(found) == len(set(found)), "an event is in the topic twice"
        assert landed + more <= len(found) < EVENTS
        landed = len(found)

    began = time.monotonic()
    ran = subprocess.run(command(connection, ready_topic), capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert time.monotonic() - began < 60
    assert json.loads(ran.stdout)["acknowledged"] == EVENTS
    assert sequences_in(connection, ready_topic) == {0: list(range(EVENTS))}
    manifest = read_manifest(connection.kafka, ready_topic, "killed", 0)
    assert manifest is not None
    assert (manifest.failed, manifest.unknown, manifest.interrupted) == ([], [], False)
    assert KILLS - 1 <= manifest.resumed <= KILLS
