"""Resident memory of one process that produces as fast as it can, for a while: how much, and whether it grows.

Ten minutes show more than the twenty seconds of the default.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import mean
from typing import Any

import psutil

from bench.cases import CUSTOMER_EVENTS, ready_topic
from bench.rows import within
from cluster.connection import Connection

LIMIT_MB = 400.0
GROWTH_LIMIT = 1.05
_EVERY_S = 0.25
_START_S = 30.0
# A long run must not fill the disk.
_KEPT = {"retention.bytes": str(256 * 2**20), "segment.bytes": str(64 * 2**20)}


def run(connection: Connection, watched_s: float) -> list[dict[str, Any]]:
    """Sample the memory of `produce`; its peak, and its last quarter against its second."""
    samples = _samples(connection, watched_s)
    seconds, sizes = [at for at, _ in samples], [size for _, size in samples]
    quarter = len(sizes) // 4
    growth = mean(sizes[-quarter:]) / mean(sizes[quarter : 2 * quarter])
    details = {"seconds": round(seconds[-1]), "samples_mb": [round(size, 1) for size in sizes]}
    over = f"over {watched_s:g} s at full speed"
    return [
        within(f"customer_events: peak memory {over}", max(sizes), LIMIT_MB, "MB", details),
        within(f"customer_events: memory, last quarter to second {over}", growth, GROWTH_LIMIT, "x", details),
    ]


def _samples(connection: Connection, watched_s: float) -> list[tuple[float, float]]:
    """Return seconds and megabytes, from the first moment to the last."""
    with ready_topic(connection, CUSTOMER_EVENTS, **_KEPT) as topic:
        command = [
            *(sys.executable, "-m", "streamproof", "produce", CUSTOMER_EVENTS.reference, "--topic", topic),
            *("--seconds", str(watched_s), "--bootstrap-servers", connection.kafka.bootstrap_servers),
            *("--registry-url", connection.registry.url),
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            watched, began, samples = psutil.Process(process.pid), time.perf_counter(), []
            while process.poll() is None:
                elapsed = time.perf_counter() - began
                if elapsed > watched_s + _START_S:
                    process.kill()
                    raise RuntimeError("produce did not end")
                try:
                    samples.append((elapsed, watched.memory_info().rss / 1e6))
                except psutil.NoSuchProcess:
                    break
                time.sleep(_EVERY_S)
            if process.wait(timeout=10) != 0:
                raise RuntimeError(f"produce ended with {process.returncode}")
        return [sample for sample in samples if sample[1] > 0]
