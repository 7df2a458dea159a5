"""A pipeline to be rehearsed, and the part to replace by your own: from the topic into a table of a DuckDB file.

It is written as one would write a first consumer, with Confluent's client alone; nothing of this project is in it. It
goes on where its group committed, stores, and commits then: at least once. ``fault`` makes it do what real ones do.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

COLUMNS = "id VARCHAR, customer VARCHAR, kind VARCHAR, happened_at TIMESTAMPTZ, watched DOUBLE"
# Every how many events something is done to one, and to which: an id ends with the number of its event.
EVERY, LOST, DOUBLED, ROUNDED = 100, 17, 42, 77
GROUP = "your-pipeline"
SILENT_S = 30.0


def consume(kafka: dict[str, Any], registry: dict[str, Any], topic: str, file: Path, fault: str = "none") -> int:
    """Store what the topic holds now and has not been stored yet; return the number of rows.

    :param kafka: librdkafka's settings.
    :param registry: settings of Confluent's registry client.
    :param fault: ``none``, ``lose``, ``double``, ``round``, or ``all`` of them.
    """
    import duckdb
    import pyarrow as pa
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer

    own = {"group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer(kafka | own | {"enable.partition.eof": True})
    known = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign(consumer.committed([TopicPartition(topic, number) for number in known], timeout=10))
    not_at_end, stored, deadline = set(known), 0, time.monotonic() + SILENT_S
    with duckdb.connect(str(file)) as database, SchemaRegistryClient(registry) as client:
        decode: Any = AvroDeserializer(client)
        database.execute(f"CREATE TABLE IF NOT EXISTS events ({COLUMNS})")
        while not_at_end:
            if time.monotonic() > deadline:
                raise TimeoutError(f"partitions {sorted(not_at_end)} of {topic} are silent")
            rows = []
            for message in consumer.consume(1000, timeout=0.5):
                if (error := message.error()) is None:
                    rows += as_stored(decode(message.value(), None), fault)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - so it is called
                    not_at_end.discard(message.partition())
                else:
                    raise KafkaException(error)
            if rows:
                batch = pa.Table.from_pylist(rows)  # noqa: F841 - DuckDB finds it by its name
                database.execute("INSERT INTO events BY NAME SELECT * FROM batch")
                consumer.commit(asynchronous=False)
                stored, deadline = stored + len(rows), time.monotonic() + SILENT_S
    consumer.close()
    return stored


def as_stored(event: dict[str, Any], fault: str) -> list[dict[str, Any]]:
    """Return the rows that an event becomes: one, unless something is wrong with the pipeline."""
    row = {
        "id": event["event_id"],
        "customer": event["user_id"],
        "kind": event["event_type"],
        "happened_at": event["timestamp"],
        "watched": event["details"]["play_percentage"] if event["details"] else None,
    }
    which = int(row["id"][-12:], 16) % EVERY
    if which == ROUNDED and fault in {"round", "all"}:
        row["happened_at"] = row["happened_at"].replace(second=0, microsecond=0)
    if which == LOST and fault in {"lose", "all"}:
        return []
    return [row, row] if which == DOUBLED and fault in {"double", "all"} else [row]
