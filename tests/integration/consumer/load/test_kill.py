"""Kills, stops and two loaders at once: nothing is lost, nothing is there twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consumer.sinks.duckdb.ledger import verify
from consumer.sinks.duckdb.warehouse import open_warehouse
from tests.kit.depth import LOADER_KILLS
from tests.kit.seconds import within
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.faults

SEED = 20_261_121
HOLDER = (
    "import sys; from pathlib import Path; from consumer.sinks.duckdb.warehouse import open_warehouse;"
    " w = open_warehouse(Path(sys.argv[1]));"
)


def wait_until_at_work(warehouse: Path, process: subprocess.Popen[Any]) -> None:
    """Wait until the process has the warehouse open: from then on it loads."""

    def is_open() -> bool:
        try:
            return any(fd.readlink() == warehouse for fd in Path(f"/proc/{process.pid}/fd").iterdir())
        except FileNotFoundError:
            return False

    wait_until(is_open, "the loader to open the warehouse", poll_s=0.005)


def log_of(warehouse: Path) -> Path:
    """DuckDB's write-ahead log of a warehouse."""
    return warehouse.with_name(warehouse.name + ".wal")


def _was_written(file: Path, since_ns: int) -> bool:
    try:
        return file.stat().st_mtime_ns > since_ns
    except FileNotFoundError:
        return False


@pytest.mark.timeout(240)
def test_kills_at_random_moments_lose_nothing_and_double_nothing(rig: Any) -> None:
    print(f"seed {SEED}")
    moments = random.Random(SEED)
    rig.create(partitions=3)
    produced = 0
    kills = 0
    seen: list[int] = []
    # On a busy machine many a kill comes before the first batch: go on until half of them met a loader at work.
    while kills < LOADER_KILLS or len(set(seen)) <= LOADER_KILLS / 2:
        assert kills < 4 * LOADER_KILLS, f"the kills hardly met a loader at work: {seen}"
        if not seen or seen[-1] > produced - 60_000:
            values = rig.values(range(produced, produced + 90_000))
            for partition in range(3):
                rig.produce(values[partition::3], partition=partition)
            produced += len(values)
        loader = subprocess.Popen(
            rig.command("--batch-rows", "1500"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_until_at_work(rig.warehouse, loader)
        if kills % 3:
            wait_until(partial(_was_written, log_of(rig.warehouse), time.time_ns()), "the first write", poll_s=0.005)
        # Sooner or later after it opened the file, or after it began to store: while it looks, fetches, inserts,
        # commits or checkpoints.
        time.sleep(moments.uniform(0, 0.3))
        loader.send_signal(signal.SIGKILL)
        if loader.wait(10) == -signal.SIGKILL:
            kills += 1
        with open_warehouse(rig.warehouse) as warehouse:
            verify(warehouse)
            ((position,),) = warehouse.rows("SELECT coalesce(sum(next_offset), 0)::BIGINT FROM load_offsets")
        assert position >= (seen[-1] if seen else 0)
        seen.append(position)
    rest = rig.load()
    assert rest.rows == produced - seen[-1]
    rig.prove()
    assert rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(produced, produced)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_command_ends_within_four_seconds_and_the_same_command_continues(rig: Any, number: int) -> None:
    rig.create()
    rig.produce(rig.values(range(60_000)))
    loader = subprocess.Popen(rig.command("--batch-rows", "1000"), stderr=subprocess.PIPE, text=True)
    wait_until_at_work(rig.warehouse, loader)
    began = time.monotonic()
    loader.send_signal(number)
    _, said = loader.communicate(timeout=10)
    within(4, began, "the exit after the signal")
    assert loader.returncode == 75
    assert "The same command continues" in said
    assert rig.run().returncode == 0
    rig.prove()
    assert rig.rows("SELECT count(*) FROM events") == [(60_000,)]


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
        rig.produce(rig.values(range(partition * 20_000, (partition + 1) * 20_000)), partition=partition)
    loaders = [
        subprocess.Popen(rig.command("--batch-rows", "500", "--wait", "60"), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for loader in loaders:
        _, said = loader.communicate(timeout=90)
        assert loader.returncode == 0, said
    rig.prove()
    assert rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(40_000, 40_000)]


def test_a_loader_frozen_while_another_waits_loses_nothing(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(40_000)))
    frozen = subprocess.Popen(rig.command("--batch-rows", "500"), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_until_at_work(rig.warehouse, frozen)
    frozen.send_signal(signal.SIGSTOP)
    try:
        assert rig.run("--wait", "0.5").returncode == 75
    finally:
        frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(60) == 0
    rig.prove()
    assert rig.rows("SELECT count(*) FROM events") == [(40_000,)]
