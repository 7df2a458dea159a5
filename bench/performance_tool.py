"""Kafka's own ProducerPerformance: the Java client, sending what is ready, without keys, to the same kind of topic."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cases import Case, first_block
from bench.rows import row
from cluster.connection import Connection
from producer.toolkit.arrays import plain
from stack.parts.java import kafka_command

# Records in the file. The tool holds all of them, and picks one at random for each send.
FILE_RECORDS = 20_000
_REPORT = re.compile(r"(\d+) records sent, ([\d.]+) records/sec")
# The tool reads its file as text: a byte that is no ASCII, or that ends a line, gives way to one that is fine.
_AS_TEXT = bytes(byte & 0x7F if byte & 0x7F not in b"\r\n" else 0x20 for byte in range(256))


@dataclass(frozen=True, slots=True)
class Payload:
    """What the tool sends: ``size`` random letters, or one of ``records``."""

    size: float
    records: Sequence[bytes] = ()


def random_letters(size: float) -> Payload:
    """Return records of random letters; they are made once, before the clock starts."""
    return Payload(round(size))


def same_records(case: Case) -> Payload:
    """Return framed values of a case, of unchanged size, as text that the tool can read."""
    batch = first_block(case, FILE_RECORDS).slice(0, FILE_RECORDS)
    records = [value.translate(_AS_TEXT) for value in plain(case.encoder().encode(batch))]
    return Payload(sum(map(len, records)) / len(records), records)


def performance_tool(connection: Connection, topic: str, events: int, payload: Payload) -> dict[str, Any]:
    """Run the tool with the settings of `produce`, and return what it reports."""
    with ExitStack() as opened:
        if payload.records:
            file = opened.enter_context(tempfile.NamedTemporaryFile(suffix=".txt"))
            Path(file.name).write_bytes(b"\n".join(payload.records))
            what = ["--payload-file", file.name]
        else:
            what = ["--record-size", str(round(payload.size))]
        command = kafka_command(
            "org.apache.kafka.tools.ProducerPerformance",
            *("--topic", topic, "--num-records", str(events), "--throughput", "-1", *what),
            *("--producer-props", f"bootstrap.servers={connection.kafka.bootstrap_servers}", "acks=all"),
            *("compression.type=lz4", "linger.ms=20", "batch.size=524288", "enable.idempotence=true"),
            "buffer.memory=100663296",
            heap="512m",
            quick=False,
        )
        ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    reports = _REPORT.findall(ran.stdout)
    if not reports or int(reports[-1][0]) != events:
        raise RuntimeError(f"ProducerPerformance ended with {ran.returncode}: {ran.stderr[-500:]}")
    name = "ProducerPerformance, " + ("the same records from a file" if payload.records else "random letters")
    return row(name, events, events / float(reports[-1][1]), value_bytes=payload.size)
