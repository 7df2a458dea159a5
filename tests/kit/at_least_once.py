"""A consumer as many are: it stores first and tells Kafka afterwards, so that a kill in between stores twice.

Run as a program: ``at_least_once.py BOOTSTRAP TOPIC GROUP FILE SCHEMA [LINES]``. It ends at the end of the topic, or
waits to be killed between storing and telling, and says so, once so many lines are in the file.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, KafkaError

_FRAME_BYTES = 5
_AT_ONCE = 40
# How long it waits to be killed.
_PAUSE_S = 300.0


def consume(bootstrap: str, topic: str, group: str, path: str, schema: str, most: str = "") -> None:
    """Store the id and type of each event as a line of JSON, whole lines at a time, until nothing is left."""
    parsed = fastavro.parse_schema(json.loads(schema))
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "session.timeout.ms": 6_000,
        }
    )
    consumer.subscribe([topic])
    ended: set[int] = set()
    with Path(path).open("ab", buffering=0) as file:
        while True:
            messages = consumer.consume(_AT_ONCE, 1.0)
            lines = []
            for message in messages:
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                elif error is None:
                    event: Any = fastavro.schemaless_reader(io.BytesIO(message.value()[_FRAME_BYTES:]), parsed)
                    lines.append(json.dumps({"event_id": event["event_id"], "event_type": event["event_type"]}))
            if lines:
                os.write(file.fileno(), "".join(f"{line}\n" for line in lines).encode())
                if most and len(Path(path).read_bytes().splitlines()) >= int(most):
                    print("stored", flush=True)
                    time.sleep(_PAUSE_S)
                consumer.commit(asynchronous=False)
            elif ended >= {partition.partition for partition in consumer.assignment()} != set():
                break
    consumer.close()


if __name__ == "__main__":
    consume(*sys.argv[1:])
