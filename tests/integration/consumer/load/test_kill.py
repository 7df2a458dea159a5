"""Kills, stops and two loaders at once: nothing is lost, nothing is there twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.kit.depth import DEEP, LOADER_KILLS
from tests.kit.freezing import freeze_process
from tests.kit.seconds import within

pytestmark = pytest.mark.faults

SEED = 20_261_121
HOLDER = (
    "import sys; from pathlib import Path; from consumer.sinks.duckdb.warehouse import open_warehouse;"
    " w = open_warehouse(Path(sys.argv[1]));"
)


@pytest.mark.timeout(900 if DEEP else 240)
def test_kills_at_random_moments_lose_nothing_and_double_nothing(each_rig: Any) -> None:
    print(f"seed {SEED}")
    moments = random.Random(SEED)
    each_rig.create(partitions=3)
    produced = 0
    kills = 0
    seen: list[int] = []
    idle = 0  # kills in a row that came before the first batch, as on a busy machine: the next one waits longer
    # Go on until half of them met a loader at work.
    while kills < LOADER_KILLS or len(set(seen)) <= LOADER_KILLS / 2:
        assert kills < 12 + 4 * LOADER_KILLS, f"the kills hardly met a loader at work: {seen}"
        if not seen or seen[-1] > produced - 30_000:
            values = each_rig.values(range(produced, produced + 45_000))
            for partition in range(3):
                each_rig.produce(values[partition::3], partition=partition)
            produced += len(values)
        loader = subprocess.Popen(
            each_rig.command("--batch-rows", "750"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        each_rig.wait_until_at_work(loader)
        if kills % 3:
            each_rig.wait_until_writing(loader)
        # Sooner or later after it opened the file, or after it began to store: while it looks, fetches, inserts,
        # commits or checkpoints.
        time.sleep(moments.uniform(0, 0.3 * (1 + idle)))
        loader.send_signal(signal.SIGKILL)
        if loader.wait(10) == -signal.SIGKILL:
            kills += 1
        with each_rig.place.open() as sink:
            sink.verify()
            position = sum(sink.positions().values())
        assert position >= (seen[-1] if seen else 0)
        idle = idle + 1 if position == (seen[-1] if seen else 0) else 0
        seen.append(position)
    rest = each_rig.load()
    assert rest.rows == produced - seen[-1]
    each_rig.prove()
    assert each_rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(produced, produced)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_command_ends_within_four_seconds_and_the_same_command_continues(each_rig: Any, number: int) -> None:
    each_rig.create()
    each_rig.produce(each_rig.values(range(24_000)))
    loader = subprocess.Popen(each_rig.command("--batch-rows", "400"), stderr=subprocess.PIPE, text=True)
    each_rig.wait_until_at_work(loader)
    began = time.monotonic()
    loader.send_signal(number)
    _, said = loader.communicate(timeout=10)
    within(4, began, "the exit after the signal")
    assert loader.returncode == 75
    assert "The same command continues" in said
    assert each_rig.run().returncode == 0
    each_rig.prove()
    assert each_rig.rows("SELECT count(*) FROM events") == [(24_000,)]


def test_a_second_loader_waits_and_then_names_the_process_that_holds_the_file(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(10)))
    script = HOLDER + "print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(rig.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        began = time.monotonic()
        refused = rig.run("--wait", "1.5")
        assert refused.returncode == 75
        assert time.monotonic() - began >= 1.5
        assert f"process {holder.pid}" in refused.stderr
        assert "-c" in refused.stderr  # its command line
        # One that waits longer goes on as soon as the file is free.
        waiting = subprocess.Popen(rig.command("--wait", "30", "--json"), stdout=subprocess.PIPE, text=True)
        holder.communicate("")
    waiting.communicate(timeout=30)
    assert waiting.returncode == 0
    rig.prove()


def test_two_loaders_at_once_store_everything_once(rig: Any) -> None:
    rig.create(partitions=2)
    for partition in range(2):
        rig.produce(rig.values(range(partition * 8_000, (partition + 1) * 8_000)), partition=partition)
    loaders = [
        subprocess.Popen(rig.command("--batch-rows", "200", "--wait", "60"), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for loader in loaders:
        _, said = loader.communicate(timeout=90)
        assert loader.returncode == 0, said
    rig.prove()
    assert rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(16_000, 16_000)]


def test_a_loader_frozen_while_another_waits_loses_nothing(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(16_000)))
    frozen = subprocess.Popen(rig.command("--batch-rows", "200"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    rig.wait_until_at_work(frozen)
    freeze_process(frozen.pid)
    try:
        assert rig.run("--wait", "0.5").returncode == 75
    finally:
        frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(60) == 0
    rig.prove()
    assert rig.rows("SELECT count(*) FROM events") == [(16_000,)]
