"""`kill -9` in the middle of a load shape: the same command goes on, and the warehouse ends with each event once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cluster.connection import Connection
from consumer.load.load import load
from consumer.proof.audit import audit
from producer.resume.earlier import read_manifest
from producer.resume.resume import Landed
from producer.scenarios import find_scenario
from producer.send.supply import Supply
from producer.shapes import parse
from schemas.formats.avro.codec import Encoder
from schemas.manifest import Manifest
from schemas.registry.contract import load_contract
from tests.kit.commands import command_line
from tests.kit.depth import SHAPE_KILLS
from tests.kit.kafka import read_topic, sequence_of, topic_ends
from tests.kit.waiting import wait_until

SHAPE = "ramp(500, 3000, 3s) + constant(3000, 2s)"
PLANNED = parse(SHAPE).schedule(seed=4).planned or 0
STALL_S = 0.5


def command(connection: Connection, topic: str, catch_up: str) -> list[str]:
    return [
        *command_line("produce", "customer_events", "--topic", topic, "--json"),
        *("--shape", SHAPE, "--catch-up", catch_up, "--run-id", "killed", "--seed", "4"),
        *("--bootstrap-servers", connection.kafka.bootstrap_servers, "--registry-url", connection.registry.url),
    ]


def at_once(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    return {"timeout_s": 60, "poll_s": 0.005, "while_runs": process}


def stall(process: subprocess.Popen[bytes]) -> None:
    """Hold a process up for longer than what `skip` lets pass."""
    process.send_signal(signal.SIGSTOP)
    time.sleep(STALL_S)
    process.send_signal(signal.SIGCONT)


def values_in(connection: Connection, topic: str) -> dict[int, bytes]:
    """Return the value of each event in the topic; an event that is there twice fails."""
    found: dict[int, bytes] = {}
    for message in read_topic(connection, topic):
        value = message.value()
        assert isinstance(value, bytes)
        assert sequence_of(value) not in found, "an event is in the topic twice"
        found[sequence_of(value)] = value
    return found


def values_of_an_unkilled_run(manifest: Manifest) -> dict[int, bytes]:
    """Return what one attempt with the settings of the manifest sends."""
    scenario = find_scenario(manifest.scenario)
    stream = scenario.open(manifest.seed, manifest.shard, manifest.settings)
    encoder = Encoder(load_contract("customer_events").version(1).text, manifest.schema_used.id)
    supply = Supply(
        stream,
        encoder,
        run_id=manifest.run_id,
        shard=manifest.shard,
        key=scenario.key,
        end=manifest.next_sequence,
        landed=Landed.nothing(),
    )
    with supply:
        return {
            int(sequence): value for part in supply for sequence, value in zip(part.sequences, part.values, strict=True)
        }


@pytest.mark.parametrize("catch_up", ["report", "skip"])
def test_a_shape_that_is_killed_again_and_again_ends_with_each_event_once(
    connection: Connection, ready_topic: str, tmp_path: Path, catch_up: str
) -> None:
    chance = random.Random(7)
    arguments = command(connection, ready_topic, catch_up)
    with topic_ends(connection, ready_topic) as topic:
        for _ in range(SHAPE_KILLS):
            landed = topic.count()
            with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
                for part in (0.4, 1.0):
                    enough = landed + int(part * chance.randint(1500, PLANNED // 5))
                    wait_until(lambda enough=enough: topic.count() >= enough, "the next part", **at_once(process))
                    if part < 1:
                        stall(process)
                process.kill()
                process.communicate(timeout=10)
            assert 0 < len(values_in(connection, ready_topic)) < PLANNED
        left = topic.count()
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_until(lambda: topic.count() >= left + 1000, "a thousand more", **at_once(process))
            stall(process)
            stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr

    manifest = read_manifest(connection.kafka, ready_topic, "killed", 0)
    assert manifest is not None
    assert (manifest.failed, manifest.unknown, manifest.interrupted, manifest.resumed) == ([], [], False, SHAPE_KILLS)
    assert manifest.acknowledged == manifest.next_sequence == json.loads(stdout)["acknowledged"]
    # Whatever a killed attempt skipped, its slots were used again: nothing of the plan is unaccounted for.
    assert manifest.acknowledged + manifest.skipped == PLANNED
    assert (manifest.skipped > 0) == (catch_up == "skip")

    found = values_in(connection, ready_topic)
    assert sorted(found) == list(range(manifest.acknowledged))
    assert found == values_of_an_unkilled_run(manifest)

    told = sum(window.achieved for window in manifest.rate_windows)
    (gap,) = manifest.rate_gaps
    assert told + gap.events == manifest.acknowledged
    assert (gap.second, gap.events) == (0, left)
    assert gap.seconds >= 1
    assert manifest.rate_windows[0].second == gap.seconds

    warehouse = tmp_path / "warehouse.duckdb"
    assert load(connection, ready_topic, warehouse, stop=threading.Event()).rows == manifest.acknowledged
    result = audit(connection, warehouse, ready_topic, "killed")
    assert (result.verdict, result.loaded) == ("PASSED", manifest.acknowledged)
    assert any(f"of seconds 0 to {gap.seconds - 1} are not known ({left:,} events)" in note for note in result.notes)
