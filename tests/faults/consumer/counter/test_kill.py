"""A counter that is killed, stopped or replaced: no event is in no total, and none is in one twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from cluster.connection import Connection
from cluster.reading import look_at_topic
from cluster.transactions import TRANSACTION_TIMEOUT_S
from consumer.counter.output import last_totals
from tests.integration.consumer.counter.conftest import Counted, counted  # noqa: F401 - a fixture
from tests.kit.commands import command_line
from tests.kit.depth import COUNTER_KILLS, DEEP
from tests.kit.freezing import freeze_process
from tests.kit.kafka import TopicEnds, topic_ends
from tests.kit.seconds import within
from tests.kit.waiting import wait_until

SEED = 20_261_127
NAMES = ("productview", "purchase", "addtobasket", "removefrombasket")
PARTITIONS = 3
# A counter of this machine may come to 20,000 events a second: enough for one that is killed within half a second.
FRESH = 20_000


def fill(clicks: Counted, events: int, chance: random.Random) -> None:
    """Write events to all partitions."""
    names = chance.choices(NAMES, (60, 10, 20, 10), k=events)
    for partition in range(PARTITIONS):
        values = [json.dumps({"eventName": name}).encode() for name in names[partition::PARTITIONS]]
        clicks.topic.send(values, partition=partition)


def counter(clicks: Counted, *words: object) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        command_line(*clicks.words(*words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until_at_work(process: subprocess.Popen[str], ends: TopicEnds) -> None:
    """Wait for outputs that were not there before."""
    before = ends.count()
    wait_until(lambda: ends.count() > before, "an output", timeout_s=60, while_runs=process)


@pytest.mark.timeout(900 if DEEP else 240)
def test_kills_at_random_moments_lose_nothing_and_count_nothing_twice(
    counted: Callable[..., Counted],  # noqa: F811
    connection: Connection,
) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    clicks = counted(PARTITIONS)
    sent = kills = met = 0
    with topic_ends(connection, clicks.output.name) as ends:
        while kills < COUNTER_KILLS or met < COUNTER_KILLS / 2:
            assert kills < 4 + 4 * COUNTER_KILLS, f"only {met} of {kills} kills met a counter at work"
            done = last_totals(connection.kafka, clicks.output.name, clicks.stop)
            if done is None or sent - done.events < FRESH / 2:
                fill(clicks, FRESH, chance)
                sent += FRESH
            before = ends.count()
            process = counter(clicks)
            if kills % 3:  # every third may be killed before it has begun
                wait_until_at_work(process, ends)
            time.sleep(chance.uniform(0, 0.4))
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=10)
            kills += 1
            met += ends.count() > before
    result = clicks.count()
    assert sum(result.progress.totals.values()) == sent
    assert result.progress.lag == 0
    proved = clicks.examine()
    assert proved.faults == []
    assert (proved.holds, proved.events) == (True, sent)
    print(f"{kills} kills, {met} at work, {proved.outputs:,} outputs, {proved.events:,} events")


def test_a_counter_that_was_frozen_ends_when_another_took_over(
    counted: Callable[..., Counted],  # noqa: F811
    connection: Connection,
) -> None:
    clicks = counted(PARTITIONS)
    chance = random.Random(SEED)
    fill(clicks, FRESH, chance)
    with topic_ends(connection, clicks.output.name) as ends:
        zombie = counter(clicks)
        wait_until_at_work(zombie, ends)
    freeze_process(zombie.pid)
    try:
        assert sum(clicks.count().progress.totals.values()) == FRESH
        fill(clicks, 300, chance)
    finally:
        zombie.send_signal(signal.SIGCONT)
    _, said = zombie.communicate(timeout=60)
    assert zombie.returncode == 75
    assert "another counter took over" in said
    assert sum(clicks.count().progress.totals.values()) == FRESH + 300
    proved = clicks.examine()
    assert (proved.faults, proved.events) == ([], FRESH + 300)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_counter_commits_and_ends_within_four_seconds(
    counted: Callable[..., Counted],  # noqa: F811
    connection: Connection,
    number: int,
) -> None:
    clicks = counted(PARTITIONS)
    fill(clicks, FRESH, random.Random(SEED))
    every = ["--every", "10m"] if number == signal.SIGINT else []
    process = counter(clicks, "--json", *every)
    if every:
        wait_until(lambda: "count begins" in (process.stderr.readline() if process.stderr else ""), "its beginning")
    else:
        with topic_ends(connection, clicks.output.name) as ends:
            wait_until_at_work(process, ends)
    began = time.monotonic()
    process.send_signal(number)
    out, said = process.communicate(timeout=20)
    within(4, began, "the exit after the signal")
    assert process.returncode == 0, said
    document = json.loads(out)
    assert document["ended"] == "stop"
    last = last_totals(connection.kafka, clicks.output.name, clicks.stop)
    assert document["events_in_totals"] == (0 if last is None else last.events)
    assert sum(clicks.count().progress.totals.values()) == FRESH
    assert clicks.examine().holds


@pytest.mark.skipif(not DEEP, reason="it waits for half a minute: the deep tests hold it")
def test_a_killed_counter_holds_readers_back_no_longer_than_its_transaction_may_last(
    counted: Callable[..., Counted],  # noqa: F811
    connection: Connection,
) -> None:
    clicks = counted(PARTITIONS)
    fill(clicks, 6 * FRESH, random.Random(SEED))

    def held_back() -> int:
        """Return how many offsets readers of committed records do not see."""
        _, marks = look_at_topic(connection.kafka, clicks.output.name)
        with topic_ends(connection, clicks.output.name, isolation_level="read_uncommitted") as ends:
            return ends.count() - marks[0].high

    for _ in range(20):
        with topic_ends(connection, clicks.output.name) as ends:
            process = counter(clicks)
            wait_until_at_work(process, ends)
        process.kill()
        process.communicate(timeout=10)
        if held_back():
            break
    assert held_back(), "no kill came within a transaction"
    killed = time.monotonic()
    wait_until(lambda: not held_back(), "the end of its transaction", timeout_s=60, poll_s=0.2)
    # The broker looks every ten seconds.
    within(TRANSACTION_TIMEOUT_S + 10 + 4, killed, "the end of an open transaction")
    print(f"held back for {time.monotonic() - killed:.1f} s")
