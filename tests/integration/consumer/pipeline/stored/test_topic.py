"""A topic as a place: every record is a row, up to the ends that the topic had."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from cluster.connection import Connection
from cluster.errors import Misconfigured, TopicMissing, TopicRecreated
from consumer.pipeline.stored.naming import stored_at
from tests.kit.stored_rows import read_place, rows_of

SCHEMA = {
    "type": "record",
    "name": "Sunk",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
    ],
}


def test_records_are_rows_with_their_positions_and_keys_up_to_the_ends_of_the_opening(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic(partitions=2)
    values = topic.avro(
        SCHEMA, [{"event_id": f"id-{n}", "at": n, "price": Decimal(n) / 100, "tags": ["x"] * n} for n in range(3)]
    )
    topic.send(values, partition=1, key=b"\xff")
    with stored_at(f"kafka:{topic.name}", connection=connection).open() as opened:
        topic.send(values, partition=0)
        assert opened.as_of == "partition 0 to offset 0, partition 1 to offset 3"
        assert {column.name: column.type for column in opened.columns} == {
            "_partition": "INTEGER",
            "_offset": "BIGINT",
            "_timestamp": "TIMESTAMP WITH TIME ZONE",
            "_key": "BLOB",
            "event_id": "VARCHAR",
            "at": "TIMESTAMP WITH TIME ZONE",
            "price": "DECIMAL(12,2)",
            "tags": "VARCHAR[]",
        }
        for _ in range(2):
            rows = rows_of(opened, ["event_id", "_offset", "_key"], located=True)
            assert [list(row.values()) for row in rows] == [
                [f"id-{n}", n, b"\xff", f"partition 1 offset {n}"] for n in range(3)
            ]
        assert (opened.changed(), opened.notes()) == ("", [])


def test_json_is_text_and_says_what_its_members_were(connection: Connection, filled_topic: Callable[..., Any]) -> None:
    topic = filled_topic()
    topic.send([b'{"event_id": "a", "amount": 0.1000000000000000055}', None, b"broken", b'{"event_id": 2}'])
    read = read_place(stored_at(f"kafka:{topic.name}", connection=connection), ["event_id", "amount"])
    assert [list(row.values()) for row in read.rows] == [
        ["a", "0.1000000000000000055"],
        [None, None],
        [None, None],
        ["2", None],
    ]
    assert (read.declared["amount"], read.declared["event_id"]) == ("json number", "json string or number")
    assert read.notes == [
        "records without a value (tombstones): 1",
        "records whose value cannot be decoded: 1 (not_json 1)",
    ]


def test_a_missing_topic_is_said(connection: Connection) -> None:
    with pytest.raises(TopicMissing), stored_at("kafka:no-such-topic", connection=connection).open():
        pass


def test_records_of_transactions_that_were_given_up_are_no_rows(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic()
    settings = connection.kafka.as_librdkafka(transactional_id=f"tx-{topic.name}")
    producer = Producer(settings)
    producer.init_transactions(30)
    for number, end in enumerate(
        [producer.commit_transaction, producer.abort_transaction, producer.commit_transaction]
    ):
        producer.begin_transaction()
        producer.produce(topic.name, b'{"n": %d}' % number)
        producer.flush(30)
        end(30)
    read = read_place(stored_at(f"kafka:{topic.name}", connection=connection), ["n", "_offset"])
    assert read.rows == [{"n": "0", "_offset": 0}, {"n": "2", "_offset": 4}]


def test_records_that_are_deleted_while_it_is_read_are_said(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic()
    topic.send([b'{"n": 1}'] * 10)
    with stored_at(f"kafka:{topic.name}", connection=connection).open() as opened:
        admin = AdminClient(connection.kafka.as_librdkafka())
        (done,) = admin.delete_records([TopicPartition(topic.name, 0, 5)]).values()
        done.result(30)
        with pytest.raises(TopicRecreated, match="deleted before they were read"):
            rows_of(opened)
    read = read_place(stored_at(f"kafka:{topic.name}", connection=connection), ["_offset"])
    assert read.column("_offset") == list(range(5, 10))


def test_a_topic_of_nothing_but_what_cannot_be_decoded_has_its_rows(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic()
    topic.send([b"plain text", b"\xff", b""])
    read = read_place(stored_at(f"kafka:{topic.name}", connection=connection), ["_offset", "_key"])
    assert read.rows == [{"_offset": n, "_key": b"key"} for n in range(3)]
    assert read.notes == ["records whose value cannot be decoded: 3 (not_json 1, invalid_utf8 1, empty 1)"]
    assert list(read.types) == ["_partition", "_offset", "_timestamp", "_key"]


def test_objects_with_a_member_for_each_customer_are_no_rows(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic()
    topic.send([b'{"customer-%d": 1}' % n for n in range(2_100)])
    with (
        pytest.raises(Misconfigured, match="more than 2,000 different members") as caught,
        stored_at(f"kafka:{topic.name}", connection=connection).open(),
    ):
        pass
    assert topic.name in caught.value.where
