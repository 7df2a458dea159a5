"""From the command to the first record in the topic: imports, checks, vocabulary, first block, first send."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from bench.cases import CASES, Case, ready_topic
from bench.rows import within
from cluster.connection import Connection

LIMIT_S = 2.0
ROUNDS = 3
_DEADLINE_S = 60.0


def run(connection: Connection) -> list[dict[str, Any]]:
    """Start each case a few times, and take the median."""
    rows = []
    for case in CASES:
        seconds = sorted(_once(connection, case) for _ in range(ROUNDS))
        rows.append(
            within(
                f"{case.name}: from the command to the first record",
                seconds[ROUNDS // 2],
                LIMIT_S,
                "s",
                {"all": seconds},
            )
        )
    return rows


def _once(connection: Connection, case: Case) -> float:
    with ready_topic(connection, case) as topic:
        consumer = Consumer(connection.kafka.as_librdkafka(group_id="bench"))
        try:
            partitions = [TopicPartition(topic, partition) for partition in (0, 1, 2)]
            _end(consumer, partitions)  # connects: that is not what is measured
            options = case.arguments.get("options", {})
            flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
            began = time.perf_counter()
            with subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamproof", "produce", case.reference, "--topic", topic),
                    *("--events", "200000", "--rate", "0", *flags),
                    *("--bootstrap-servers", connection.kafka.bootstrap_servers),
                    *("--registry-url", connection.registry.url),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as process:
                while not _end(consumer, partitions):
                    if process.poll() not in {None, 0} or time.perf_counter() - began > _DEADLINE_S:
                        process.kill()
                        raise RuntimeError(f"produce wrote nothing and ended with {process.poll()}")
                    time.sleep(0.005)
                seconds = time.perf_counter() - began
                process.wait(timeout=_DEADLINE_S)
            return round(seconds, 3)
        finally:
            consumer.close()


def _end(consumer: Consumer, partitions: list[TopicPartition]) -> int:
    return sum(consumer.get_watermark_offsets(partition, timeout=10)[1] for partition in partitions)
