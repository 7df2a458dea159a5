"""What a load promises for ordinary topics."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from cluster.errors import Interrupted, Misconfigured, TopicMissing
from cluster.reading import bounded
from consumer.load.progress import LoadProgress
from consumer.sinks.duckdb.warehouse import open_warehouse
from tests.kit.seconds import within
from tests.kit.waiting import wait_until

EVERY_TYPE = {
    "type": "record",
    "name": "Everything",
    "namespace": "elsewhere",
    "fields": [
        {"name": "select", "type": "string", "doc": "a reserved word"},
        {"name": "_offset", "type": "long", "doc": "a name of ours"},
        {"name": "Select", "type": "int", "doc": "differs in case from another"},
        {"name": "a_boolean", "type": "boolean"},
        {"name": "a_float", "type": "float"},
        {"name": "a_double", "type": "double"},
        {"name": "some_bytes", "type": "bytes"},
        {"name": "four_bytes", "type": {"type": "fixed", "name": "Four", "size": 4}},
        {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["RED", "GREEN"]}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "clock", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "at_ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "at_us", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "uuid", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "tags", "type": {"type": "map", "values": "long"}},
        {"name": "lines", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "either", "type": ["null", "long", "string"]},
        {
            "name": "nested",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "Nested",
                    "fields": [{"name": "group", "type": {"type": "array", "items": "int"}}],
                },
            ],
        },
    ],
}
AT = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)
ALL_VALUES: dict[str, Any] = {
    "select": "naïve",
    "_offset": -(2**63),
    "Select": -(2**31),
    "a_boolean": True,
    "a_float": 0.5,
    "a_double": 1e300,
    "some_bytes": b"\x00\xff",
    "four_bytes": b"\xff\x00\x01\x02",
    "colour": "GREEN",
    "price": Decimal("-1234567890123456.7891"),
    "day": date(1969, 12, 31),
    "clock": time(23, 59, 59, 999_999),
    "at_ms": AT,
    "at_us": AT.replace(microsecond=789_123),
    "local": datetime(2026, 2, 3, 4, 5, 6, 7),
    "uuid": "0190d3a5-0000-7000-8000-000000000001",
    "tags": {"a": 1, "b": 2**63 - 1},
    "lines": ["x", None],
    "either": "text",
    "nested": {"group": [1, 2, 3]},
}


def test_every_record_is_stored_once_and_a_second_load_adds_nothing(rig: Any) -> None:
    rig.create(partitions=3)
    for partition in range(3):
        rig.produce(rig.values(range(partition * 1000, partition * 1000 + 700)), partition=partition)
    first = rig.load(batch_rows=300)
    assert (first.rows, first.quarantined, first.tombstones) == (2100, 0, 0)
    assert [(p.partition, p.start, p.end, p.next_offset) for p in first.partitions] == [
        (p, 0, 700, 700) for p in range(3)
    ]
    rig.prove()
    assert rig.load().rows == 0
    rig.produce(rig.values(range(5000, 5010)), partition=1)
    assert rig.load().rows == 10
    rig.prove()
    assert rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(2110, 2110)]


@pytest.mark.parametrize("count", [0, 1, 2, 101])
def test_short_topics_and_tails_are_loaded_to_the_last_record(rig: Any, count: int) -> None:
    rig.create()
    rig.produce(rig.values(range(count)))
    assert rig.load(batch_rows=50).rows == count
    rig.prove()


def test_the_warehouse_keeps_key_time_and_schema_of_each_record(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values([7]), key=b"\xffkey")
    rig.produce(rig.values([8]), key=None)
    rig.load()
    schema_id = rig.register()
    assert rig.rows(
        "SELECT _offset, _key, _schema_id, _timestamp > now() - INTERVAL 1 HOUR FROM events ORDER BY 1"
    ) == [
        (0, b"\xffkey", schema_id, True),
        (1, None, schema_id, True),
    ]
    subject = f"{rig.topic}-value"
    assert rig.rows("SELECT schema_id, subject, version FROM schema_versions") == [(schema_id, subject, 1)]


def test_what_confluents_serializer_writes_is_loaded_with_every_type_of_avro(rig: Any) -> None:
    rig.create()
    blank = ALL_VALUES | {"either": None, "nested": None, "tags": {}, "lines": []}
    context = SerializationContext(rig.topic, MessageField.VALUE)
    with SchemaRegistryClient({"url": rig.connection.registry.url}) as registry:
        serialize = AvroSerializer(registry, json.dumps(EVERY_TYPE))
        rig.produce([serialize(record, context) for record in (ALL_VALUES, blank, ALL_VALUES | {"either": 2**40})])
    assert rig.load().rows == 3
    rig.prove()
    names = [name for name, *_ in rig.rows("DESCRIBE events")]
    assert names[:3] == ["select", "_offset_2", "Select_2"]
    plain = [name for name in names[:20] if name not in ("at_ms", "at_us")]
    columns = ", ".join(f'"{name}"' for name in plain)
    (row, empty, third) = rig.rows(f"SELECT {columns} FROM events ORDER BY _offset")
    stored = dict(zip(plain, row, strict=True))
    assert stored.pop("_offset_2") == ALL_VALUES["_offset"]
    assert stored.pop("Select_2") == ALL_VALUES["Select"]
    assert stored == {name: ALL_VALUES[name] for name in stored}
    assert dict(zip(plain, empty, strict=True))["nested"] is None
    assert dict(zip(plain, third, strict=True))["either"] == 2**40
    assert rig.rows("SELECT DISTINCT epoch_us(at_ms), epoch_us(at_us) FROM events") == [
        (int(AT.timestamp() * 1000) * 1000, int(AT.timestamp() * 1000) * 1000 + 123)
    ]
    kinds = {name: kind for name, kind, *_ in rig.rows("DESCRIBE events")}
    assert kinds["at_ms"] == "TIMESTAMP WITH TIME ZONE"
    assert kinds["price"] == "DECIMAL(20,4)"
    assert UUID(stored["uuid"])


def test_every_leaf_of_more_than_131072_nested_rows_is_the_one_that_was_written(rig: Any) -> None:
    rig.create(partitions=2)
    count = 140_000
    values = rig.values(range(count))
    rig.produce(values[: count // 2], partition=0)
    rig.produce(values[count // 2 :], partition=1)
    assert rig.load().rows == count
    wrong = rig.rows(
        "SELECT count(*) FROM events WHERE text <> 'text-' || n OR place.city <> 'city-' || (n % 97) "
        "OR place.point.x <> n / 2 OR place.point.y IS DISTINCT FROM CASE WHEN n % 3 = 0 THEN NULL ELSE n::DOUBLE END"
    )
    assert wrong == [(0,)]
    assert rig.rows("SELECT count(DISTINCT n), min(n), max(n) FROM events") == [(count, 0, count - 1)]


def test_two_versions_in_one_topic_share_the_table(rig: Any) -> None:
    first = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, _nested("p", "int")]}
    second = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "b", "type": ["null", "string"], "default": None},
            _nested("p", "long", extra=True),
            {"name": "a", "type": "long"},
        ],
    }
    rig.create()
    old = rig.encode(first, [{"a": n, "p": {"x": n}} for n in range(50)])
    new = rig.encode(second, [{"a": 2**40 + n, "b": "new", "p": {"x": 2**50, "more": ["m"]}} for n in range(50)])
    mixed = [value for pair in zip(old, new, strict=True) for value in pair]
    rig.produce(mixed[:60])
    assert rig.load(batch_rows=20).rows == 60
    rig.produce(mixed[60:])
    assert rig.load().rows == 40
    rig.prove()
    assert rig.rows("SELECT a, b, p FROM events WHERE _offset IN (0, 1, 98, 99) ORDER BY _offset") == [
        (0, None, {"x": 0, "more": None}),
        (2**40, "new", {"x": 2**50, "more": ["m"]}),
        (49, None, {"x": 49, "more": None}),
        (2**40 + 49, "new", {"x": 2**50, "more": ["m"]}),
    ]
    assert rig.rows("SELECT len(schema_ids) FROM load_batches ORDER BY batch DESC LIMIT 1") == [(2,)]


def _nested(name: str, kind: str, *, extra: bool = False) -> dict[str, Any]:
    fields: list[dict[str, Any]] = [{"name": "x", "type": kind}]
    if extra:
        fields.append({"name": "more", "type": {"type": "array", "items": "string"}, "default": []})
    return {"name": name, "type": {"type": "record", "name": "P", "fields": fields}}


def test_the_ledger_covers_every_offset_of_every_partition(rig: Any) -> None:
    rig.create(partitions=2)
    rig.produce([*rig.values(range(500)), None, None, b"", b"junk"], partition=0)
    rig.produce(rig.values(range(300)), partition=1)
    result = rig.load(batch_rows=100)
    assert (result.rows, result.quarantined, result.tombstones) == (800, 2, 2)
    sums = rig.rows(
        "SELECT partition, min(start_offset), max(end_offset), sum(end_offset - start_offset), "
        "sum(events + quarantined + tombstones + absent) FROM load_batches GROUP BY partition ORDER BY partition"
    )
    assert sums == [(0, 0, 504, 504, 504), (1, 0, 300, 300, 300)]
    assert rig.rows("SELECT count(DISTINCT batch) >= 7, sum(value_bytes) > 0 FROM load_batches") == [(True, True)]


def test_a_queue_that_was_full_is_filled_again_at_once(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bounded._CLIENT, "queued_max_messages_kbytes", 64)
    rig.create()
    rig.produce([b"\0" * 100_000] * 200)  # each fills it; librdkafka would rest 20 times for a second
    began = monotonic()
    assert rig.load().quarantined == 200
    within(12, began, "the load")


def test_the_group_sees_the_position_and_the_loader_does_not_heed_it(rig: Any) -> None:
    from confluent_kafka import Consumer, TopicPartition

    rig.create()
    rig.produce(rig.values(range(20)))
    rig.load()
    group = Consumer(rig.connection.kafka.as_librdkafka(group_id=f"streamproof-load-{rig.topic}"))
    (committed,) = group.committed([TopicPartition(rig.topic, 0)], 10)
    assert committed.offset == 20
    group.commit(offsets=[TopicPartition(rig.topic, 0, 3)], asynchronous=False)
    group.close()
    rig.produce(rig.values([20]))
    assert rig.load().rows == 1
    rig.prove()


def test_the_group_is_told_while_the_load_goes_on_with_what_went_into_the_quarantine(rig: Any) -> None:
    from confluent_kafka import Consumer, TopicPartition

    rig.create()
    rig.produce([*rig.values(range(100)), b"not framed", *rig.values(range(101, 400))])
    group = Consumer(rig.connection.kafka.as_librdkafka(group_id=f"streamproof-load-{rig.topic}"))
    seen: list[TopicPartition] = []

    def told() -> bool:
        seen.extend(group.committed([TopicPartition(rig.topic, 0)], 10))
        return seen[-1].offset > 0

    def wait_for_the_group(progress: LoadProgress) -> None:
        if progress.offsets_done and (not seen or seen[-1].offset <= 0):
            wait_until(told, "the position of the group")

    rig.load(batch_rows=150, progress=wait_for_the_group)
    assert 0 < seen[-1].offset < 400
    assert told()
    group.close()
    assert seen[-1].offset == 400
    assert json.loads(seen[-1].metadata) == {
        "quarantined": 1,
        "last_error": "partition 0, offset 100, frame/bad_magic",
    }


def test_a_missing_topic_leaves_no_file(rig: Any) -> None:
    with pytest.raises(TopicMissing, match=rig.topic):
        rig.load()
    assert not rig.warehouse.exists()


def test_a_file_of_another_topic_is_refused(rig: Any, topic_name: Callable[[str], str]) -> None:
    rig.create()
    open_warehouse(rig.warehouse, topic=topic_name("other")).close()
    with pytest.raises(Misconfigured, match="holds the topic other-"):
        rig.load()


def test_a_stop_before_the_end_says_that_the_same_call_continues(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(3000)))
    stop = threading.Event()
    with pytest.raises(Interrupted, match="stopped"):
        rig.load(stop=stop, batch_rows=50, progress=lambda done: stop.set() if done.offsets_done else None)
    ((stored,),) = rig.rows("SELECT sum(next_offset)::BIGINT FROM load_offsets")
    assert 0 < stored < 3000
    assert rig.load().rows == 3000 - stored
    rig.prove()


def test_the_command_prints_one_document_and_logs_apart(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(10)))
    done = rig.run("--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    expected = {"topic": rig.topic, "rows": 10, "quarantined": 0, "tombstones": 0}
    assert document.items() >= expected.items()
    assert document["warehouse"] == str(rig.warehouse)
    assert document["partitions"] == [{"partition": 0, "start": 0, "end": 10, "next_offset": 10}]
