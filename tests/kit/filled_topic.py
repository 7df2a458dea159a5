"""Topics as somebody else's pipeline fills them: by a plain producer."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import fastavro
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.connection import Connection
from cluster.topics import admin_client, wait_for_leaders
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry


@dataclass
class FilledTopic:
    """One topic of a test's own."""

    connection: Connection
    name: str

    def register(self, schema: Any, written: str = "avro") -> int:
        """Register a schema under the topic's subject, whatever was there before, and return its id."""
        with Registry(self.connection.registry) as registry:
            subject = subject_for(self.name)
            if registry.latest(subject) is not None:
                registry.set_compatibility(subject, "NONE")
            return registry.register(subject, json.dumps(schema), written).id

    def avro(self, schema: Any, records: Iterable[Any]) -> list[bytes]:
        """Values of a schema, which is registered, as any Confluent client writes them."""
        schema_id, parsed = self.register(schema), fastavro.parse_schema(schema)
        values = []
        for record in records:
            payload = io.BytesIO()
            fastavro.schemaless_writer(payload, parsed, record)
            values.append(struct.pack(">bI", 0, schema_id) + payload.getvalue())
        return values

    def send(
        self, values: Iterable[bytes | None], *, partition: int = 0, key: Any = b"key", headers: Any = None
    ) -> None:
        """Write values in order, and wait until all are acknowledged."""
        failures: list[KafkaError] = []
        producer = Producer(self.connection.kafka.as_librdkafka(linger_ms=5, enable_idempotence=True))
        note = lambda error, _: failures.append(error) if error else None  # noqa: E731
        for value in values:
            producer.produce(self.name, value, key=key, partition=partition, headers=headers, on_delivery=note)
            producer.poll(0)
        assert producer.flush(30) == 0
        assert failures == []


def fill_topic(connection: Connection, name: str, partitions: int = 1, **config: str) -> FilledTopic:
    """Make a topic, with more configuration if it is given, and return what fills it."""
    topic = FilledTopic(connection, name)
    settings = {key.replace("_", "."): value for key, value in config.items()}
    new = NewTopic(topic.name, num_partitions=partitions, replication_factor=1, config=settings)
    admin = AdminClient(connection.kafka.as_librdkafka())  # ends what it was asked for when it goes
    admin.create_topics([new])[topic.name].result(20)
    wait_for_leaders(admin_client(connection.kafka), topic.name, partitions=partitions)
    return topic
