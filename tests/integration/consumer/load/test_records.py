"""What a record carries beside its value, from the broker into both stores and back out of the quarantine."""

from __future__ import annotations

import json
import threading
from typing import Any
from uuid import UUID

import duckdb
from confluent_kafka import Producer

from consumer.load.quarantine import replay
from schemas.formats.headers import VALUE_SCHEMA
from schemas.registry.gate import Registry
from tests.integration.consumer.load.conftest import framed
from tests.kit.commands import streamproof

ANY_TIME = {"message_timestamp_after_max_ms": str((1 << 63) - 1)}
TIMES = [1_700_000_000_000, 1_000, -2, -62_135_596_800_001, 253_402_300_800_000, 1_700_000_000_000_000]


def produce(rig: Any, values: list[bytes], **carried: Any) -> None:
    producer = Producer(rig.connection.kafka.as_librdkafka(linger_ms=5))
    for value in values:
        producer.produce(rig.topic, value, partition=0, **carried)
    assert producer.flush(30) == 0


def stored(rig: Any, columns: str) -> list[dict[str, Any]]:
    """Rows of events, as a proof reads them from either store."""
    with rig.place.to_look() as warehouse:
        relation: duckdb.DuckDBPyRelation = warehouse.connection.sql(f"SELECT {columns} FROM events ORDER BY _offset")
        return list(relation.to_arrow_table().to_pylist())


def test_headers_times_and_schemas_in_headers_come_through_the_quarantine_as_well(each_rig: Any) -> None:
    rig = each_rig
    rig.create(**ANY_TIME)
    (good,) = rig.values([1])
    head, payload = good[:5], good[5:]
    headers = [("trace", b"\xff\x00"), ("empty", b""), ("nothing", None), ("trace", b"again")]
    for time_ms in TIMES:
        produce(rig, [good], timestamp=time_ms, headers=headers)
    produce(rig, [payload, payload[:-1]], headers=[(VALUE_SCHEMA, head)])
    produce(rig, [payload], headers=[(VALUE_SCHEMA, b"\1" + UUID(int=7).bytes), *headers], timestamp=TIMES[-1])
    result = rig.load()
    assert (result.rows, result.quarantined) == (len(TIMES) + 1, 2)
    held = rig.rows("SELECT phase, error_class, _timestamp_ms FROM quarantine ORDER BY _offset")
    assert held == [("decode", "truncated", None), ("schema", "unknown_guid", TIMES[-1])]
    rows = stored(
        rig, "n, _headers, coalesce(_timestamp_ms, epoch_ms(_timestamp)) AS ms, _timestamp IS NULL AS strange"
    )
    assert [row["n"] for row in rows] == [1] * len(rows)
    named = [{"name": name, "value": value} for name, value in headers]
    assert [row["_headers"] for row in rows] == [named] * len(TIMES) + [[{"name": VALUE_SCHEMA, "value": head}]]
    assert [row["ms"] for row in rows][: len(TIMES)] == TIMES
    assert [row["strange"] for row in rows] == [False, False, False, True, True, True, False]
    rig.prove()
    again = replay(rig.connection, rig.place, stop=threading.Event())
    assert (again.replayed, again.remaining) == (0, 2)
    shown = streamproof("tail", rig.topic, "--from", "start", "--json").stdout.splitlines()
    assert [json.loads(line)["format"] for line in shown][-3:] == ["avro", "bytes", "bytes"]
    verified = streamproof("verify", rig.where, "--topic", rig.topic, "--sample", "100", "--json")
    faults = [proof for proof in verified.document["proofs"] if proof["faults"]]
    assert faults == [], verified.text


def test_keys_of_avro_are_text_beside_their_bytes(each_rig: Any) -> None:
    rig = each_rig
    rig.create()
    (good,) = rig.values([1])
    key = {"type": "record", "name": "K", "fields": [{"name": "id", "type": "long"}]}
    with Registry(rig.connection.registry) as registry:
        schema_id = registry.register(f"{rig.topic}-key", json.dumps(key)).id
    framed_key = framed(schema_id, key, {"id": 7})
    numbers = [good[:5] + b"\0\0\1", b"user"]  # eight bytes that begin like a value of this topic
    for raw in [framed_key, *numbers, None, framed_key]:
        produce(rig, [good], key=raw)
    assert rig.load().rows == 5
    rows = stored(rig, "_key, _key_json")
    assert [row["_key"] for row in rows] == [framed_key, *numbers, None, framed_key]
    assert [row["_key_json"] for row in rows] == ['{"id":7}', None, None, None, '{"id":7}']
    produce(rig, [good], key=framed(schema_id, key, {"id": 8}))
    assert rig.load().rows == 1
    assert stored(rig, "_key_json")[-1] == {"_key_json": '{"id":8}'}
    lines = streamproof("tail", rig.topic, "--from", "start", "--json").stdout.splitlines()
    assert [json.loads(line).get("key_json") for line in lines] == [{"id": 7}, None, None, None, {"id": 7}, {"id": 8}]
    rig.prove()


def test_each_event_says_its_record_type_once_there_are_several(each_rig: Any) -> None:
    rig = each_rig

    def one(name: str, n: int) -> list[bytes]:
        schema = {"type": "record", "name": name, "fields": [{"name": "n", "type": "int"}]}
        with Registry(rig.connection.registry) as registry:
            schema_id = registry.register(f"{rig.topic}-{name}", json.dumps(schema)).id
        return [framed(schema_id, schema, {"n": n})]

    rig.create()
    rig.produce(one("com.a.Same", 1))
    rig.load()
    assert "_record_name" not in stored(rig, "*")[0]
    rig.produce([*one("com.b.Same", 2), *one("com.a.Same", 3)])
    rig.load()
    rig.produce([*one("com.c.Other", 4), *one("com.b.Same", 5)])
    rig.load(batch_rows=1)
    names = [(row["n"], row["_record_name"]) for row in stored(rig, "n, _record_name")]
    assert names == [(1, "com.a.Same"), (2, "com.b.Same"), (3, "com.a.Same"), (4, "com.c.Other"), (5, "com.b.Same")]
    rig.prove()
