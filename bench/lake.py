"""`lake` against `load`: the same topic into Parquet with Spark, and into DuckDB by our own loader, in one run.

Both decode with the same code, exactly once. Spark's figures leave its start out, which stands beside them; memory is
that of all processes together, when it was highest.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from cluster.connection import Connection
from cluster.topics import admin_client, apply_topics, specs_for
from producer import ProduceRequest, produce_shard
from schemas.registry.contract import load_contract, subject_for
from schemas.registry.gate import Registry

EVENTS = 1_000_000
_LOOK_S = 0.2


def run(connection: Connection, events: int = EVENTS, folder: Path = Path()) -> list[dict[str, Any]]:
    """Measure each once.

    The row has ``path``, ``ours_per_s``, ``reference``, ``reference_per_s``, ``ratio``, ``goal`` and ``details``: both
    measurements, with seconds to start, CPU seconds and peak memory of all processes, megabytes.
    """
    topic = f"bench-lake-{uuid.uuid4().hex[:8]}"
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    with Registry(connection.registry) as registry:
        registry.register(subject_for(topic), load_contract("customer_events").version(1).text)
    produce_shard(connection, ProduceRequest(topic=topic, run_id="bench", events=events), stop=threading.Event())
    addresses = ["--bootstrap-servers", connection.kafka.bootstrap_servers, "--registry-url", connection.registry.url]
    lake = _family(["lake", topic, "--to", str(folder / "lake"), *addresses])
    load = _family(["load", topic, "--warehouse", str(folder / "lake.duckdb"), *addresses])
    took = lake["topics"][0]
    lake_per_s = took["rows"] / (lake["seconds"] - lake["startup_seconds"])
    load_per_s = load["rows"] / load["seconds"]
    return [
        {
            "path": "Kafka to a lake of Parquet, by Spark",
            "ours_per_s": round(lake_per_s),
            "reference": "our loader into DuckDB",
            "reference_per_s": round(load_per_s),
            "ratio": lake_per_s / load_per_s,
            "goal": None,
            "details": [_figures("lake", lake, took["rows"]), _figures("load", load, load["rows"])],
        }
    ]


def _figures(name: str, document: dict[str, Any], rows: int) -> dict[str, Any]:
    return {
        "name": name,
        "events": rows,
        "startup_s": document["startup_seconds"],
        "whole_s": round(document["whole_s"], 1),
        "cpu_us_per_event": round(document["cpu_s"] / rows * 1e6, 1),
        "peak_rss_mb": document["peak_rss_mb"],
    }


def _family(words: Sequence[str]) -> dict[str, Any]:
    """Run a command, and return its document with what it and all that it started used, as far as was seen."""
    began, cpu, peak = time.monotonic(), {}, 0
    command = [sys.executable, "-m", "streamproof", *words, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            memory = 0
            for one in _all(process.pid):
                try:
                    times = one.cpu_times()
                    cpu[one.pid] = times.user + times.system
                    memory += one.memory_info().rss
                except psutil.Error:  # it has just ended
                    continue
            peak = max(peak, memory)
            time.sleep(_LOOK_S)
        out, err = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words[:2])} failed: {out[-1500:]} {err[-1500:]}")
    used = {"whole_s": time.monotonic() - began, "cpu_s": sum(cpu.values()), "peak_rss_mb": round(peak / 1e6)}
    document: dict[str, Any] = json.loads(out)
    return document | used


def _all(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []
