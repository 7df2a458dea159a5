"""The codec: what it decodes is what was written, and what it cannot prove it refuses."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import pickle
import struct
from typing import Any

import duckdb
import pyarrow as pa
import pyruhvro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.errors import Misconfigured
from schemas.formats import CodecMismatch
from schemas.formats.avro.by_columns import compile_writer
from schemas.formats.avro.codec import Decoder, Encoder
from schemas.formats.avro.lockstep import UnevenLists, compile_columns
from schemas.formats.frame import HEADER_BYTES, frame_header, split_frame
from schemas.registry.contract import load_contract
from schemas.registry.gate import UnknownSchema
from schemas.types.arrow import typed_type
from schemas.types.tree import parse
from schemas.undecodable import UndecodableValue, UnsupportedSchema
from tests.kit.avro_rows import (
    FAST_LOGICAL,
    FAST_PRIMITIVES,
    SLOW,
    as_dict,
    pairs,
    records,
    unlabelled,
    values_of,
    write,
)
from tests.kit.depth import examples

CONTRACT = load_contract("customer_events")
CONTEXT = decimal.Context(prec=76)
RELAXED = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Decoding -------------------------------------------------------------------------------------------------------


@given(records(FAST_PRIMITIVES + FAST_LOGICAL))
@RELAXED
def test_what_fastavro_writes_the_fast_path_reads(sample):
    schema, rows = sample
    decoder = Decoder(json.dumps(schema))
    assert decoder.fast
    payloads = [write(schema, row) for row in rows]
    batch = decoder.decode(payloads)
    batch.validate(full=True)
    assert batch.schema.equals(decoder.arrow_schema)
    assert batch.to_pylist() == [pairs(row, schema) for row in rows]
    assert [decoder.decode_one(payload) for payload in payloads] == batch.to_pylist()


@given(records(FAST_PRIMITIVES + FAST_LOGICAL + SLOW, unions=True))
@RELAXED
def test_what_fastavro_writes_in_any_type_is_read(sample):
    schema, rows = sample
    decoder = Decoder(json.dumps(schema))
    batch = decoder.decode([write(schema, row) for row in rows])
    batch.validate(full=True)
    assert unlabelled(batch.to_pylist()) == unlabelled(rows)
    assert decoder.decode([]).schema.equals(decoder.arrow_schema)


@given(records(FAST_PRIMITIVES + FAST_LOGICAL + SLOW, unions=True))
@RELAXED
def test_all_rows_in_lockstep_read_what_the_strict_reader_reads(sample):
    schema, rows = sample
    decoder = Decoder(json.dumps(schema))
    payloads = [write(schema, row) for row in rows]
    columns = compile_columns(parse(json.dumps(schema)))(payloads)
    for column in columns:
        column.validate(full=True)
    assert decoder._typed(columns).equals(decoder.decode_strictly(payloads))


MUTANT = {
    "type": "record",
    "name": "Mutant",
    "fields": [
        {"name": "i", "type": "int"},
        {"name": "o", "type": ["null", "string"]},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
        {"name": "b", "type": "boolean"},
        {"name": "d", "type": "double"},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "a", "type": {"type": "array", "items": ["string", "null"]}},
        {"name": "m", "type": {"type": "map", "values": "int"}},
    ],
}


@given(values_of(as_dict(MUTANT) | {"fields": [f | {"type": as_dict(f["type"])} for f in MUTANT["fields"]]}), st.data())
@settings(max_examples=examples(60), deadline=None)
def test_the_fast_path_and_the_strict_reader_accept_the_same_values(row, data):
    row["t"] = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    payload = bytearray(write(MUTANT, row))
    good = bytes(payload)
    for _ in range(data.draw(st.integers(1, 3))):
        change = data.draw(st.sampled_from(["flip", "cut", "insert", "append"]))
        at = data.draw(st.integers(0, max(0, len(payload) - 1)))
        if change == "flip" and payload:
            payload[at] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "cut":
            del payload[at:]
        elif change == "insert":
            payload[at:at] = data.draw(st.binary(min_size=1, max_size=3))
        else:
            payload += data.draw(st.binary(min_size=1, max_size=12))
    decoder = Decoder(json.dumps(MUTANT))
    try:
        strict = decoder.decode_one(bytes(payload))
    except UndecodableValue:
        strict = None
    try:
        fast = decoder._read_fast([good, bytes(payload)]).to_pylist()[1]
    except UndecodableValue:
        fast = None
    assert repr(fast) == repr(strict)  # repr: a flipped double may be a NaN
    try:
        lockstep = decoder._typed(compile_columns(decoder._root)([good, bytes(payload), good])).to_pylist()[1]
    except UndecodableValue:
        lockstep = None
    assert repr(lockstep) == repr(strict)


KINDS = {
    "type": "record",
    "name": "Kinds",
    "fields": [
        {"name": "u", "type": ["null", "string", {"type": "array", "items": ["bytes", "null"]}]},
        {"name": "x", "type": {"type": "fixed", "name": "X", "size": 2}},
        {"name": "m", "type": {"type": "map", "values": {"type": "bytes", "logicalType": "decimal", "precision": 4}}},
        {"name": "b", "type": "bytes"},
        {"name": "f", "type": "float"},
        {"name": "r", "type": {"type": "array", "items": "Kinds"}},
    ],
}


@given(st.lists(st.binary(max_size=24), min_size=1, max_size=3), st.data())
@settings(max_examples=examples(100), deadline=None)
def test_any_bytes_are_read_in_lockstep_as_strictly_or_not_at_all(payloads, data):
    good = b"\x04\x02\x00\x02a\x00" + b"xx" + b"\x00" + b"\x02b" + b"\x00\x00\x80\x3f"
    good = good + b"\x02" + good + b"\x00\x00"
    changed = bytearray(good)
    changed[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    decoder = Decoder(json.dumps(KINDS))
    read = compile_columns(decoder._root)
    for payload in (*payloads, good, bytes(changed)):
        try:
            strict = decoder.decode_strictly([payload]).to_pylist()
        except UndecodableValue:
            strict = None
        try:
            # Beside the bytes of others, which must not be taken for its own.
            lockstep = decoder._typed(read([good, payload, good])).to_pylist()[1:2]
        except UndecodableValue:
            lockstep = None
        assert repr(lockstep) == repr(strict)


def test_a_list_that_is_much_longer_than_others_is_read_all_the_same():
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "bytes"}}]}
    rows = [{"a": [b""] * (20_000 if number == 7 else number % 3)} for number in range(100)]
    payloads = [write(schema, row) for row in rows]
    with pytest.raises(UnevenLists):
        compile_columns(parse(json.dumps(schema)))(payloads)
    assert Decoder(json.dumps(schema)).decode(payloads).to_pylist() == rows


def zigzag(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


POISON = {
    "string": {
        "empty": (b"", "truncated"),
        "cut": (zigzag(5) + b"abc", "truncated"),
        "trailing": (zigzag(1) + b"a!", "trailing_bytes"),
        "invalid utf-8": (zigzag(2) + b"\xff\xfe", "invalid_utf8"),
        "surrogate": (zigzag(3) + b"\xed\xa0\x80", "invalid_utf8"),
        "negative length": (zigzag(-5), "bad_length"),
        "huge length": (zigzag(1 << 62), "truncated"),
        "endless number": (b"\xff" * 11, "bad_number"),
    },
    "int": {
        "33 bits": (zigzag(1 << 32), "bad_number"),
        "cut": (b"\x80", "truncated"),
    },
    "boolean": {"five": (b"\x05", "bad_boolean")},
    "double": {"cut": (b"1234567", "truncated")},
    "optional": {"third branch": (zigzag(2), "bad_union"), "negative branch": (zigzag(-1) + b"\x00", "bad_union")},
    "enum": {"out of range": (zigzag(2), "bad_enum"), "negative": (zigzag(-1), "bad_enum")},
    "array": {
        "huge count": (zigzag(1 << 62), "truncated"),
        "block beyond the end": (zigzag(-1) + zigzag(1000) + zigzag(1) + b"\x00", "bad_length"),
    },
    "map": {"one key twice": (zigzag(2) + (zigzag(1) + b"k" + zigzag(7)) * 2 + b"\x00", "duplicate_key")},
    "timestamp": {"year 300000": (zigzag(1 << 53), "out_of_range")},
    "date": {"before the year 1": (zigzag(-800_000), "out_of_range")},
    "time": {"25 o'clock": (zigzag(25 * 3_600_000), "out_of_range")},
    "bytes": {"cut": (zigzag(5) + b"abc", "truncated"), "trailing": (zigzag(1) + b"ab", "trailing_bytes")},
    "decimal": {"too many digits": (zigzag(4) + b"\x7f\xff\xff\xff", "out_of_range")},
}
POISON_TYPES: dict[str, tuple[Any, bytes]] = {
    "string": ("string", zigzag(1) + b"a"),
    "int": ("int", zigzag(7)),
    "boolean": ("boolean", b"\x01"),
    "double": ("double", struct.pack("<d", 1.5)),
    "optional": (["null", "string"], b"\x00"),
    "enum": ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, b"\x00"),
    "array": ({"type": "array", "items": "string"}, b"\x00"),
    "map": ({"type": "map", "values": "int"}, b"\x00"),
    "timestamp": ({"type": "long", "logicalType": "timestamp-millis"}, zigzag(1)),
    "date": ({"type": "int", "logicalType": "date"}, zigzag(1)),
    "time": ({"type": "int", "logicalType": "time-millis"}, zigzag(1)),
    "bytes": ("bytes", zigzag(1) + b"a"),
    "decimal": ({"type": "bytes", "logicalType": "decimal", "precision": 3}, zigzag(1) + b"\x01"),
}


@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize(
    ("kind", "payload", "fault"),
    [
        pytest.param(kind, payload, fault, id=f"{kind}-{name}")
        for kind, cases in POISON.items()
        for name, (payload, fault) in cases.items()
    ],
)
def test_poison_is_named_and_its_neighbours_are_kept(kind, payload, fault, place):
    schema, good = POISON_TYPES[kind]
    decoder = Decoder(json.dumps({"type": "record", "name": "R", "fields": [{"name": "f", "type": schema}]}))
    values = [good] * 100
    at = {"first": 0, "middle": 50, "last": 99}[place]
    values[at] = payload
    salvaged = decoder.salvage(values)
    assert {index: error.kind for index, error in salvaged.faults.items()} == {at: fault}
    assert salvaged.kept == [index for index in range(100) if index != at]
    assert salvaged.batch.num_rows == 99
    assert salvaged.batch.schema.equals(decoder.arrow_schema)
    with pytest.raises(UndecodableValue) as raised:
        decoder.decode(values)
    assert raised.value.kind == fault
    with pytest.raises(UndecodableValue) as raised:
        decoder.decode_one(payload)
    assert (raised.value.kind, raised.value.phase) == (fault, "decode")


def test_a_group_of_nothing_but_poison_is_all_faults():
    decoder = Decoder(CONTRACT.version(1).text)
    salvaged = decoder.salvage([b"\x80"] * 500)
    assert salvaged.batch.num_rows == 0
    assert salvaged.batch.schema.equals(decoder.arrow_schema)
    assert len(salvaged.faults) == 500


def test_rows_keep_their_order_when_poison_lies_between_them():
    schema = {"type": "record", "name": "R", "fields": [{"name": "f", "type": "long"}]}
    values = [b"\x80" if number % 7 == 3 else zigzag(number) for number in range(1000)]
    salvaged = Decoder(json.dumps(schema)).salvage(values)
    assert salvaged.batch.column("f").to_pylist() == salvaged.kept == [n for n in range(1000) if n % 7 != 3]


@pytest.mark.parametrize("extra", range(1, 25))
def test_bytes_after_the_end_are_found_whatever_their_number(extra):
    decoder = Decoder(CONTRACT.version(1).text)
    payload = write(CONTRACT.version(1).schema, sample_event())
    salvaged = decoder.salvage([payload, payload + bytes(extra), payload + decoder._proof[:extra]])
    assert {index: fault.kind for index, fault in salvaged.faults.items()} == {1: "trailing_bytes", 2: "trailing_bytes"}


def test_blocks_with_sizes_and_long_numbers_are_read_as_avro_allows():
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "a", "type": {"type": "array", "items": "long"}}, {"name": "n", "type": "long"}],
    }
    payload = zigzag(-2) + zigzag(2) + zigzag(1) + zigzag(2) + zigzag(1) + zigzag(3) + b"\x00" + b"\x8a\x80\x00"
    decoder = Decoder(json.dumps(schema))
    assert decoder.decode([payload, payload]).to_pylist() == [{"a": [1, 2, 3], "n": 5}] * 2
    assert decoder.decode_one(payload) == {"a": [1, 2, 3], "n": 5}


@pytest.mark.parametrize(
    ("wrap", "levels", "payload"),
    [
        (lambda below, _: {"type": "array", "items": below}, 59, b"\x02" * 59 + b"\x06" + b"\0" * 59),
        (lambda below, _: {"type": "map", "values": below}, 29, b"\x02\x02k" * 29 + b"\x06" + b"\0" * 29),
        (
            lambda below, n: {"type": "record", "name": f"D{n}", "fields": [{"name": "f", "type": below}]},
            59,
            b"\x06",
        ),
    ],
    ids=["array", "map", "record"],
)
def test_the_deepest_schema_goes_to_the_warehouse_and_back(wrap, levels, payload):
    kind: Any = "int"
    for level in range(levels):
        kind = wrap(kind, level)
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]})
    batch = Decoder(text).decode([payload] * 3)
    with duckdb.connect() as connection:
        stored: Any = connection.from_arrow(pa.Table.from_batches([batch])).to_arrow_table()
    back = stored.combine_chunks().to_batches()[0]
    assert [value[5:] for value in Encoder(text, 1).encode(back).to_pylist()] == [payload] * 3


@pytest.mark.parametrize("items", ["null", {"type": "record", "name": "E", "fields": []}])
def test_items_without_bytes_are_read_and_a_billion_of_them_refused(items):
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": items}}]}
    decoder = Decoder(json.dumps(schema))
    salvaged = decoder.salvage([zigzag(3) + b"\x00", zigzag(1 << 30) + b"\x00", zigzag(60_000) * 2 + b"\x00"])
    assert len(salvaged.batch.column(0)[0]) == 3
    assert {index: fault.kind for index, fault in salvaged.faults.items()} == {1: "bad_length", 2: "bad_length"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{nope", "invalid_schema"),
        ('"string"', "unsupported_schema"),
        ("42", "invalid_schema"),
        ('{"type":"record","name":"R","fields":[{"name":"a","type":"strin"}]}', "invalid_schema"),
        ('{"type":"record","name":"R","fields":[{"name":"a","type":"R"}]}', "unsupported_schema"),
        ('["null",{"type":"record","name":"R","fields":[]}]', "unsupported_schema"),
    ],
)
def test_a_schema_that_no_table_holds_is_refused_with_a_reason(text, kind):
    with pytest.raises(UnsupportedSchema) as raised:
        Decoder(text)
    assert (raised.value.kind, raised.value.phase) == (kind, "schema")


def test_members_that_differ_in_nothing_but_case_are_read_strictly_too():
    kinds = [{"name": name, "type": "boolean"} for name in ("a", "A", "a_2")]
    inner = {"name": "r", "type": {"type": "record", "name": "I", "fields": kinds}}
    schema = json.dumps({"type": "record", "name": "R", "fields": [inner]})
    row = {"r": {"a": True, "A_2": False, "a_2_2": True}}
    assert Decoder(schema).decode_one(b"\x01\x00\x01") == row
    assert Decoder(schema).decode([b"\x01\x00\x01"] * 2).to_pylist() == [row, row]


def test_invalid_logical_types_are_ignored_as_the_specification_says():
    types_ = [
        {"type": "string", "logicalType": "timestamp-millis"},
        {"type": "bytes", "logicalType": "decimal", "precision": 60},
        {"type": "bytes", "logicalType": "decimal"},
        {"type": "long", "logicalType": "no-such-type"},
    ]
    schema = {"type": "record", "name": "R", "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(types_)]}
    kinds = [typed_type(node) for _, node in parse(json.dumps(schema)).fields]
    assert kinds == [pa.string(), pa.binary(), pa.binary(), pa.int64()]


def test_timestamps_carry_utc_at_every_depth():
    schema = Decoder(CONTRACT.version(2).text).arrow_schema
    assert schema.field("timestamp").type == pa.timestamp("ms", tz="UTC")
    assert schema.field("client_sent_at").type == pa.timestamp("ms", tz="UTC")
    for name in ("actions", "search_history"):
        items = schema.field(name).type.value_type
        assert items.field("timestamp").type == pa.timestamp("ms", tz="UTC")


# Encoding -------------------------------------------------------------------------------------------------------


def sample_event(**changes: Any) -> dict[str, Any]:
    at = dt.datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=dt.UTC)
    return {
        "event_id": "01234567-89ab-8cde-8f01-23456789abcd",
        "event_type": "search",
        "user_id": "u1",
        "session_id": "s1",
        "timestamp": at,
        "device": {"type": "mobile", "os": "iOS", "os_version": "19.1", "app_version": "1.2.3", "model": "iPhone 17"},
        "location": {"country": "FR", "city": "Orléans", "region": "Centre-Val de Loire", "timezone": "Europe/Paris"},
        "content": None,
        "subscription": {
            "plan": "basic",
            "start_date": dt.date(2025, 1, 2),
            "billing_cycle": "monthly",
            "connected_services": ["Mail"],
        },
        "details": None,
        "actions": [
            {
                "action_type": "click",
                "timestamp": at,
                "duration": None,
                "completed": True,
                "old_quality": None,
                "new_quality": None,
                "old_speed": None,
                "new_speed": None,
            }
        ],
        "recommendations": [],
        "search_history": [{"search_id": "q1", "timestamp": at, "query": "été", "results_count": 3}],
    } | changes


@given(st.lists(values_of(as_dict(CONTRACT.version(2).schema)), min_size=1, max_size=4))
@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_customer_event_is_written_as_fastavro_writes_it(rows):
    version = CONTRACT.version(2)
    encoder = Encoder(version.text, 258)
    batch = pa.RecordBatch.from_pylist(rows, schema=encoder.arrow_schema)
    encoder.verify(batch)
    for row, value in zip(rows, encoder.encode(batch).to_pylist(), strict=True):
        assert value == b"\x00\x00\x00\x01\x02" + write(version.schema, row)


@given(records(FAST_PRIMITIVES + FAST_LOGICAL))
@RELAXED
def test_what_the_encoder_writes_fastavro_reads(sample):
    schema, rows = sample
    encoder = Encoder(json.dumps(schema), 1)
    batch = pa.RecordBatch.from_pylist([pairs(row, schema) for row in rows], schema=encoder.arrow_schema)
    assert [value[5:] for value in encoder.encode(batch).to_pylist()] == [write(schema, row) for row in rows]


@given(records(FAST_PRIMITIVES + FAST_LOGICAL + SLOW, unions=True))
@RELAXED
def test_any_type_is_written_as_it_was_read(sample):
    schema, rows = sample
    encoder, decoder = Encoder(json.dumps(schema), 1), Decoder(json.dumps(schema))
    payloads = [write(schema, row) for row in rows]
    batch = decoder.decode(payloads)
    encoder.verify(batch)
    assert [value[5:] for value in encoder.encode(batch).to_pylist()] == payloads
    assert [value[5:] for value in encoder.encode(batch.slice(1)).to_pylist()] == payloads[1:]
    # By columns alone, which also writes what pyruhvro gives up on.
    assert compile_writer(parse(json.dumps(schema)))(batch, b"").to_pylist() == payloads


def test_a_slice_of_a_batch_is_encoded_as_that_slice():
    encoder = Encoder(CONTRACT.version(1).text, 1)
    rows = [sample_event(user_id=f"u{n}", details=None) for n in range(6)]
    batch = pa.RecordBatch.from_pylist(rows, schema=encoder.arrow_schema)
    assert encoder.encode(batch.slice(2, 3)).to_pylist() == encoder.encode(batch).to_pylist()[2:5]


def nested_schema() -> str:
    inner = {"type": "record", "name": "I", "fields": [{"name": "x", "type": "string"}]}
    fields = [
        {"name": "s", "type": "string"},
        {"name": "r", "type": ["null", inner]},
        {"name": "a", "type": {"type": "array", "items": "I"}},
        {"name": "m", "type": {"type": "map", "values": "long"}},
    ]
    return json.dumps({"type": "record", "name": "R", "fields": fields})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"s": None}, "s"),
        ({"r": {"x": None}}, "r.x"),
        ({"a": None}, "a"),
        ({"a": [{"x": "1"}, {"x": None}]}, "a[].x"),
        ({"a": [None]}, "a[]"),
        ({"m": [("k", None)]}, "m{}"),
    ],
)
def test_a_null_where_the_schema_allows_none_is_refused(change, path):
    encoder = Encoder(nested_schema(), 1)
    nullable = pa.schema([field.with_nullable(True) for field in encoder.arrow_schema])
    good = {"s": "", "r": None, "a": [], "m": []}
    assert len(encoder.encode(pa.RecordBatch.from_pylist([good, good], schema=nullable))) == 2
    with pytest.raises(ValueError, match=rf"column {path.replace('[', '.').replace(']', '.')} has a null"):
        encoder.encode(pa.RecordBatch.from_pylist([good, good | change], schema=nullable))


NOT_WRITTEN: dict[str, tuple[Any, Any, str]] = {
    "no symbol": (["bytes", {"type": "enum", "name": "E", "symbols": ["A"]}], (1, "B"), "no symbol of its enum"),
    "too long": ({"type": "fixed", "name": "F", "size": 1, "logicalType": "decimal", "precision": 2}, 200, "too long"),
    "null in a branch": (["long", {"type": "array", "items": "string"}], (1, ["a", None]), r"\[\] has a null"),
}


@pytest.mark.parametrize("case", NOT_WRITTEN)
def test_what_a_type_cannot_hold_is_refused_by_its_path(case):
    kind, value, says = NOT_WRITTEN[case]
    encoder = Encoder(json.dumps({"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]}), 1)
    layout: Any = encoder.arrow_schema.field("f").type
    if isinstance(value, tuple):
        branches = [pa.array([value[1] if code == value[0] else None], layout.field(code).type) for code in (0, 1)]
        names = [layout.field(code).name for code in (0, 1)]
        column: Any = pa.UnionArray.from_sparse(pa.array([value[0]], pa.int8()), branches, names)
    else:
        column = pa.array([value], pa.decimal128(9, 0)).view(layout)
    with pytest.raises(ValueError, match=f"column f.*{says}"):
        encoder.encode(pa.record_batch([column], names=["f"]))


@pytest.mark.parametrize("precision", [1, 9, 18, 19, 27, 38])
def test_a_decimal_is_written_as_short_as_it_goes_and_read_back(precision):
    ends = [0, 1, -1, *(sign * (1 << bits) + off for bits in range(7, 127) for off in (-1, 0, 1) for sign in (1, -1))]
    numbers = [number for number in [*ends, 10**precision - 1, 1 - 10**precision] if abs(number) < 10**precision]
    for kind in ({"type": "bytes"}, {"type": "fixed", "name": "F", "size": 17}):
        schema = {**kind, "logicalType": "decimal", "precision": precision, "scale": precision}
        text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "f", "type": schema}]})
        sizes = [(number + (number < 0)).bit_length() // 8 + 1 if "size" not in kind else 17 for number in numbers]
        raw = [number.to_bytes(size, "big", signed=True) for number, size in zip(numbers, sizes, strict=True)]
        payloads = [one if "size" in kind else zigzag(len(one)) + one for one in raw]
        batch = Decoder(text).decode(payloads)
        assert [int(value.as_py().scaleb(precision, CONTEXT)) for value in batch.column("f")] == numbers
        assert [value[HEADER_BYTES:] for value in Encoder(text, 1).encode(batch).to_pylist()] == payloads


def test_columns_are_taken_by_name_and_cast_without_loss():
    encoder = Encoder(
        '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"}]}', 1
    )
    batch = pa.record_batch({"b": ["x"], "z": [1.0], "a": pa.array([7], pa.int64())})
    assert encoder.encode(batch).to_pylist() == [frame_header(1) + zigzag(7) + zigzag(1) + b"x"]
    with pytest.raises(ValueError, match="column a does not fit"):
        encoder.encode(pa.record_batch({"a": pa.array([1 << 40]), "b": ["x"]}))
    with pytest.raises(ValueError, match="column b of the schema is not in the batch"):
        encoder.encode(pa.record_batch({"a": [1]}))


def test_a_schema_that_no_table_holds_is_no_encoders():
    with pytest.raises(Misconfigured, match="needs a record"):
        Encoder('"string"', 1)


def test_verification_finds_a_library_that_writes_other_bytes(monkeypatch):
    encoder = Encoder('{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}', 1)
    batch = pa.record_batch({"a": [1, 2, 3]})
    encoder.verify(batch)
    wrong = lambda batch, text, chunks: [pa.array([b"\x02"] * len(batch), pa.binary())]  # noqa: E731
    monkeypatch.setattr(pyruhvro, "serialize_record_batch", wrong)
    with pytest.raises(CodecMismatch, match="row 1"):
        encoder.verify(batch)


def test_verification_finds_bytes_that_are_read_rightly_and_that_no_other_program_writes(monkeypatch):
    items = {"type": "array", "items": "long"}
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": items}]})
    encoder = Encoder(text, 1)
    batch = pa.record_batch({"a": [[1, 2]]})
    encoder.verify(batch)
    two_blocks = b"\x02\x02\x02\x04\x00"
    assert Decoder(text).decode([two_blocks]).to_pylist() == [{"a": [1, 2]}]
    monkeypatch.setattr(pyruhvro, "serialize_record_batch", lambda *_: [pa.array([two_blocks], pa.binary())])
    with pytest.raises(CodecMismatch, match="row 0 of the sample has other bytes than fastavro"):
        encoder.verify(batch)


# Frames ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, (1 << 32) - 1), st.binary(max_size=20))
def test_a_frame_comes_apart_as_it_was_put_together(schema_id, payload):
    assert split_frame(frame_header(schema_id) + payload) == (schema_id, payload)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(b"", "empty"), (b"\x00\x00\x00\x01", "short"), (b"\x01\x00\x00\x00\x01x", "bad_magic"), (b"{", "bad_magic")],
)
def test_a_broken_frame_is_named(value, kind):
    with pytest.raises(UndecodableValue) as raised:
        split_frame(value)
    assert (raised.value.kind, raised.value.phase) == (kind, "frame")


@pytest.mark.parametrize(
    "error", [UndecodableValue("truncated", "m"), UnsupportedSchema("m"), UnknownSchema("m")], ids=lambda e: e.kind
)
def test_faults_cross_process_boundaries(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.kind, copy.message, copy.phase, str(copy)) == (
        type(error),
        error.kind,
        "m",
        error.phase,
        "m",
    )


def test_no_fault_shows_the_payload():
    decoder = Decoder('{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}')
    for payload in (zigzag(7) + b"hunter2!", zigzag(9) + b"hunter2", zigzag(8) + b"hunter2\xff"):
        with pytest.raises(UndecodableValue) as raised:
            decoder.decode_one(payload)
        assert "hunter" not in str(raised.value)
