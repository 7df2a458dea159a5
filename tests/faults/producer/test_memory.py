"""Ten minutes of producing, and then loading: memory stays where it was after the first minute."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.kit.commands import command_line
from tests.kit.depth import DEEP

pytestmark = pytest.mark.skipif(not DEEP, reason="ten minutes of memory: make test-deep")

SECONDS, RATE = 600, 4000
MOST_PRODUCER_BYTES, MOST_LOADER_BYTES = 450_000_000, 1_000_000_000
# Of the last five minutes over the second one: allocators breathe, a leak of one byte per event would not show.
MOST_GROWTH = 1.1


def resident_bytes(process: psutil.Process) -> int:
    """Return the memory of a process, or of the one of its children that has most."""
    family = [process, *process.children(recursive=True)]
    return max((each.memory_info().rss for each in family if each.is_running()), default=0)


def watched(arguments: list[str], timeout_s: float) -> tuple[list[tuple[float, int]], str]:
    """Run a command to its end; return its memory by the second, and its standard output."""
    began = time.monotonic()
    samples = []
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        seen = psutil.Process(process.pid)
        while True:
            try:
                out, _ = process.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                assert time.monotonic() - began < timeout_s, "the command goes on for ever"
                try:
                    samples.append((time.monotonic() - began, resident_bytes(seen)))
                except psutil.NoSuchProcess:
                    continue
    assert process.returncode == 0, out
    return samples, out


@pytest.mark.timeout(SECONDS + 600)
def test_memory_is_flat_over_ten_minutes_of_producing_and_below_a_gigabyte_while_all_of_it_is_loaded(
    connection, ready_topic, tmp_path: Path
):
    broker, registry = connection.kafka.bootstrap_servers, connection.registry.url
    addresses = ("--bootstrap-servers", broker, "--registry-url", registry)
    produce = ("produce", "customer_events", "--topic", ready_topic, "--rate", str(RATE), "--run-id", "long", "--json")
    samples, out = watched(command_line(*produce, "--events", str(SECONDS * RATE), *addresses), SECONDS + 200)
    early = max(size for at, size in samples if 60 <= at < 120)
    late = max(size for at, size in samples if at >= SECONDS / 2)
    assert json.loads(out)["acknowledged"] == SECONDS * RATE
    assert late < early * MOST_GROWTH, f"{early:,} bytes in the second minute, {late:,} later"
    assert late < MOST_PRODUCER_BYTES, f"{late:,} bytes"

    load = command_line("load", ready_topic, "--warehouse", str(tmp_path / "long.duckdb"), "--json", *addresses)
    samples, out = watched(load, 300)
    assert json.loads(out)["rows"] == SECONDS * RATE
    assert max(size for _, size in samples) < MOST_LOADER_BYTES
