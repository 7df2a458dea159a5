"""One process of `produce` against Kafka's own ProducerPerformance, on the same broker, in one run.

Both send values of the same mean size with lz4, acks=all, idempotence, the same linger and batch size, to topics of
three partitions. ProducerPerformance sends random letters without keys, and has to make nothing up.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
import uuid
from typing import Any

import psutil

from cluster.connection import Connection
from cluster.topics import admin_client, apply_topics, specs_for
from producer import ProduceRequest, preview, produce_shard
from producer.resume import Landed
from producer.scenarios import find_scenario
from producer.supply import Supply, identified
from schemas.codec import Encoder
from schemas.contract import load_contract, subject_for
from schemas.registry import Registry
from stack.java import kafka_command

EVENTS = 1_000_000
GOAL = 0.6
_REPORT = re.compile(r"(\d+) records sent, ([\d.]+) records/sec")


def run(connection: Connection, events: int = EVENTS, *, rounds: int = 2) -> list[dict[str, Any]]:
    """Measure each side ``rounds`` times, in turn, and compare the better of each.

    The row has ``path``, ``ours_per_s``, ``reference``, ``reference_per_s``, ``ratio``, ``goal``, ``value_bytes``, and
    ``details``: each measurement, with generating alone, encoding alone, and both without sending.
    """
    size = round(preview(events=20_000).value_bytes["mean"])
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_produce(connection, events))
        theirs.append(_producer_performance(connection, events, size))
    ours_per_s = max(row["events_per_s"] for row in ours)
    reference_per_s = max(row["events_per_s"] for row in theirs)
    return [
        {
            "path": "customer_events, generated and delivered by one process",
            "ours_per_s": ours_per_s,
            "reference": "Kafka's ProducerPerformance",
            "reference_per_s": reference_per_s,
            "ratio": ours_per_s / reference_per_s,
            "goal": GOAL,
            "value_bytes": size,
            "details": [*ours, *theirs, _generate(events), _encode(events), _supply(events)],
        }
    ]


def _row(name: str, events: int, seconds: float, cpu_s: float | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        "events": events,
        "seconds": round(seconds, 3),
        "events_per_s": round(events / seconds),
    }
    if cpu_s is not None:
        row["cpu_us_per_event"] = round(cpu_s / events * 1e6, 2)
        row["rss_mb"] = round(psutil.Process().memory_info().rss / 1e6)
    return row


def _open(events: int) -> Any:
    scenario = find_scenario("customer_events")
    return scenario.open(1, 0, scenario.settings(events, int(time.time() * 1000)))


def _generate(events: int) -> dict[str, Any]:
    """Columns only: no ids, no Avro."""
    stream = _open(events)
    started, cpu = time.perf_counter(), time.process_time()
    made = sum(len(stream.block(number)) for number in range(-(-events // stream.block_events)))
    return _row("generate only", made, time.perf_counter() - started, time.process_time() - cpu)


def _encode(events: int) -> dict[str, Any]:
    """Framed Avro of ready columns."""
    import numpy as np

    stream, encoder = _open(events), Encoder(load_contract("customer_events").version(1).text, 1)
    block = stream.block(0)
    batch = identified(block, encoder, "bench", 0, np.arange(len(block), dtype=np.int64))
    rounds = max(1, events // len(block))
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        for first in range(0, len(batch), 8192):
            encoder.encode(batch.slice(first, 8192)).to_pylist()
    return _row("encode only", rounds * len(block), time.perf_counter() - started, time.process_time() - cpu)


def _supply(events: int) -> dict[str, Any]:
    """Generate and encode as `produce` does, sending nothing: what this machine can make."""
    stream, encoder = _open(events), Encoder(load_contract("customer_events").version(1).text, 1)
    started, cpu = time.perf_counter(), time.process_time()
    with Supply(stream, encoder, run_id="bench", shard=0, key="user_id", end=events, landed=Landed.nothing()) as supply:
        made = sum(len(part.values) for part in supply)
    return _row("generate and encode", made, time.perf_counter() - started, time.process_time() - cpu)


def _ready_topic(connection: Connection, hint: str) -> str:
    topic = f"bench-{hint}-{uuid.uuid4().hex[:8]}"
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    return topic


def _delete(connection: Connection, topic: str) -> None:
    admin = admin_client(connection.kafka)
    for name, future in admin.delete_topics([topic, f"{topic}.manifests"]).items():
        admin.ask(future, f"deleting topic {name}")


def _produce(connection: Connection, events: int) -> dict[str, Any]:
    topic = _ready_topic(connection, "ours")
    with Registry(connection.registry) as registry:
        registry.register(subject_for(topic), load_contract("customer_events").version(1).text)
    first: list[float] = []

    def note(_: Any) -> None:
        first.append(time.perf_counter())

    began, cpu = time.perf_counter(), time.process_time()
    manifest = produce_shard(
        connection,
        ProduceRequest(topic=topic, run_id="bench", events=events),
        stop=threading.Event(),
        progress=note,
    )
    ended, cpu_s = time.perf_counter(), time.process_time() - cpu
    _delete(connection, topic)
    # ProducerPerformance starts its clock after its producer is made: so does this, at the first look at progress.
    row = _row("produce customer_events", manifest.acknowledged, ended - first[0], cpu_s)
    return row | {"seconds_with_start": round(ended - began, 3)}


def _producer_performance(connection: Connection, events: int, size: int) -> dict[str, Any]:
    topic = _ready_topic(connection, "theirs")
    command = kafka_command(
        "org.apache.kafka.tools.ProducerPerformance",
        *("--topic", topic, "--num-records", str(events), "--record-size", str(size), "--throughput", "-1"),
        *("--producer-props", f"bootstrap.servers={connection.kafka.bootstrap_servers}", "acks=all"),
        *("compression.type=lz4", "linger.ms=20", "batch.size=524288", "enable.idempotence=true"),
        "buffer.memory=100663296",
        heap="512m",
    )
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    _delete(connection, topic)
    reports = _REPORT.findall(ran.stdout)
    if not reports or int(reports[-1][0]) != events:
        raise RuntimeError(f"ProducerPerformance ended with {ran.returncode}: {ran.stderr[-500:]}")
    rate = float(reports[-1][1])
    return _row("ProducerPerformance, random letters", events, events / rate)
