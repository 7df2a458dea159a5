"""What a value is, whatever its bytes are, without a registry; which fields are looked for."""

from __future__ import annotations

import json
import os
from typing import Any
from uuid import UUID

import pytest

from cluster.errors import Misconfigured
from consumer.tail.reveal import Reveal, SchemaSeen, json_value
from consumer.tail.wanted import Wanted
from schemas.formats import WrittenSchema, value_format
from schemas.formats.frame import frame_header
from schemas.formats.headers import VALUE_SCHEMA, guid_of_nobody
from schemas.undecodable import UnsupportedSchema

CONTRACT = json.dumps(
    {
        "type": "record",
        "name": "Row",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "tags", "type": {"type": "map", "values": "string"}},
        ],
    }
)


GUID = UUID(int=42)


class Shelf:
    """A registry in one dictionary."""

    asked = 0

    def schema(self, schema_id: int) -> WrittenSchema:
        self.asked += 1
        if schema_id == 7:
            return WrittenSchema(CONTRACT, "avro")
        raise UnsupportedSchema(f"the registry knows no schema with id {schema_id}", kind="unknown_schema")

    def named(self, schema_id: int) -> list[tuple[str, int]]:
        return [("other-value", 1), ("t-value", 4)]

    def id_of(self, guid: UUID) -> int:
        return 7 if guid == GUID else guid_of_nobody(guid)


def row(number: int) -> bytes:
    import datetime as dt

    import pyarrow as pa

    schema = value_format().encoder(CONTRACT, 7)
    at = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
    rows = [{"id": number, "at": at, "tags": [("a", "b")]}]
    encoded: bytes = schema.encode(pa.RecordBatch.from_pylist(rows, schema=schema.arrow_schema))[0].as_py()
    return encoded


def test_a_framed_value_is_shown_as_json_with_its_schema_and_the_topics_own_subject():
    (found,) = Reveal("t", Shelf)([row(1)], [None])
    assert (found.kind, found.schema) == ("avro", SchemaSeen(7, "t-value", 4))
    assert found.value == {"id": 1, "at": "2026-01-31T12:00:00.000Z", "tags": {"a": "b"}}


def test_values_of_all_kinds_are_told_apart_in_one_fetch_and_in_order():
    values = [
        row(1),
        None,
        b'{"a":1}',
        row(1)[:9],
        b"plain words",
        b"\xff\xfe",
        b"",
        frame_header(9) + b'{"b":2}',
        frame_header(9) + b"\x02\xff",
        b"\x00\x01",
        row(2),
        b"NaN",
    ]
    shelf = Shelf()
    found = Reveal("t", lambda: shelf)(values, [None] * len(values))
    assert [one.kind for one in found] == [
        *("avro", "tombstone", "plain-json", "bytes", "text", "bytes", "text"),
        *("json", "bytes", "bytes", "avro", "text"),
    ]
    faults = {row: one.fault[0] for row, one in enumerate(found) if one.fault is not None}
    assert faults == {3: "truncated", 5: "bad_magic", 8: "unknown_schema", 9: "short"}
    assert shelf.asked == 2


def test_without_a_registry_a_framed_value_is_bytes_and_says_why():
    (found,) = Reveal("t", None)([row(1)], [None])
    assert (found.kind, found.fault) == ("bytes", ("unknown_schema", "no registry is known that could tell the schema"))


def test_no_bytes_are_an_error():
    reveal = Reveal("t", Shelf)
    for size in range(1, 200):
        for head in (b"", frame_header(7), frame_header(8), b"{"):
            assert len(reveal([head + os.urandom(size)], [None])) == 1
    assert reveal([b"[" * 200_000], [None])[0].kind == "text"


@pytest.mark.parametrize(("text", "value"), [("9007199254740993", 9007199254740993), ("1e999", "1e999"), ("0.1", 0.1)])
def test_numbers_that_no_double_holds_stay_as_they_are_written(text, value):
    assert json_value(text.encode()) == value
    json.dumps(json_value(text.encode()), allow_nan=False)


VALUE = {"name": "purchase", "n": 3, "ok": True, "none": None, "in": {"kind": "x", "of": [{"id": "a"}]}, "a.b": "dots"}


@pytest.mark.parametrize(
    "text",
    ["name=purchase", "n=3", "ok=true", "none=null", "in.kind=x", "in.of.0.id=a", "a.b=dots"],
)
def test_a_field_is_found_by_its_path(text):
    assert Wanted.parse(None, [text]).has_fields(VALUE)


@pytest.mark.parametrize(
    "text", ["name=Purchase", "n=3.0", "ok=True", "in.kind=y", "in.of.1.id=a", "nowhere=1", "name.x=1"]
)
def test_a_field_with_another_value_is_not(text):
    assert not Wanted.parse(None, [text]).has_fields(VALUE)


def test_all_that_is_asked_for_must_hold_and_a_field_that_nobody_has_is_named():
    wanted = Wanted.parse(None, ["name=purchase", "in.knd=x"])
    assert not wanted.has_fields(VALUE)
    assert wanted.unmet() == "no value had a field in.knd, did you mean in.kind?"
    assert Wanted.parse(None, ["name=sale"]).unmet() is None


@pytest.mark.parametrize("text", ["name", "=purchase", " =x"])
def test_a_condition_without_a_field_is_refused(text):
    with pytest.raises(Misconfigured, match="does not say a field and its value"):
        Wanted.parse(None, [text])


def test_a_key_is_compared_as_text():
    assert Wanted(key="ä").has_key("ä".encode())
    assert not Wanted(key="a").has_key(None)
    assert Wanted().has_key(None)


def test_a_schema_in_a_header_is_the_one_that_counts() -> None:
    values: list[bytes | None] = [row(1)[5:], row(2)[5:], row(3), b"\0\0\0\0\0", None]
    said: list[Any] = [b"\0\0\0\0\7", b"\1" + GUID.bytes, None, b"\1" + bytes(16), b"\0\0\0\0\7"]
    headers = [None if each is None else [(VALUE_SCHEMA, each)] for each in said]
    found = Reveal("t", Shelf)(values, headers)
    assert [one.value and one.value["id"] for one in found] == [1, 2, 3, None, None]
    assert [one.kind for one in found] == ["avro", "avro", "avro", "bytes", "tombstone"]
    assert found[3].fault is not None
    assert found[3].fault[0] == "unknown_guid"
