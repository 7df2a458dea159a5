"""The rate contract: 10,000 events a second in each load shape, measured second by second.

The windows are counted by an independent reader, from the timestamps that the records carry in the topic: what was
sent, when it was sent. The publish delay counts from the moment at which an event was due to its acknowledgement.
``machine_load`` is the load average of the last minute: above the number of cores, the machine is busy with something
else, and the figures tell of that.

``python -m bench.rate`` runs it alone, on a stack of its own; ``BENCH_RATE_SECONDS=30`` sets the length of each shape.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.broker import private_stack
from cluster.connection import Connection
from cluster.reading import TopicReader
from cluster.topics import admin_client, apply_topics, specs_for
from producer import ProduceRequest, produce_shard
from producer.shapes import WholeSchedule, parse
from schemas.registry.contract import load_contract, subject_for
from schemas.registry.gate import Registry

SECONDS = int(os.environ.get("BENCH_RATE_SECONDS", "12"))
WORST_WINDOW = 0.01
P99_MS = 50.0
# Not counted: a broker that just started compiles its own code first.
WARM_UP = "constant(10000, 4s)"
# Each brings 10,000 events a second on average; {s} is the length.
SHAPES = (
    "constant(10000, {s}s)",
    "ramp(5000, 15000, {s}s)",
    "step(5000, 15000, 5, {s}s)",
    "sine(5000, 15000, 4s, {s}s)",
    "burst(8000, 16000, 4s, 1s, {s}s)",
    "spike(9000, 21000, 5s, 1s, {s}s)",
    "diurnal(6000, 16000, {s}s, {s}s)",
    "poisson(constant(10000, {s}s))",
    "ramp(2000, 12000, 4s) + constant(0, 1s) + constant(12000, {s}s)",
)


def run(connection: Connection, *, seconds: int = SECONDS) -> list[dict[str, Any]]:
    """Send each shape once. Rows have ``shape``, ``events``, ``worst_window`` (a share), ``p99_ms`` and ``met``."""
    _measured(connection, WARM_UP)
    return [_measured(connection, shape.format(s=seconds)) for shape in SHAPES]


def table(rows: list[dict[str, Any]]) -> Table:
    """Return the rows for people."""
    title = f"Rate contract: every second within {WORST_WINDOW:.0%}, publish delay p99 below {P99_MS:g} ms"
    shown = Table("shape", "events", "seconds", "worst second", "p50", "p99", "max", "load", title=title)
    for row in rows:
        window = "green" if row["worst_window"] <= WORST_WINDOW else "red"
        delay = "green" if row["p99_ms"] < P99_MS else "red"
        shown.add_row(
            row["shape"],
            f"{row['events']:,}",
            str(row["windows"]),
            f"[{window}]{row['worst_window']:.2%}[/]",
            f"{row['p50_ms']:.1f} ms",
            f"[{delay}]{row['p99_ms']:.1f} ms[/]",
            f"{row['max_ms']:.1f} ms",
            str(row["machine_load"]),
        )
    return shown


def _measured(connection: Connection, shape: str) -> dict[str, Any]:
    topic = f"bench-rate-{uuid.uuid4().hex[:8]}"
    admin = admin_client(connection.kafka)
    apply_topics(admin, specs_for(topic))
    with Registry(connection.registry) as registry:
        registry.register(subject_for(topic), load_contract("customer_events").version(1).text)
    request = ProduceRequest(topic=topic, run_id="bench", shape=shape)
    manifest = produce_shard(connection, request, stop=threading.Event())
    schedule = parse(shape).schedule(request.seed)
    deviations = _deviations(schedule, _sent_at(connection, topic))
    for name, future in admin.delete_topics([topic, f"{topic}.manifests"]).items():
        admin.ask(future, f"deleting topic {name}")
    delays = manifest.publish_delay_ms
    worst = max(deviations)
    return {
        "shape": shape,
        "events": manifest.acknowledged,
        "windows": len(deviations),
        "machine_load": round(os.getloadavg()[0], 1),
        "worst_window": round(worst, 5),
        "p50_ms": delays["p50"],
        "p99_ms": delays["p99"],
        "max_ms": delays["max"],
        "met": worst <= WORST_WINDOW and delays["p99"] < P99_MS,
    }


def _sent_at(connection: Connection, topic: str) -> list[int]:
    """Return the timestamp of every record, in milliseconds."""
    with TopicReader(connection.kafka, topic) as reader:
        bounds = reader.watermarks(range(reader.identify().partitions))
        starts = {partition: mark.low for partition, mark in bounds.items()}
        ends = {partition: mark.high for partition, mark in bounds.items()}
        reader.assign(starts, ends)
        return [message.timestamp()[1] for message in reader.messages()]


def _deviations(schedule: WholeSchedule, sent_at: list[int]) -> list[float]:
    """Return by how much each whole second of the schedule with events in it was missed, as a share."""
    began_ms = min(sent_at) - schedule.at(0) * 1000
    got = Counter(int((at - began_ms) // 1000) for at in sent_at)
    wanted = {second: _due_in(schedule, second) for second in range(int(schedule.duration_s))}
    return [abs(got[second] - count) / count for second, count in wanted.items() if count]


def _due_in(schedule: WholeSchedule, second: int) -> int:
    return schedule.before(second + 1) - schedule.before(second)


def main() -> int:
    """Measure on a stack of its own; print the table and the rows. Returns 1 when the contract is not kept."""
    with tempfile.TemporaryDirectory(prefix="streamproof-bench-") as folder, private_stack(Path(folder)) as connection:
        rows = run(connection)
    Console(width=120).print(table(rows))
    sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    return 0 if all(row["met"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
