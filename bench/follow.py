"""Following a topic at 10,000 events a second: how late a record is committed, and whether memory grows.

The delay is from a record's own timestamp, which the producer gives it before it is sent, to the end of the commit: the
way to the broker and its acknowledgement are in it. Ten minutes show more than the twenty seconds of the default.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.cases import CUSTOMER_EVENTS, RUN_ID, never, ready_topic
from bench.memory import GROWTH_LIMIT, KEPT
from bench.rows import within
from bench.sampled import growth, sampled
from cluster.connection import Connection
from consumer.load.load import load

RATE = 10_000
LATEST_MS = 2_000.0
LIMIT_MB = 1_000.0
# The follower is there before the first event, and after the last one.
_AROUND_S = 6.0


def run(connection: Connection, seconds: float, folder: Path) -> list[dict[str, Any]]:
    """Follow while another process produces; the delay of the slowest hundredth, peak memory, and its growth."""
    addresses = ("--bootstrap-servers", connection.kafka.bootstrap_servers, "--registry-url", connection.registry.url)
    with ready_topic(connection, CUSTOMER_EVENTS, **KEPT) as topic:
        produce = [
            *(sys.executable, "-m", "streamproof", "produce", CUSTOMER_EVENTS.reference, "--topic", topic),
            *("--rate", str(RATE), "--seconds", str(seconds), "--run-id", RUN_ID, "--json", *addresses),
        ]
        follow = [
            *(sys.executable, "-m", "streamproof", "load", topic, "--follow", "--for", f"{seconds + 2 * _AROUND_S}s"),
            *("--warehouse", str(folder / "followed.duckdb"), "--json", *addresses),
        ]
        with subprocess.Popen(produce, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as producer:
            samples, said = sampled(follow, seconds + 2 * _AROUND_S)
            sent = json.loads(producer.communicate(timeout=60)[0])
        # A machine that has other work may be late; what was late counts, and nothing may be missing.
        rest = load(connection, topic, folder / "followed.duckdb", stop=never())
    result: dict[str, Any] = json.loads(said)
    if result["rows"] + rest.rows != sent["acknowledged"]:
        raise RuntimeError(f"{sent['acknowledged']} acknowledged, {result['rows']} and {rest.rows} stored")
    sizes = [size for _, size in samples]
    details = {"result": result, "came_later": rest.rows, "samples_mb": [round(size, 1) for size in sizes]}
    over = f"{RATE:,} events/s for {seconds:g} s, followed"
    return [
        within(f"{over}: to the commit, p99", result["delay_ms"]["p99"], LATEST_MS, "ms", details),
        within(f"{over}: peak memory", max(sizes), LIMIT_MB, "MB", details),
        within(f"{over}: memory, last quarter to second", growth(sizes), GROWTH_LIMIT, "x", details),
    ]
