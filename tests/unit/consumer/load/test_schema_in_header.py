"""A record that names its schema in a header: the value is the payload alone, whatever its first bytes look like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from consumer.proof.inside.quarantine_proof import prove_quarantine
from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from consumer.verify.contents import prove_bytes
from schemas.formats.frame import frame_header
from schemas.formats.headers import KEY_SCHEMA, VALUE_SCHEMA
from tests.kit.carried import ByHand, Carried, KnownSchemas, payload

GUID, STRANGER = UUID("6da336d8-f1d3-0f98-4c47-d03ee8a14a10"), UUID(int=7)
# Encoded, {"a": 0, "b": 1, ...} is 00 02 ...: as a frame, it would name a schema.
FIVE = {"type": "record", "name": "Five", "fields": [{"name": name, "type": "int"} for name in "abcde"]}
OTHER = {"type": "record", "name": "Other", "fields": [{"name": "a", "type": "int"}, {"name": "t", "type": "string"}]}
# The id that the payload of LIKE_A_FRAME would name.
MEANT, LOOKS_LIKE = 9, 2
LIKE_A_FRAME = payload(FIVE, {"a": 0, "b": 0, "c": 0, "d": 0, "e": 1})
SCHEMAS = {MEANT: FIVE, LOOKS_LIKE: OTHER}
BY_ID = b"\0" + MEANT.to_bytes(4, "big")


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "w.duckdb", topic="t") as warehouse:
        warehouse.rows("INSERT INTO load_offsets VALUES ('c', 't', 'id', 0, 0)")
        yield warehouse


@pytest.fixture
def loader(warehouse: Warehouse) -> ByHand:
    return ByHand(DuckDBSink(warehouse), KnownSchemas(SCHEMAS, {GUID: MEANT}))


def held(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return warehouse.rows("SELECT phase, error_class, schema_id FROM quarantine ORDER BY _offset")


@pytest.mark.parametrize(
    "said",
    [
        [(VALUE_SCHEMA, BY_ID)],
        [(VALUE_SCHEMA, b"\1" + GUID.bytes)],
        [("other", b"x"), (VALUE_SCHEMA, b"junk"), (VALUE_SCHEMA, BY_ID), (KEY_SCHEMA, b"junk")],
    ],
    ids=["id", "guid", "the last of several"],
)
def test_the_schema_is_the_one_in_the_header(warehouse: Warehouse, loader: ByHand, said: list[Any]) -> None:
    assert frame_header(LOOKS_LIKE) == LIKE_A_FRAME
    loader.load(
        Carried(LIKE_A_FRAME, said),
        Carried(frame_header(MEANT) + LIKE_A_FRAME),
        Carried(frame_header(LOOKS_LIKE) + payload(OTHER, {"a": 7, "t": "x"})),
        Carried(None, said),
    )
    rows = warehouse.rows("SELECT _schema_id, a, e, t FROM events ORDER BY _offset")
    assert rows == [(MEANT, 0, 1, None), (MEANT, 0, 1, None), (LOOKS_LIKE, 7, None, "x")]
    assert held(warehouse) == []


@pytest.mark.parametrize(
    ("said", "as_what"),
    [
        (None, ("frame", "bad_schema_header", None)),
        (b"", ("frame", "bad_schema_header", None)),
        (b"\0\0\0\0", ("frame", "bad_schema_header", None)),
        (b"\2" + GUID.bytes, ("frame", "bad_schema_header", None)),
        (b"\1" + GUID.bytes[:-1], ("frame", "bad_schema_header", None)),
        (b"\0\xff\xff\xff\xff", ("frame", "bad_schema_header", None)),
        (b"\1" + STRANGER.bytes, ("schema", "unknown_guid", None)),
    ],
    ids=str,
)
def test_a_header_that_names_none_is_told_by_its_class_and_the_value_is_not_guessed_at(
    warehouse: Warehouse, loader: ByHand, said: bytes | None, as_what: tuple[Any, ...]
) -> None:
    loader.load(Carried(frame_header(MEANT) + LIKE_A_FRAME, [(VALUE_SCHEMA, said)]))
    assert held(warehouse) == [as_what]
    assert prove_quarantine(warehouse).doubts == []


def test_the_columns_of_such_records_are_proved_by_the_bytes_that_came(warehouse: Warehouse, loader: ByHand) -> None:
    framed = Carried(frame_header(MEANT) + LIKE_A_FRAME)
    loader.load(Carried(LIKE_A_FRAME, [(VALUE_SCHEMA, BY_ID)]), framed, Carried(LIKE_A_FRAME, [("other", b"")]))
    assert [(proof.faults, proof.unknown) for proof in [prove_bytes(warehouse)]] == [([], [])]
    warehouse.rows("UPDATE events SET e = 2 WHERE _offset = 0")
    assert "partition 0 offset 0" in prove_bytes(warehouse).unknown[0]


def test_what_cannot_be_decoded_of_a_schema_in_a_header_is_held_as_such_and_replayed(
    warehouse: Warehouse, loader: ByHand
) -> None:
    said: list[Any] = [(VALUE_SCHEMA, b"\1" + GUID.bytes)]
    loader.load(Carried(LIKE_A_FRAME, said), Carried(LIKE_A_FRAME[:-1], said))
    assert held(warehouse) == [("decode", "truncated", MEANT)]
    assert prove_quarantine(warehouse).doubts == []


def test_a_guid_that_the_registry_learns_is_replayed(warehouse: Warehouse) -> None:
    said: list[Any] = [(VALUE_SCHEMA, b"\1" + GUID.bytes)]
    ByHand(DuckDBSink(warehouse), KnownSchemas(SCHEMAS)).load(Carried(LIKE_A_FRAME, said))
    assert held(warehouse) == [("schema", "unknown_guid", None)]
    later = ByHand(DuckDBSink(warehouse), KnownSchemas(SCHEMAS, {GUID: MEANT}))
    assert later.replay() == 1
    assert warehouse.rows("SELECT _schema_id, e, _headers[1].name FROM events") == [(MEANT, 1, VALUE_SCHEMA)]
    assert held(warehouse) == []
