"""An at-least-once consumer that was killed stores some events twice, and each of them is named."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import uuid
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from cluster.connection import Connection
from consumer.pipeline.asked import Asked
from consumer.pipeline.audit import audit_pipeline
from consumer.pipeline.stored.naming import stored_at
from producer import ProduceRequest, produce_shard
from producer.regenerate import regenerated
from schemas.registry.contract import load_contract
from tests.kit import ROOT
from tests.kit.depth import DEEP

EVENTS = 3_000
PROGRAM = ROOT / "tests" / "kit" / "at_least_once.py"


@pytest.mark.parametrize("seed", range(5 if DEEP else 1))
def test_what_a_killed_consumer_stored_twice_is_named(
    connection: Connection, ready_topic: str, tmp_path: Path, seed: int
) -> None:
    produce_shard(connection, ProduceRequest(topic=ready_topic, run_id="kills", events=EVENTS), stop=threading.Event())
    file, dice = tmp_path / "stored.jsonl", random.Random(seed)
    file.touch()
    group = uuid.uuid4().hex
    schema = load_contract("customer_events").version(1).text
    words = [connection.kafka.bootstrap_servers, ready_topic, group, str(file), schema]
    for kill in range(3):
        until = (kill + 1) * 700 + dice.randrange(100)
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *words, str(until)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "stored\n", "it ended before it stored as much"
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=10)
    subprocess.run([sys.executable, str(PROGRAM), *words], check=True, timeout=120)
    stored = Counter(line.split('"')[3] for line in lines(file))
    twice = {event: times - 1 for event, times in stored.items() if times > 1}
    assert twice, "a kill fell between a row and its offset"
    result = audit_pipeline(
        connection,
        ready_topic,
        stored_at(str(file)),
        partial(regenerated, connection=connection),
        asked=Asked(compare=True),
    )
    found = result.findings
    assert (result.verdict, found.lost, found.phantom, found.altered) == ("FAILED", 0, 0, 0)
    assert found.duplicated == sum(twice.values())
    assert {example.event_id for example in found.examples["duplicated"]} <= set(twice)
    assert found.arrived == EVENTS


def lines(file: Path) -> list[str]:
    """Return what is stored so far."""
    return file.read_text().splitlines()
