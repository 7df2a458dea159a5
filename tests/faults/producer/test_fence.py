"""One shard on two machines: whoever took it last sends it, the other ends, and no event is in the topic twice.

A machine is a name and folders of its own here: nothing on a disk and no name of the kernel is shared between the two.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster.connection import Connection
from cluster.transactions import Transactions
from producer.emit import produce_shard
from producer.fence.fence import LEASE_S
from producer.fence.waiting import MARGIN_S
from producer.plan.request import ProduceRequest
from producer.resume.earlier import read_manifest
from producer.send.delivery import BATCH_BYTES
from tests.kit.commands import command_line, streamproof
from tests.kit.depth import TAKEOVERS
from tests.kit.freezing import freeze_process
from tests.kit.kafka import TopicEnds, sequences_in, topic_ends
from tests.kit.waiting import wait_until

RUN = "moved"
EVENTS = 80_000
DELIVERY_TIMEOUT_S = 2.0
# As fast as possible; twenty seconds of it, in which another process begins however busy the machine is; and six.
SLOWLY, BRIEFLY = 40_000, 30_000
RATES = {SLOWLY: 2_000, BRIEFLY: 5_000}
# Five requests, as many as a client has on their way to a broker, and more than half as many events as fit into one of
# each: those of customer_events have some 480 bytes.
BEGUN = 5 * BATCH_BYTES // 400
UNTOLD = "did not give it back"
TOLD = "the other process has stopped"
# The renewal that is held up, for longer than the lease and than a broker takes to look for transactions that are over.
HELD_CALL, HELD_S = 3, 22
WAITS_S = LEASE_S + DELIVERY_TIMEOUT_S + MARGIN_S


@pytest.fixture
def ends(connection: Connection, ready_topic: str) -> Iterator[TopicEnds]:
    with topic_ends(connection, ready_topic) as watched:
        yield watched


@pytest.fixture
def machine(connection: Connection, ready_topic: str, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the command of the shard on a machine: ``machine("a")``, ``machine("a", SLOWLY)``."""

    def start(name: str, events: int = EVENTS) -> subprocess.Popen[str]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        words = command_line("produce", "customer_events", "--topic", ready_topic, "--json", "--run-id", RUN)
        words += ["--events", str(events), "--seed", "4", "--delivery-timeout", str(DELIVERY_TIMEOUT_S)]
        words += ["--bootstrap-servers", connection.kafka.bootstrap_servers]
        words += ["--registry-url", connection.registry.url]
        words += ["--rate", str(RATES[events])] if events in RATES else []
        return subprocess.Popen(
            words,
            env=os.environ | {"STREAMPROOF_MACHINE": name, "STREAMPROOF_STATE_DIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@contextmanager
def ended_at_last(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """See to it that a process is gone, frozen or not."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def at_random(process: subprocess.Popen[str], ends: TopicEnds, chance: random.Random, most: int = EVENTS // 4) -> None:
    """Return somewhere in the middle of what a process sends."""
    enough = chance.randint(1, most)
    wait_until(lambda: ends.count() >= enough, "events", timeout_s=60, poll_s=0.002, while_runs=process)
    until = time.monotonic() + chance.uniform(0.0, 0.02)
    wait_until(lambda: time.monotonic() >= until, "the moment", timeout_s=5, poll_s=0.001)


def finished(process: subprocess.Popen[str], events: int = EVENTS) -> str:
    """Wait until a process has sent the rest; return what it said meanwhile."""
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert json.loads(out)["acknowledged"] == events
    return err


def taken_from(process: subprocess.Popen[str]) -> str:
    """Wait until a process that lost the shard has ended, and return what it said."""
    out, err = process.communicate(timeout=30)
    assert process.returncode == 75, err
    error: dict[str, str] = json.loads(out)["error"]
    assert error["kind"] == "TakenOver", error
    return error["message"]


def doubled(connection: Connection, topic: str, events: int) -> int:
    """Return how many events are in the topic twice, in the eyes of a plain client; none is missing."""
    (found,) = sequences_in(connection, topic).values()
    assert sorted(set(found)) == list(range(events))
    return len(found) - events


def audited(topic: str, warehouse: Path) -> tuple[str, int, int]:
    """Load and audit; return the verdict, and how many events the audit counts as duplicated and as lost."""
    env = {"STREAMPROOF_WAREHOUSE": str(warehouse)}
    assert streamproof("load", topic, env=env).exit_code == 0
    said = streamproof("audit", topic, "--run-id", RUN, "--json", env=env).document
    said = said.get("error", {}).get("audit", said)
    return said["verdict"], said["duplicated"], said["lost"]


def refuse_twice(connection: Connection, topic: str, warehouse: Path, events: int = EVENTS) -> None:
    """Assert that every event is in the topic once, in the eyes of a plain client and of the audit."""
    assert doubled(connection, topic, events) == 0
    assert audited(topic, warehouse) == ("PASSED", 0, 0)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(TAKEOVERS))
def test_a_frozen_process_whose_shard_was_finished_elsewhere_hands_over_nothing_when_it_wakes(
    connection: Connection, ready_topic: str, ends: TopicEnds, machine, tmp_path: Path, seed: int
) -> None:
    with ended_at_last(machine("a")) as first:
        at_random(first, ends, random.Random(seed))
        freeze_process(first.pid)
        with ended_at_last(machine("b")) as second:
            said = finished(second)
        assert (UNTOLD in said, TOLD in said) == (True, False)
        before = read_manifest(connection.kafka, ready_topic, RUN, 0)
        first.send_signal(signal.SIGCONT)
        said = taken_from(first)
    assert "another process took the shard over" in said or "stood still" in said
    assert read_manifest(connection.kafka, ready_topic, RUN, 0) == before
    # What its client had begun to write when it was frozen is written when it wakes: nothing else is sent twice.
    twice = doubled(connection, ready_topic, EVENTS)
    print(f"seed {seed}: {twice} events twice")
    assert twice <= BEGUN
    assert audited(ready_topic, tmp_path / "w.duckdb") == ("FAILED" if twice else "PASSED", twice, 0)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(TAKEOVERS))
def test_a_process_that_still_sends_ends_when_its_shard_is_begun_elsewhere(
    connection: Connection, ready_topic: str, ends: TopicEnds, machine, tmp_path: Path, seed: int
) -> None:
    with ended_at_last(machine("a", SLOWLY)) as first:
        at_random(first, ends, random.Random(seed), most=SLOWLY // 20)
        with ended_at_last(machine("b", SLOWLY)) as second:
            assert "another process took the shard over" in taken_from(first)
            # The first says that it has stopped, so that the second need not wait for what it cannot know.
            said = finished(second, SLOWLY)
    assert UNTOLD not in said or TOLD in said
    refuse_twice(connection, ready_topic, tmp_path / "w.duckdb", SLOWLY)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(TAKEOVERS))
def test_a_shard_whose_machine_died_is_finished_elsewhere_once_its_lease_is_over(
    connection: Connection, ready_topic: str, ends: TopicEnds, machine, tmp_path: Path, seed: int
) -> None:
    with ended_at_last(machine("a")) as first:
        at_random(first, ends, random.Random(seed))
    with ended_at_last(machine("b")) as second:
        began = time.monotonic()
        said = finished(second)
    assert (UNTOLD in said, TOLD in said) == (True, False)
    assert time.monotonic() - began > WAITS_S - 1
    refuse_twice(connection, ready_topic, tmp_path / "w.duckdb")


def test_a_shard_that_was_given_back_or_died_on_this_machine_is_waited_for_by_nobody(
    connection: Connection, ready_topic: str, ends: TopicEnds, machine, tmp_path: Path
) -> None:
    chance = random.Random(3)
    with ended_at_last(machine("a", BRIEFLY)) as stopped:
        at_random(stopped, ends, chance, most=BRIEFLY // 4)
        stopped.terminate()
        stopped.communicate(timeout=10)
        assert stopped.returncode == 75
    with ended_at_last(machine("b", BRIEFLY)) as killed:
        wait_until(lambda: ends.count() > BRIEFLY // 2, "events", timeout_s=60, while_runs=killed)
        killed.kill()
    with ended_at_last(machine("b", BRIEFLY)) as last:
        assert UNTOLD not in finished(last, BRIEFLY)
    refuse_twice(connection, ready_topic, tmp_path / "w.duckdb", BRIEFLY)


def test_a_stop_ends_the_wait_for_another_machine_at_once(ends: TopicEnds, machine) -> None:
    with ended_at_last(machine("a", BRIEFLY)) as first:
        at_random(first, ends, random.Random(5), most=BRIEFLY // 4)
    with ended_at_last(machine("b", BRIEFLY)) as waiting:
        assert waiting.stderr is not None
        said = ""
        while UNTOLD not in said:
            said = waiting.stderr.readline()
            assert said, "it ended before it waited"
        began = time.monotonic()
        waiting.terminate()
        out, _ = waiting.communicate(timeout=10)
        assert (waiting.returncode, time.monotonic() - began < 4) == (75, True)
        assert "before anything was sent" in json.loads(out)["error"]["message"]


@pytest.mark.timeout(200)
def test_a_transaction_that_is_held_up_for_less_than_events_wait_is_not_taken_for_a_fence(
    connection: Connection, ready_topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by brokers that went away with a lease in their hands, and came back: nobody else had the shard."""
    calls, tell = itertools.count(1), Transactions._tell_group

    def tell_and_stall(self: Transactions, *what: Any) -> None:
        tell(self, *what)
        if next(calls) == HELD_CALL:
            self._producer.flush(5)  # the brokers have it: the transaction is open there
            time.sleep(HELD_S)

    monkeypatch.setattr(Transactions, "_tell_group", tell_and_stall)
    request = ProduceRequest(
        topic=ready_topic, run_id=RUN, events=400 * (HELD_S + 8), rate=400, delivery_timeout_s=2 * HELD_S
    )
    manifest = produce_shard(connection, request, stop=threading.Event())
    assert next(calls) > HELD_CALL
    assert (manifest.acknowledged, manifest.failed, manifest.unknown) == (request.events, [], [])
    assert doubled(connection, ready_topic, manifest.acknowledged) == 0
