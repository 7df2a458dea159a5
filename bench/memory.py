"""Resident memory of one process that produces as fast as it can, for a while: how much, and whether it grows.

Ten minutes show more than the twenty seconds of the default.
"""

from __future__ import annotations

import sys
from typing import Any

from bench.cases import CUSTOMER_EVENTS, ready_topic
from bench.rows import within
from bench.sampled import growth, sampled
from cluster.connection import Connection

LIMIT_MB = 400.0
GROWTH_LIMIT = 1.05
# A long run must not fill the disk.
KEPT = {"retention.bytes": str(256 * 2**20), "segment.bytes": str(64 * 2**20)}


def run(connection: Connection, watched_s: float) -> list[dict[str, Any]]:
    """Sample the memory of `produce`; its peak, and its last quarter against its second."""
    with ready_topic(connection, CUSTOMER_EVENTS, **KEPT) as topic:
        command = [
            *(sys.executable, "-m", "streamproof", "produce", CUSTOMER_EVENTS.reference, "--topic", topic),
            *("--seconds", str(watched_s), "--bootstrap-servers", connection.kafka.bootstrap_servers),
            *("--registry-url", connection.registry.url),
        ]
        samples, _ = sampled(command, watched_s)
    seconds, sizes = [at for at, _ in samples], [size for _, size in samples]
    details = {"seconds": round(seconds[-1]), "samples_mb": [round(size, 1) for size in sizes]}
    over = f"over {watched_s:g} s at full speed"
    return [
        within(f"customer_events: peak memory {over}", max(sizes), LIMIT_MB, "MB", details),
        within(f"customer_events: memory, last quarter to second {over}", growth(sizes), GROWTH_LIMIT, "x", details),
    ]
