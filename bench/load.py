"""`load` against what DuckDB itself can take: its own INSERT of the same rows, ready in memory as Arrow, in one run.

The loader fetches from Kafka, decodes, proves what it decoded, and stores with ledger and positions, exactly once. The
reference does none of that: one INSERT ... SELECT of one Arrow table into a new file, on all cores and with all of the
memory, then a CHECKPOINT.
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from bench.child import measured
from cluster.connection import Connection
from cluster.reading import TopicReader
from cluster.topics import admin_client, apply_topics, specs_for
from consumer.load.decode import decode
from consumer.load.readers import Readers
from consumer.sinks.open_batch import CHUNK_ROWS
from producer import ProduceRequest, produce_shard
from schemas.formats.frame import Frames
from schemas.registry.contract import load_contract, subject_for
from schemas.registry.gate import Registry

EVENTS = 1_000_000
GOAL = 0.5


def run(
    connection: Connection, events: int = EVENTS, folder: Path = Path(), *, rounds: int = 2
) -> list[dict[str, Any]]:
    """Measure each side ``rounds`` times, in turn, and compare the better of each.

    The row has ``path``, ``ours_per_s``, ``reference``, ``reference_per_s``, ``ratio``, ``goal``, ``value_bytes``, and
    ``details``: each measurement, with the loader's CPU seconds, its peak memory, and where the time of its batches
    went.
    """
    topic = _filled_topic(connection, events)
    rows = _in_memory(connection, topic)
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(_load(connection, topic, folder / f"load-{number}.duckdb"))
        theirs.append(_insert(rows, folder / f"insert-{number}.duckdb"))
    ours_per_s = max(row["events_per_s"] for row in ours)
    reference_per_s = max(row["events_per_s"] for row in theirs)
    return [
        {
            "path": "Kafka to durable DuckDB, exactly once",
            "ours_per_s": ours_per_s,
            "reference": "DuckDB's INSERT of the same Arrow rows",
            "reference_per_s": reference_per_s,
            "ratio": ours_per_s / reference_per_s,
            "goal": GOAL,
            "value_bytes": ours[0]["value_bytes"],
            "details": [*ours, *theirs],
        }
    ]


def _filled_topic(connection: Connection, events: int) -> str:
    topic = f"bench-load-{uuid.uuid4().hex[:8]}"
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    with Registry(connection.registry) as registry:
        registry.register(subject_for(topic), load_contract("customer_events").version(1).text)
    produce_shard(connection, ProduceRequest(topic=topic, run_id="bench", events=events), stop=threading.Event())
    return topic


def _in_memory(connection: Connection, topic: str) -> pa.Table:
    """Read the whole topic into one Arrow table, with the columns that the loader stores."""
    tables = []
    with TopicReader(connection.kafka, topic) as source, Registry(connection.registry) as registry:
        marks = source.watermarks(range(source.identify().partitions))
        source.assign({p: mark.low for p, mark in marks.items()}, {p: mark.high for p, mark in marks.items()})
        readers = Readers(registry, {}, lambda _id, _text, root: [name for name, _ in root.fields])
        while not source.finished:
            records, spans = source.fetch(CHUNK_ROWS, threading.Event())
            tables += [group.table for group in decode(records, spans, readers, Frames()).groups]
    return pa.concat_tables(tables)


def _load(connection: Connection, topic: str, file: Path) -> dict[str, Any]:
    addresses = ["--bootstrap-servers", connection.kafka.bootstrap_servers, "--registry-url", connection.registry.url]
    command = [sys.executable, "-m", "streamproof", "load", topic, "--warehouse", str(file), "--json", *addresses]
    document = measured(command)
    with duckdb.connect(str(file)) as warehouse:
        ((value_bytes, fetch_s, decode_s, insert_s),) = warehouse.execute(
            "SELECT sum(b), sum(f), sum(d), sum(i) FROM (SELECT sum(value_bytes) AS b, any_value(fetch_s) AS f, "
            "any_value(decode_s) AS d, any_value(insert_s) AS i FROM load_batches GROUP BY batch)"
        ).fetchall()
    rows = document["rows"]
    # All of it: opening and verifying the file, and the checkpoint at the end.
    seconds = document["seconds"] + document["startup_seconds"]
    return {
        "name": "load",
        "events": rows,
        "seconds": round(seconds, 3),
        "events_per_s": round(rows / seconds),
        "cpu_us_per_event": round(document["cpu_s"] / rows * 1e6, 2),
        "peak_rss_mb": document["peak_rss_mb"],
        "value_bytes": round(value_bytes / rows),
        "batches_s": {"fetch": round(fetch_s, 2), "decode": round(decode_s, 2), "insert": round(insert_s, 2)},
    }


def _insert(rows: pa.Table, file: Path) -> dict[str, Any]:
    with duckdb.connect(str(file), config={"preserve_insertion_order": False}) as warehouse:
        warehouse.register("ready", rows)
        warehouse.execute("CREATE TABLE events AS SELECT *, 0::BIGINT AS _batch FROM ready LIMIT 0")
        began, cpu = time.perf_counter(), time.process_time()
        warehouse.execute("INSERT INTO events BY NAME SELECT *, 1::BIGINT AS _batch FROM ready")
        warehouse.execute("CHECKPOINT")
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return {
        "name": "INSERT ... SELECT",
        "events": len(rows),
        "seconds": round(seconds, 3),
        "events_per_s": round(len(rows) / seconds),
        "cpu_us_per_event": round(cpu_s / len(rows) * 1e6, 2),
    }
