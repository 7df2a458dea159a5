"""`kill -9` of a producing process, wherever it happens to be: the topic never holds an event twice, and then all."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time

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


def test_five_kills_at_random_moments_and_the_topic_is_right_after_each(connection, ready_topic, sequences_in):
    chance = random.Random(20)
    landed = 0
    for _ in range(KILLS):
        # From before the first manifest to the middle of sending: a start takes a second or two.
        after_s = chance.uniform(0.2, 3.5)
        with subprocess.Popen(
            command(connection, ready_topic), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            try:
                process.wait(timeout=after_s)
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate(timeout=10)
        found = sequences_in(connection, ready_topic).get(0, [])
        assert len(found) == len(set(found)), "an event is in the topic twice"
        assert landed <= len(found) <= EVENTS
        landed = len(found)
    assert 0 < landed < EVENTS, "the kills missed the sending; the test proves nothing"

    began = time.monotonic()
    ran = subprocess.run(command(connection, ready_topic), capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert time.monotonic() - began < 30
    assert json.loads(ran.stdout)["acknowledged"] == EVENTS
    assert sequences_in(connection, ready_topic) == {0: list(range(EVENTS))}
    manifest = read_manifest(connection.kafka, ready_topic, "killed", 0)
    assert manifest is not None
    assert (manifest.failed, manifest.unknown, manifest.interrupted) == ([], [], False)
    assert 1 <= manifest.resumed <= KILLS
