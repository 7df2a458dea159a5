"""`kill -9` of a producing process, wherever it happens to be: the topic never holds an event twice, and then all."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from cluster.connection import Connection
from producer.resume.earlier import read_manifest
from tests.kit.commands import command_line
from tests.kit.depth import PRODUCER_KILLS
from tests.kit.kafka import TopicEnds, sequences_in, topic_ends
from tests.kit.seconds import within
from tests.kit.waiting import wait_until

EVENTS = 6_000 * PRODUCER_KILLS


def command(connection: Connection, topic: str) -> list[str]:
    return [
        *command_line("produce", "customer_events", "--topic", topic, "--json"),
        *("--events", str(EVENTS), "--rate", "7500", "--run-id", "killed", "--seed", "4"),
        *("--bootstrap-servers", connection.kafka.bootstrap_servers, "--registry-url", connection.registry.url),
    ]


def kill_when(reached: Callable[[], bool], arguments: list[str]) -> None:
    """Start a command and kill it as soon as ``reached``."""
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        wait_until(reached, "the moment of the kill", timeout_s=60, poll_s=0.005, while_runs=process)
        process.kill()
        process.communicate(timeout=10)


@pytest.fixture
def ends(connection: Connection, ready_topic: str) -> Iterator[TopicEnds]:
    with topic_ends(connection, ready_topic) as watched:
        yield watched


@pytest.mark.timeout(600)
def test_kills_at_random_moments_and_the_topic_is_right_after_each(connection, ready_topic, ends):
    chance = random.Random(20)
    landed = 0
    for number in range(PRODUCER_KILLS):
        # The first somewhere before anything is sent, the others after up to a fifth of the events more.
        until = time.monotonic() + chance.uniform(0.1, 1.0) if number == 0 else 0.0
        more = 0 if number == 0 else chance.randint(1, EVENTS // PRODUCER_KILLS)
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
    within(60, began, "the rest of the run")
    assert json.loads(ran.stdout)["acknowledged"] == EVENTS
    assert sequences_in(connection, ready_topic) == {0: list(range(EVENTS))}
    manifest = read_manifest(connection.kafka, ready_topic, "killed", 0)
    assert manifest is not None
    assert (manifest.failed, manifest.unknown, manifest.interrupted) == ([], [], False)
    assert PRODUCER_KILLS - 1 <= manifest.resumed <= PRODUCER_KILLS
