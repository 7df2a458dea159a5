"""Keys that Avro wrote are text beside the raw bytes; what only looks like one stays bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import RegistryUnreachable
from consumer.load.keys import KeySchemas, decoder_of_keys
from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from schemas.formats import WrittenSchema
from schemas.formats.frame import frame_header
from schemas.formats.headers import KEY_SCHEMA
from tests.kit.carried import ByHand, Carried, KnownSchemas, payload

VALUE, KEY, BY_NAME, LONG, TEXT, ENUM, ELSEWHERE = 1, 2, 3, 4, 5, 6, 7
SCHEMAS: dict[int, Any] = {
    VALUE: {"type": "record", "name": "V", "fields": [{"name": "n", "type": "boolean"}]},
    KEY: {
        "type": "record",
        "name": "K",
        "namespace": "com.a",
        "fields": [{"name": "id", "type": "long"}, {"name": "tags", "type": {"type": "array", "items": "string"}}],
    },
    BY_NAME: {"type": "record", "name": "com.b.K", "fields": [{"name": "part", "type": ["null", "string"]}]},
    LONG: "long",
    TEXT: {"type": "string"},
    ENUM: {"type": "enum", "name": "E", "symbols": ["A", "B"]},
    ELSEWHERE: "long",
}
SUBJECTS = {
    VALUE: ["t-value"], KEY: ["other-key", "t-key"], BY_NAME: ["t-com.b.K"], LONG: ["t-key"], TEXT: ["t-key"],
    ENUM: ["t-key"], ELSEWHERE: ["other-key", "t-value"],
}  # fmt: skip
GOOD = frame_header(VALUE) + b"\1"


def key(schema_id: int, value: Any) -> bytes:
    return frame_header(schema_id) + payload(SCHEMAS[schema_id], value)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "w.duckdb", topic="t") as warehouse:
        warehouse.rows("INSERT INTO load_offsets VALUES ('c', 't', 'id', 0, 0)")
        yield warehouse


def loader(warehouse: Warehouse) -> ByHand:
    return ByHand(DuckDBSink(warehouse), KnownSchemas(SCHEMAS, subjects=SUBJECTS))


AVRO = [
    (key(KEY, {"id": 7, "tags": ["x", "é"]}), {"id": 7, "tags": ["x", "é"]}),
    (key(BY_NAME, {"part": None}), {"part": None}),
    (key(LONG, 1 << 40), 1 << 40),
    (key(TEXT, '"}'), '"}'),
    (key(ENUM, "B"), "B"),
]
BYTES = [
    None,
    b"",
    b"user-1",
    (5).to_bytes(8, "big"),
    ((ELSEWHERE << 24) + 5).to_bytes(8, "big"),  # a number whose first bytes are the frame of a schema that is there
    key(ELSEWHERE, 5),
    key(LONG, 5) + b"\0",
    frame_header(KEY),
    frame_header(VALUE) + b"\1",
    frame_header(99) + b"\1",
]


def test_keys_of_avro_are_text_and_all_others_stay_bytes(warehouse: Warehouse) -> None:
    by_hand = loader(warehouse)
    keys = [raw for pair in zip([raw for raw, _ in AVRO] * 2, BYTES, strict=True) for raw in pair]
    by_hand.load(*(Carried(GOOD, by=raw) for raw in keys))
    rows = warehouse.rows("SELECT _key, _key_json FROM events ORDER BY _offset")
    assert [raw for raw, _ in rows] == keys
    texts = [text and json.loads(text) for _, text in rows]
    assert texts[0::2] == [meant for _, meant in AVRO] * 2
    assert texts[1::2] == [None] * len(BYTES)
    assert {row[0] for row in warehouse.rows("SELECT schema_id FROM key_schemas")} == {KEY, BY_NAME, LONG, TEXT, ENUM}


def test_a_topic_without_keys_of_avro_has_no_such_column(warehouse: Warehouse) -> None:
    loader(warehouse).load(*(Carried(GOOD, by=raw) for raw in BYTES))
    assert warehouse.rows("SELECT count(*) FROM pragma_table_info('events') WHERE name = '_key_json'") == [(0,)]
    assert warehouse.rows("FROM key_schemas") == []


def test_a_schema_in_a_header_is_that_of_the_whole_key_whatever_its_subject(warehouse: Warehouse) -> None:
    said: list[Any] = [(KEY_SCHEMA, b"\0" + ELSEWHERE.to_bytes(4, "big"))]
    loader(warehouse).load(
        Carried(GOOD, said, payload("long", 0)), Carried(GOOD, said, key(KEY, {"id": 1, "tags": []}))
    )
    assert warehouse.rows("SELECT _key_json FROM events ORDER BY _offset") == [("0",), (None,)]


def test_a_key_comes_out_of_the_quarantine_as_text_too(warehouse: Warehouse) -> None:
    loader(warehouse).load(Carried(GOOD), Carried(frame_header(VALUE) + b"\7", by=AVRO[0][0]))
    warehouse.rows("UPDATE quarantine SET value = '\\x00\\x00\\x00\\x00\\x01\\x01'::BLOB")
    assert loader(warehouse).replay() == 1
    assert warehouse.rows("SELECT _key_json IS NOT NULL FROM events ORDER BY _offset") == [(False,), (True,)]


def test_numbers_that_look_like_frames_do_not_ask_the_registry_for_each_of_them(warehouse: Warehouse) -> None:
    class Counting(KnownSchemas):
        def schema(self, schema_id: int) -> WrittenSchema:
            asked.add(schema_id)
            return super().schema(schema_id)

    asked: set[int] = set()
    by_hand = ByHand(DuckDBSink(warehouse), Counting(SCHEMAS, subjects=SUBJECTS))
    by_hand.load(*(Carried(GOOD, by=(n << 24).to_bytes(8, "big")) for n in range(1_000, 2_000)))
    assert len(asked) <= 60
    assert warehouse.rows("SELECT count(*), count(_key) FROM events") == [(1_000, 1_000)]


class Silent:
    """A registry that does not answer."""

    def schema(self, schema_id: int) -> WrittenSchema:
        raise RegistryUnreachable("down")

    def named(self, schema_id: int) -> list[tuple[str, int]]:
        raise RegistryUnreachable("down")


def test_without_the_registry_known_keys_are_read_and_new_ones_wait_only_where_keys_are_avros() -> None:
    assert KeySchemas(Silent(), "t", {})(5, in_header=False) is None
    known = KeySchemas(Silent(), "t", {LONG: '"long"'})
    assert known(LONG, in_header=False) == '"long"'
    with pytest.raises(RegistryUnreachable):
        known(5, in_header=False)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "enum", "name": "Key", "symbols": ["A"]}, "A"),
        ({"type": "array", "items": {"type": "enum", "name": "Key", "symbols": ["A"]}}, ["A"]),
        (["null", {"type": "record", "name": "Key", "fields": [{"name": "key", "type": "string"}]}], {"key": "k"}),
    ],
)
def test_a_key_that_is_no_record_may_have_a_type_of_any_name(schema: Any, value: Any) -> None:
    raw = payload(schema, value)
    (text,) = decoder_of_keys(json.dumps(schema))([raw])
    assert text is not None
    assert json.loads(text) == value
