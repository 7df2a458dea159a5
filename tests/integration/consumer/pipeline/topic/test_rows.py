"""Records of any topic as rows: every record is one, in its place, whatever its value is."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from cluster.connection import Connection
from cluster.errors import Misconfigured, TopicMissing
from consumer.pipeline.topic.rows import open_topic
from consumer.sinks.batch import Fate
from schemas.formats import WrittenSchema, value_format
from schemas.identity import IDENTITY_HEADER, event_id

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}


def record(name: str, **fields: Any) -> dict[str, Any]:
    """The schema of a record."""
    return {"type": "record", "name": name, "fields": [{"name": field, "type": kind} for field, kind in fields.items()]}


SMALL = record(
    "Small",
    event_id="string",
    n="long",
    price=DECIMAL,
    inside=record("Inside", tags={"type": "array", "items": "string"}),
)


def small(n: int) -> dict[str, Any]:
    return {
        "event_id": event_id("run", 0, n),
        "n": n,
        "price": Decimal(n) / 100,
        "inside": {"tags": [str(n)] * (n % 3)},
    }


def rows_of(connection: Connection, topic: str, **how: Any) -> tuple[pa.Schema, list[dict[str, Any]]]:
    with open_topic(connection, topic, **how) as opened:
        schema = opened.schema
        found = []
        for partition, marks in opened.marks.items():
            for batch in opened.batches(partition, marks.low, marks.high):
                batch.validate(full=True)
                assert batch.schema == schema
                found += batch.to_pylist()
        return schema, found


def test_every_record_of_a_topic_in_avro_is_a_row_with_its_position_key_and_checksum(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic(partitions=2)
    values = topic.avro(SMALL, map(small, range(12_000)))
    topic.send(values[:11_000], partition=0, key=b"\x00\xff")
    topic.send(values[11_000:], partition=1, key=None)
    _, rows = rows_of(connection, topic.name)
    assert [row["n"] for row in rows] == list(range(12_000))
    assert [(row["_partition"], row["_offset"]) for row in rows] == [(n // 11_000, n % 11_000) for n in range(12_000)]
    assert {row["_key"] for row in rows[:11_000]} == {b"\x00\xff"}
    assert {row["_key"] for row in rows[11_000:]} == {None}
    assert [row["_crc32"] for row in rows] == [zlib.crc32(value) for value in values]
    assert {name: rows[5][name] for name in small(5)} == small(5)


def test_a_part_of_a_partition_can_be_read_again_and_again(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic(partitions=2)
    topic.send(topic.avro(SMALL, map(small, range(3_000))), partition=1)
    with open_topic(connection, topic.name) as opened:
        for first, end in [(10, 20), (0, 3_000), (2_990, 3_000), (10, 20), (7, 7)]:
            found = [offset for batch in opened.batches(1, first, end) for offset in batch["_offset"].to_pylist()]
            assert found == list(range(first, end))
        abandoned = opened.batches(1, 0, 3_000)
        next(abandoned)
        assert sum(len(batch) for batch in opened.batches(1, 5, 15)) == 10
        with pytest.raises(RuntimeError):
            list(abandoned)
        with pytest.raises(ValueError, match="beyond"):
            next(opened.batches(1, 0, 3_001))


def test_tombstones_and_values_that_cannot_be_decoded_are_rows_of_nulls_in_their_places(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic()
    good = topic.avro(SMALL, map(small, range(3)))
    broken = event_id("run", 0, 77)
    topic.send([good[0], None, b"", good[1], good[1][:-1], b'{"n": 1}'])
    topic.send([b"\x00\x0f\xff\xff\xff?"], headers=[(IDENTITY_HEADER, broken.encode())])
    topic.send([good[2]])
    with open_topic(connection, topic.name) as opened:
        (batch,) = opened.batches(0, 0, 8)
        faults = dict(opened.faults)
    rows = batch.to_pylist()
    assert [row["n"] for row in rows] == [0, None, None, 1, None, None, None, 2]
    event, bad, none = Fate.EVENT, Fate.QUARANTINED, Fate.TOMBSTONE
    assert [row["_fate"] for row in rows] == [event, none, bad, event, bad, bad, bad, event]
    assert [row["_offset"] for row in rows] == list(range(8))
    assert rows[6]["event_id"] == broken
    assert faults == {"empty": 1, "truncated": 1, "bad_magic": 1, "unknown_schema": 1}


def test_values_of_several_schemas_share_columns_that_hold_them_all(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic()
    one = record("V", n="int", ratio="float", what="string", same="long", inside=record("In", a="int"))
    two = record(
        "V", ratio="double", n="long", what="long", more=["null", "string"], inside=record("In", b="string", a="long")
    )
    topic.send(topic.avro(one, [{"n": 1, "ratio": 0.5, "what": "x", "same": 7, "inside": {"a": 1}}]))
    topic.send(
        topic.avro(
            two, [{"n": 1 << 40, "ratio": 0.1, "what": 9007199254740993, "more": "m", "inside": {"a": 2, "b": "b"}}]
        )
    )
    _, rows = rows_of(connection, topic.name)
    told = [{name: value for name, value in row.items() if not name.startswith("_")} for row in rows]
    assert told == [
        {"n": 1, "ratio": 0.5, "what": "x", "same": 7, "inside": {"a": 1, "b": None}, "more": None},
        {
            "n": 1 << 40,
            "ratio": 0.1,
            "what": "9007199254740993",
            "same": None,
            "inside": {"a": 2, "b": "b"},
            "more": "m",
        },
    ]


def test_framed_json_is_read_by_its_schema(connection: Connection, filled_topic: Callable[..., Any]) -> None:
    topic = filled_topic()
    schema = record("J", n="long", text="string")
    encoder = value_format("json").encoder(json.dumps(schema), topic.register(schema, "json"))
    topic.send(
        encoder.encode(pa.RecordBatch.from_pylist([{"n": 1, "text": "é\n"}], schema=encoder.arrow_schema)).to_pylist()
    )
    _, rows = rows_of(connection, topic.name)
    assert [(row["n"], row["text"]) for row in rows] == [(1, "é\n")]


def test_json_that_nobody_described_is_read_as_text_without_losing_a_digit(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic()
    topic.send([
        b'{"a": 0.1000000000000000055, "b": 9007199254740993, "c": "x", "d": {"z": [1.10, 1e5]}, "e": true}',
        b'{"c": 1.10, "f": null, "a": 1}',
        b"[1]",
        b"no",
        b'{"a": 1, "a": 2}',
        None,
    ])  # fmt: skip
    schema, rows = rows_of(connection, topic.name)
    members = ["a", "b", "c", "d", "e", "f"]
    assert schema.names[-6:] == members
    assert [[row[name] for name in members] for row in rows] == [
        ["0.1000000000000000055", "9007199254740993", "x", '{"z": [1.10, 1e5]}', "true", None],
        ["1", None, "1.10", None, None, None],
        *[[None] * 6] * 4,
    ]
    with open_topic(connection, topic.name) as opened:
        assert opened.schema == schema
        assert [opened.declared(name) for name in members] == [
            "json number", "json number", "json string or number", "json object", "json boolean", "json null"
        ]  # fmt: skip


def test_json_without_a_frame_is_read_by_a_contract_that_is_told(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic()
    topic.send([b'{"n":1}', b'{"n":"x"}'])
    told = WrittenSchema(json.dumps(record("P", n="long")), "plain-json")
    _, rows = rows_of(connection, topic.name, plain=told)
    assert [row["n"] for row in rows] == [1, None]


@pytest.mark.parametrize("described", [True, False])
def test_an_identity_in_a_header_is_a_column_where_values_have_none(
    connection: Connection, filled_topic: Callable[..., Any], *, described: bool
) -> None:
    topic = filled_topic()
    value = topic.avro(record("N", n="long"), [{"n": 1}])[0] if described else b'{"n": 1}'
    topic.send([value])
    topic.send([value, b""], headers=[(IDENTITY_HEADER, b"an-id")])
    _, rows = rows_of(connection, topic.name)
    assert [row["event_id"] for row in rows] == [None, "an-id", "an-id"]


def test_a_field_named_event_id_that_is_no_identity_of_ours_stays_apart_from_the_header(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic()
    topic.send(topic.avro(record("N", event_id="long"), [{"event_id": 5}]), headers=[(IDENTITY_HEADER, b"an-id")])
    with open_topic(connection, topic.name) as opened:
        (batch,) = opened.batches(0, 0, 1)
        assert opened.identity == "_event_id"
    assert batch.select(["event_id", "_event_id"]).to_pylist() == [{"event_id": 5, "_event_id": "an-id"}]


def test_names_that_differ_in_case_or_are_ours_get_columns_of_their_own(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    topic = filled_topic()
    topic.send(topic.avro(record("N", a="long", A="long", _offset="long"), [{"a": 1, "A": 2, "_offset": 3}]))
    _, rows = rows_of(connection, topic.name)
    assert [(row["a"], row["A_2"], row["_offset_2"], row["_offset"]) for row in rows] == [(1, 2, 3, 0)]


def test_an_empty_topic_has_no_columns_but_those_of_every_record(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    schema, rows = rows_of(connection, filled_topic(partitions=3).name)
    assert (rows, all(name.startswith("_") for name in schema.names)) == ([], True)


def test_a_missing_topic_and_a_missing_registry_are_said(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    with pytest.raises(TopicMissing), open_topic(connection, "no-such-topic"):
        pass
    topic = filled_topic()
    topic.send(topic.avro(record("N", n="long"), [{"n": 1}]))
    alone = Connection.of({"bootstrap_servers": connection.kafka.bootstrap_servers})
    with open_topic(alone, topic.name) as opened, pytest.raises(Misconfigured, match="Registry"):
        _ = opened.schema


EVERYTHING = record(
    "Everything",
    i="int",
    f="float",
    b="bytes",
    fx={"type": "fixed", "name": "Four", "size": 4},
    e={"type": "enum", "name": "Choice", "symbols": ["A", "B"]},
    m={"type": "map", "values": "long"},
    l={"type": "array", "items": {"type": "array", "items": ["null", "string"]}},
    u=["null", "long", "string"],
    o=["null", record("Inner", at={"type": "long", "logicalType": "timestamp-micros"}, deep=["null", "int"])],
    d=DECIMAL,
    day={"type": "int", "logicalType": "date"},
    t={"type": "int", "logicalType": "time-millis"},
    tu={"type": "long", "logicalType": "time-micros"},
    lt={"type": "long", "logicalType": "local-timestamp-millis"},
    n="null",
)


def everything(n: int) -> dict[str, Any]:
    return {
        "i": n,
        "f": n / 2,
        "b": bytes([n]),
        "fx": b"\x00\xff\x00" + bytes([n]),
        "e": "AB"[n % 2],
        "m": {"k": n},
        "l": [[str(n), None], []],
        "u": [None, n, str(n)][n % 3],
        "o": None if n % 2 else {"at": n, "deep": None if n % 4 else n},
        "d": Decimal(n) / 100,
        "day": n,
        "t": n,
        "tu": n,
        "lt": n,
        "n": None,
    }


def test_rows_of_every_type_stand_beside_rows_of_nulls_and_of_other_schemas(
    connection: Connection, filled_topic: Callable[..., Any]
) -> None:
    alone, beside, mixed = filled_topic(), filled_topic(), filled_topic()
    alone.send(alone.avro(EVERYTHING, map(everything, range(12))))
    whole = rows_of(connection, alone.name)[1]
    fields = [name for name in whole[0] if not name.startswith("_")]

    def told(rows: list[dict[str, Any]]) -> list[list[Any]]:
        return [[row[name] for name in fields] for row in rows]

    values = beside.avro(EVERYTHING, map(everything, range(12)))
    beside.send([value for good in values for value in (None, good, b"")])
    rows = rows_of(connection, beside.name)[1]
    assert told(rows[1::3]) == told(whole)
    assert all(value is None for row in told(rows[::3]) for value in row)

    wider = {
        **EVERYTHING,
        "fields": [{**field, "type": "long"} if field["name"] == "i" else field for field in EVERYTHING["fields"]],
    }
    first = mixed.avro(EVERYTHING, map(everything, range(6)))
    mixed.send([*first, None, *mixed.avro(wider, map(everything, range(6, 12)))])
    schema, rows = rows_of(connection, mixed.name)
    assert schema.field("i").type == pa.int64()
    assert told([row for row in rows if row["_offset"] != 6]) == told(whole)
