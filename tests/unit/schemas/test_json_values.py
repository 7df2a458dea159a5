"""JSON values: what is read is what was written, whoever wrote it, and what cannot be a row is refused by name."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import subprocess
import sys
import uuid
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import jsonschema  # type: ignore[import-untyped]  # it has no stubs of its own
import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.formats import CodecMismatch, ValueDecoder, ValueFormat, identity, identity_sql, value_format
from schemas.formats.avro.codec import Decoder as AvroDecoder
from schemas.formats.frame import frame_header
from schemas.formats.json.json_schema import contract_in, json_schema_of
from schemas.formats.json.reading import Decoder
from schemas.formats.json.writing import Encoder
from schemas.identity import event_id
from schemas.registry.contract import load_contract
from schemas.undecodable import UndecodableValue, UnsupportedSchema
from tests.kit.avro_rows import FAST_LOGICAL, FAST_PRIMITIVES, SLOW, as_dict, records, values_of, write
from tests.kit.depth import HASH_SEEDS, examples

RELAXED = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
LOCAL = {"type": "long", "logicalType": "local-timestamp-millis"}
NOTHING = {"type": "null"}  # a column of nothing has no member that another program could tell from an absent one


def schema_of(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "R", "fields": list(fields)})


def one(kind: Any, **more: Any) -> str:
    """Return the schema of a record with one field ``a``, and a text behind it."""
    return schema_of({"name": "a", "type": kind, **more}, {"name": "z", "type": "string", "default": ""})


def encoder(schema: str, *, framed: bool = False) -> Encoder:
    return Encoder(schema, 7, framed=framed)


def texts(schema: str, rows: list[dict[str, Any]]) -> list[str]:
    coder = encoder(schema)
    values: list[Any] = coder.encode(pa.RecordBatch.from_pylist(rows, schema=coder.arrow_schema)).to_pylist()
    return [value.decode() for value in values]


def batch_of(schema: Any, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Return rows as columns, by way of Avro: Arrow has no converter for unions."""
    return AvroDecoder(json.dumps(schema)).decode([write(schema, row) for row in rows])


def refusal(schema: str, value: bytes) -> str:
    """Return the class of a fault: the same alone, and among values that can be read."""
    decoder = Decoder(schema)
    with pytest.raises(UndecodableValue) as alone:
        decoder.decode_one(value)
    salvaged = decoder.salvage([value] * 3)
    assert {fault.kind for fault in salvaged.faults.values()} == {alone.value.kind}
    assert sorted(salvaged.faults) == [0, 1, 2]
    return alone.value.kind


# Round trips --------------------------------------------------------------------------------------------------------


@given(records(FAST_PRIMITIVES + FAST_LOGICAL + SLOW, unions=True))
@RELAXED
def test_what_is_written_is_read_whatever_the_type(sample):
    schema, rows = sample
    batch = batch_of(schema, rows)
    coder, decoder = encoder(json.dumps(schema)), Decoder(json.dumps(schema))
    values: list[Any] = coder.encode(batch).to_pylist()
    back = decoder.decode(values)
    back.validate(full=True)
    assert back.schema.equals(decoder.arrow_schema)
    assert back.equals(batch)
    assert coder.encode(back).to_pylist() == values
    assert [decoder.decode_one(value) for value in values] == batch.to_pylist()
    for value in values:
        assert json.dumps(json.loads(value), ensure_ascii=False) is not None
    coder.verify(batch)


@given(records([one for one in FAST_PRIMITIVES if one != NOTHING] + FAST_LOGICAL))
@RELAXED
def test_rows_of_a_slice_are_the_rows_of_the_whole(sample):
    schema, rows = sample
    batch = batch_of(schema, rows)
    coder = encoder(json.dumps(schema))
    whole = coder.encode(batch).to_pylist()
    assert [coder.encode(batch.slice(place, 1)).to_pylist()[0] for place in range(len(batch))] == whole


@given(records(FAST_PRIMITIVES + FAST_LOGICAL + SLOW, unions=True))
@RELAXED
def test_a_value_follows_the_json_schema_that_is_registered_for_it(sample):
    schema, rows = sample
    registered = json.loads(json_schema_of(json.dumps(schema)))
    jsonschema.Draft7Validator.check_schema(registered)
    for value in encoder(json.dumps(schema)).encode(batch_of(schema, rows)).to_pylist():
        jsonschema.validate(json.loads(value or b""), registered, cls=jsonschema.Draft7Validator)


@given(st.lists(st.floats() | st.sampled_from([-0.0, 5e-324, math.inf, -math.inf, math.nan]), min_size=2, max_size=6))
@RELAXED
def test_every_double_comes_back_with_all_its_bits(numbers):
    schema = one("double")
    coder = encoder(schema)
    batch = pa.RecordBatch.from_pylist([{"a": n, "z": ""} for n in numbers], schema=coder.arrow_schema)
    back = Decoder(schema).decode(coder.encode(batch).to_pylist())
    assert [repr(n) for n in back.column(0).to_pylist()] == [repr(n) for n in numbers]


@given(st.text(min_size=0, max_size=20))
@RELAXED
def test_every_text_comes_back(text):
    schema = one("string")
    (value,) = texts(schema, [{"a": text, "z": text}])
    assert json.loads(value) == {"a": text, "z": text}
    assert Decoder(schema).decode([value.encode()] * 2).column(0).to_pylist() == [text, text]


def test_the_same_row_is_the_same_bytes_in_every_process() -> None:
    code = (
        "import pyarrow as pa\n"
        "from schemas.registry.contract import load_contract\n"
        "from producer.scenarios import find_scenario\n"
        "from producer.send.supply import identified\n"
        "from schemas.formats import value_format\n"
        "import hashlib, numpy as np\n"
        "s = find_scenario('customer_events')\n"
        "e = value_format('json').encoder(load_contract(s.contract).version(1).text, 7)\n"
        "b = s.open(1, 0, s.settings(500, 1_700_000_000_000)).block(0).slice(0, 500)\n"
        "v = e.encode(identified(b, e, 'r', 0, np.arange(500), identity='field')).to_pylist()\n"
        "print(hashlib.sha256(b''.join(v)).hexdigest())\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": str(seed)}, capture_output=True, text=True, check=True
        ).stdout
        for seed in range(HASH_SEEDS)
    }
    assert len(said) == 1


def test_each_type_has_its_form() -> None:
    schema = schema_of(
        {"name": "n", "type": "null"},
        {"name": "b", "type": "boolean"},
        {"name": "l", "type": "long"},
        {"name": "f", "type": "float"},
        {"name": "d", "type": "double"},
        {"name": "raw", "type": "bytes"},
        {"name": "dec", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "tm", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "lts", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
        {"name": "m", "type": {"type": "map", "values": "int"}},
        {"name": "arr", "type": {"type": "array", "items": ["null", "string"]}},
    )
    moment = dt.datetime(1, 2, 3, 4, 5, 6, 7000)
    row = {
        "n": None, "b": True, "l": -(1 << 63), "f": 0.1, "d": math.inf, "raw": b"\x00\xff",
        "dec": decimal.Decimal("-0.0001"), "day": dt.date(999, 1, 2), "tm": dt.time(23, 59, 59, 999000),
        "ts": moment.replace(tzinfo=dt.UTC), "lts": moment, "e": "B", "m": [("k", 1)], "arr": ['"\n', None],
    }  # fmt: skip
    (value,) = texts(schema, [row])
    assert value == (
        '{"n":null,"b":true,"l":-9223372036854775808,"f":0.1,"d":"Infinity","raw":"AP8=","dec":"-0.0001",'
        '"day":"0999-01-02","tm":"23:59:59.999","ts":"0001-02-03T04:05:06.007000Z","lts":"0001-02-03T04:05:06.007",'
        '"e":"B","m":{"k":1},"arr":["\\"\\n",null]}'
    )


def test_a_union_says_which_branch_it_is() -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", "long", "string", "boolean"]}]}
    batch = batch_of(schema, [{"a": None}, {"a": 1}, {"a": "1"}, {"a": True}])
    values = encoder(json.dumps(schema)).encode(batch).to_pylist()
    assert values == [b'{"a":null}', b'{"a":{"long":1}}', b'{"a":{"string":"1"}}', b'{"a":{"boolean":true}}']
    assert Decoder(json.dumps(schema)).decode(values).equals(batch)


def test_the_registered_schema_carries_the_contract() -> None:
    contract = load_contract("customer_events").version(2).text
    assert contract_in(json_schema_of(contract)) == contract
    with pytest.raises(UnsupportedSchema, match="without a contract"):
        contract_in('{"type": "object"}')
    with pytest.raises(UnsupportedSchema, match="without a contract"):
        contract_in("[")


def test_two_branches_of_one_name_are_told_apart_by_their_whole_names() -> None:
    inner = {"type": "record", "fields": [{"name": "x", "type": "int"}]}
    decoder = Decoder(one([{**inner, "name": "p.T"}, {**inner, "name": "q.T"}]))
    rows = decoder.decode([b'{"a":{"q_T":{"x":1}},"z":""}', b'{"a":{"p_T":{"x":2}},"z":""}'])
    tags: Any = rows.column(0)
    assert tags.type_codes.to_pylist() == [1, 0]


def test_a_type_in_itself_and_a_record_without_fields_are_written_and_read() -> None:
    tree = {"type": "record", "name": "T", "fields": [{"name": "t", "type": {"type": "array", "items": "T"}}]}
    nothing = {"type": "record", "name": "Nothing", "fields": []}
    whole = {"type": "record", "name": "N", "fields": [{"name": "e", "type": tree}, {"name": "n", "type": nothing}]}
    coder = encoder(one(whole))
    row = {"a": {"e": {"t": ['{"t":[]}']}, "n": True}, "z": "x"}
    batch = pa.RecordBatch.from_pylist([row, row], schema=coder.arrow_schema)
    coder.verify(batch)
    value: Any = coder.encode(batch).to_pylist()[0]
    assert value.endswith(b'{"a":{"e":{"t":["{\\"t\\":[]}"]},"n":{}},"z":"x"}')


def test_a_sample_that_another_program_reads_differently_is_a_bug(monkeypatch) -> None:
    coder = encoder(one("string"))
    batch = pa.RecordBatch.from_pylist([{"a": "x", "z": ""}], schema=coder.arrow_schema)
    coder.verify(batch)
    monkeypatch.setattr("schemas.formats.json.writing._MUST_ESCAPE", "never")
    with pytest.raises((CodecMismatch, UndecodableValue)):
        coder.verify(pa.RecordBatch.from_pylist([{"a": 'x","z":"', "z": ""}], schema=coder.arrow_schema))


# Values of other programs -------------------------------------------------------------------------------------------

PLAIN = schema_of(
    {"name": "i", "type": "int"},
    {"name": "t", "type": "string"},
    {"name": "o", "type": ["null", "double"], "default": None},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {
        "name": "sub",
        "type": {"type": "record", "name": "S", "fields": [{"name": "l", "type": {"type": "array", "items": "long"}}]},
    },
)


@given(
    st.fixed_dictionaries({
        "i": st.integers(-(1 << 31), (1 << 31) - 1),
        "t": st.text(max_size=8),
        "o": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "sub": st.fixed_dictionaries({"l": st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=3)}),
    }),
    st.randoms(),
)  # fmt: skip
@RELAXED
def test_blanks_escapes_and_another_order_make_no_difference(row, random):
    row["at"] = "2026-01-31T12:00:00.250Z"
    names = list(row)
    random.shuffle(names)
    row = {name: row[name] for name in names}
    written = [
        json.dumps(row, indent=random.choice([None, 0, 3]), ensure_ascii=random.choice([True, False])).encode(),
        msgspec.json.encode(row),
        b" \r\n\t" + json.dumps(row).encode() + b"\n ",
    ]
    decoder = Decoder(PLAIN)
    rows = decoder.decode(written).to_pylist()
    wanted = dict(row, at=dt.datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=ZoneInfo("UTC")))
    assert [repr(dict(sorted(one.items()))) for one in rows] == [repr(dict(sorted(wanted.items())))] * 3
    assert [repr(decoder.decode_one(value)) for value in written] == [repr(one) for one in rows]


@pytest.mark.parametrize(
    ("kind", "said", "wanted"),
    [
        (MILLIS, "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
        (MILLIS, "2026-01-31t12:00:00.5+05:30", "2026-01-31T06:30:00.500Z"),
        (MICROS, "2026-01-31 12:00:00.123456000-00:00", "2026-01-31T12:00:00.123456Z"),
        (LOCAL, "2026-01-31T12:00:00", "2026-01-31T12:00:00.000"),
        ({"type": "int", "logicalType": "time-millis"}, "12:00:00", "12:00:00.000"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}, "1", "1.00"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}, "001.5", "1.50"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}, "1.500", "1.50"),
        ("double", 1, 1),
    ],
)  # fmt: skip
def test_other_forms_of_the_same_value_are_read(kind, said, wanted) -> None:
    schema = one(kind)
    values = [json.dumps({"a": each}).encode() for each in (said, wanted, said)]
    back = Decoder(schema).decode(values)
    assert len({repr(row["a"]) for row in back.to_pylist()}) == 1
    assert [json.loads(text or b"")["a"] for text in encoder(schema).encode(back).to_pylist()] == [wanted] * 3


FF = {"name": "x", "type": "bytes", "default": "\xff"}


def test_an_absent_member_is_its_default_or_null() -> None:
    schema = schema_of(
        {"name": "a", "type": "int"},
        {"name": "b", "type": "string", "default": "of old"},
        {"name": "c", "type": ["null", "long"]},
        {"name": "d", "type": ["long", "null"], "default": 5},
        {"name": "e", "type": {"type": "array", "items": "int"}, "default": [1, 2]},
        {"name": "f", "type": {"type": "record", "name": "F", "fields": [FF]}, "default": {}},
        {"name": "g", "type": ["string", "int", "null"], "default": "u"},
    )  # fmt: skip
    rows = Decoder(schema).decode([b'{"a":1}', b'{"a":2,"b":"new","c":3,"d":null}', b'{"a":3,"f":{}}']).to_pylist()
    old = {"b": "of old", "c": None, "d": 5, "e": [1, 2], "f": {"x": b"\xff"}, "g": "u"}
    assert rows[0] == {"a": 1, **old}
    assert rows[1] == {"a": 2, **old, "b": "new", "c": 3, "d": None}
    assert rows[2] == {"a": 3, **old}


def test_a_group_with_a_null_where_absent_is_a_default_is_read_value_by_value() -> None:
    inner = {"type": "record", "name": "I", "fields": [{"name": "n", "type": ["int", "null"], "default": 9}]}
    schema = schema_of({"name": "i", "type": ["null", inner]})
    assert Decoder(schema).decode([b'{"i":null}', b'{"i":{"n":1}}']).column(0).to_pylist() == [None, {"n": 1}]
    values = [b'{"i":null}', b'{"i":{}}', b'{"i":{"n":null}}']
    assert Decoder(schema).decode(values).column(0).to_pylist() == [None, {"n": 9}, {"n": None}]


# What is refused ----------------------------------------------------------------------------------------------------

REFUSED = [
    ("int", b"", "truncated"),
    ("int", b"   ", "truncated"),
    ("int", b'{"a":1', "truncated"),
    ("int", b'{"a":', "truncated"),
    ("int", b'{"a', "truncated"),
    ("int", b"{", "truncated"),
    ("int", b'{"a":1,', "truncated"),
    ("int", b'{"a":-', "truncated"),
    ("boolean", b'{"a":tr', "truncated"),
    ("string", b'{"a":"x', "truncated"),
    ("int", b'{"a":1}x', "trailing_bytes"),
    ("int", b'{"a":1}{"a":2}', "trailing_bytes"),
    ("int", b'{"a":1}\x00', "trailing_bytes"),
    ("int", b'\xef\xbb\xbf{"a":1}', "bad_syntax"),
    ("int", b'{"a":1,}', "bad_syntax"),
    ("int", b"{'a':1}", "bad_syntax"),
    ("int", b'{"a" 1}', "bad_syntax"),
    ("int", b'{"a":01}', "bad_syntax"),
    ("int", b'{"a":+1}', "bad_syntax"),
    ("int", b'{"a":1 /* one */}', "bad_syntax"),
    ("double", b'{"a":NaN}', "bad_syntax"),
    ("double", b'{"a":1.}', "bad_syntax"),
    ("string", b'{"a":"\n"}', "bad_syntax"),
    ("string", b'{"a":"\\x"}', "bad_syntax"),
    ("string", b'{"a":"\xff"}', "invalid_utf8"),
    ("string", b'{"a":"\xed\xa0\x80"}', "invalid_utf8"),
    ("string", b'{"a":"\\ud800"}', "invalid_utf8"),
    ("string", b'{"a":"\\udc00x"}', "invalid_utf8"),
    ("int", b"[1]", "wrong_type"),
    ("int", b"null", "wrong_type"),
    ("int", b'{"a":"1"}', "wrong_type"),
    ("int", b'{"a":null}', "wrong_type"),
    ("int", b'{"a":true}', "wrong_type"),
    ("string", b'{"a":1}', "wrong_type"),
    ("boolean", b'{"a":1}', "wrong_type"),
    ("double", b'{"a":"1"}', "wrong_type"),
    ({"type": "array", "items": "int"}, b'{"a":{}}', "wrong_type"),
    ({"type": "map", "values": "int"}, b'{"a":[]}', "wrong_type"),
    ("int", b'{"a":' + b"[" * 100_000, "wrong_type"),
    ("int", b"[" * 1_000_000, "wrong_type"),
    ({"type": "array", "items": "int"}, b'{"a":' + b"[" * 100_000, "wrong_type"),
    ("int", b"{}", "missing_member"),
    ("int", b'{"z":""}', "missing_member"),
    ("int", b'{"a":1,"b":2}', "unknown_member"),
    ("int", b'{"a":1,"b":' + b"[" * 100_000, "unknown_member"),
    ("int", b'{"a":1,"a":1}', "duplicate_key"),
    ("int", b'{"a":1,"\\u0061":1}', "duplicate_key"),
    ({"type": "map", "values": "int"}, b'{"a":{"k":1,"k":2}}', "duplicate_key"),
    ("int", b'{"a":1.0}', "bad_number"),
    ("int", b'{"a":1e2}', "bad_number"),
    ("int", b'{"a":2147483648}', "out_of_range"),
    ("long", b'{"a":9223372036854775808}', "out_of_range"),
    ("long", b'{"a":' + b"9" * 100_000 + b"}", "out_of_range"),
    ("double", b'{"a":1e309}', "out_of_range"),
    ("double", b'{"a":' + b"9" * 100_000 + b"}", "out_of_range"),
    ("float", b'{"a":1e39}', "out_of_range"),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, b'{"a":"B"}', "bad_enum"),
    (["null", "int", "string"], b'{"a":1}', "wrong_type"),
    (["null", "int", "string"], b'{"a":{"long":1}}', "bad_union"),
    (["null", "int", "string"], b'{"a":{"null":null}}', "bad_union"),
    (["null", "int", "string"], b'{"a":{"int":1,"string":"x"}}', "bad_union"),
    ("bytes", b'{"a":"AP8"}', "bad_text"),
    ("bytes", b'{"a":"A P8="}', "bad_text"),
    ({"type": "fixed", "name": "F", "size": 3}, b'{"a":"AP8="}', "bad_length"),
    ({"type": "int", "logicalType": "date"}, b'{"a":"2026-02-30"}', "bad_text"),
    ({"type": "int", "logicalType": "date"}, b'{"a":"0000-01-01"}', "bad_text"),
    ({"type": "int", "logicalType": "date"}, b'{"a":20000}', "wrong_type"),
    ({"type": "int", "logicalType": "time-millis"}, b'{"a":"24:00:00.000"}', "bad_text"),
    ({"type": "int", "logicalType": "time-millis"}, b'{"a":"23:00:00.0001"}', "out_of_range"),
    (MILLIS, b'{"a":"2026-01-01T00:00:00.000"}', "bad_text"),
    (MILLIS, b'{"a":"2026-01-01"}', "bad_text"),
    (MILLIS, b'{"a":"2026-01-01T00:00:60.000Z"}', "bad_text"),
    (MILLIS, b'{"a":"2026-01-01T00:00:00.0001Z"}', "out_of_range"),
    (MILLIS, b'{"a":"9999-12-31T23:59:59.999-01:00"}', "out_of_range"),
    (LOCAL, b'{"a":"2026-01-01T00:00:00.000Z"}', "bad_text"),
    ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, b'{"a":"123.45"}', "out_of_range"),
    ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, b'{"a":"1.234"}', "out_of_range"),
    ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, b'{"a":"1e1"}', "bad_text"),
    ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, b'{"a":1.23}', "wrong_type"),
]


@pytest.mark.parametrize(("kind", "value", "wanted"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_a_row_is_refused_by_name(kind, value, wanted) -> None:
    assert refusal(one(kind), value) == wanted


def test_a_message_holds_nothing_of_the_value() -> None:
    for kind, value, _ in REFUSED:
        secret = value.replace(b'"a"', b'"hunter2"').replace(b'"B"', b'"hunter2"')
        with pytest.raises(UndecodableValue) as refused:
            Decoder(one(kind)).decode_one(secret)
        assert "hunter2" not in refused.value.message


def test_values_that_are_whole_only_together_are_refused_one_by_one() -> None:
    schema = one("int")
    good, halves = b'{"a":1}', [b'{"a":1', b'"z":""}', b'{"a":1}{"a":1}', b""]
    salvaged = Decoder(schema).salvage([good, *halves, good])
    assert salvaged.kept == [0, 5]
    assert [salvaged.faults[i].kind for i in range(1, 5)] == ["truncated", "wrong_type", "trailing_bytes", "truncated"]


MUTANT = {
    "type": "record",
    "name": "Mutant",
    "fields": [
        {"name": "i", "type": "int"},
        {"name": "o", "type": ["null", "string"]},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
        {"name": "b", "type": "boolean"},
        {"name": "d", "type": "double"},
        {"name": "f", "type": "float"},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "tm", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "dec", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3}},
        {"name": "raw", "type": "bytes"},
        {"name": "a", "type": {"type": "array", "items": ["string", "null"]}},
    ],
}
PIECES = st.sampled_from([
    b'"', b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\\", b"null", b"-", b"0", b"9", b".", b"e", b"Z", b"T",
    b"+", b'"i":1', b'"o":null,', b"\x00", b"\xff", b"NaN", b"=", b'\\u0061', b'}\n{',
])  # fmt: skip


@given(values_of(as_dict(MUTANT) | {"fields": [f | {"type": as_dict(f["type"])} for f in MUTANT["fields"]]}), st.data())
@settings(max_examples=examples(150), deadline=None)
def test_the_fast_path_takes_nothing_that_the_strict_reader_does_not(row, data):
    coder = encoder(json.dumps(MUTANT))
    row["t"] = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    (good,) = coder.encode(pa.RecordBatch.from_pylist([row], schema=coder.arrow_schema)).to_pylist()
    payload = bytearray(good or b"")
    for _ in range(data.draw(st.integers(1, 3))):
        change = data.draw(st.sampled_from(["flip", "cut", "insert", "append", "drop"]))
        at = data.draw(st.integers(0, max(0, len(payload) - 1)))
        if change == "flip" and payload:
            payload[at] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "cut":
            del payload[at:]
        elif change == "insert":
            payload[at:at] = data.draw(PIECES)
        elif change == "drop":
            del payload[at : at + 1]
        else:
            payload += data.draw(PIECES)
    decoder = Decoder(json.dumps(MUTANT))
    try:
        strict = decoder.decode_one(bytes(payload))
    except UndecodableValue:
        strict = None
    try:
        fast = decoder._read_fast([good or b"", bytes(payload)]).to_pylist()[1]
    except UndecodableValue:
        return  # what it refuses, the strict reader is asked about
    assert repr(fast) == repr(strict)


# Identity and breaking ----------------------------------------------------------------------------------------------

ID = event_id("run", 3, 44)
OTHER = event_id("run", 3, 45)
IDENTITIES = [
    (f'{{"event_id":"{ID}","a":1}}', ID),
    (f'{{"a":1,"event_id":"{ID}"}}', ID),
    (f'{{ "event_id" : "{ID}" }}', ID),
    (f'{{"event_id":"{ID}","sub":{{"event_id":"{OTHER}"}}}}', ID),
    (f'{{"sub":{{"event_id":"{OTHER}"}}}}', ""),
    (f'{{"sub":{{"event_id":"{OTHER}"}},"event_id":"{ID}"}}', ID),
    (f'{{"t":"\\"event_id\\":\\"{OTHER}\\""}}', ""),
    (f'{{"t":"\\"event_id\\":\\"{OTHER}\\"","event_id":"{ID}"}}', ID),
    (f'{{"list":[{{"event_id":"{OTHER}"}}]}}', ""),
    (f'[{{"event_id":"{OTHER}"}}]', ""),
    (f'["event_id","{OTHER}"]', ""),
    (f'{{"event_id":["{OTHER}"]}}', ""),
    ('{"event_id":5}', ""),
    ('{"event_id":"short"}', ""),
    (f'{{"event_id":"{ID}x"}}', ""),
    (f'{{"event_id":"{ID}"', ID),  # cut behind it: it is ours all the same
    (f'{{"event_id":"{ID[:-1]}', ""),
    ('{"a":1}', ""),
    ("", ""),
    ("null", ""),
]


@pytest.mark.parametrize("name", ["json", "plain-json"])
@pytest.mark.parametrize(("text", "wanted"), IDENTITIES)
def test_the_identity_is_the_member_of_the_value_itself(name, text, wanted) -> None:
    written = value_format(name)
    value = (frame_header(7) if written.head_bytes else b"") + text.encode()
    assert written.identity(value).decode() == wanted
    ((found,),) = duckdb.execute(f"SELECT {written.identity_sql('v')} FROM (SELECT ? AS v)", [value]).fetchall()
    assert (found or "") == wanted


def test_values_of_another_format_have_no_identity_in_json() -> None:
    avro = value_format().encoder(schema_of({"name": "event_id", "type": "string"}), 7)
    rows = pa.RecordBatch.from_pylist([{"event_id": ID}], schema=avro.arrow_schema)
    (value,) = avro.encode(rows).to_pylist()
    for name in ("json", "plain-json"):
        assert value_format(name).identity(value or b"") == b""
        query = f"SELECT {value_format(name).identity_sql('v')} FROM (SELECT ? AS v)"
        assert duckdb.execute(query, [value]).fetchall() == [(None,)]
    framed = frame_header(7) + f'{{"event_id":"{ID}"}}'.encode()
    assert value_format().identity(framed) == b""
    assert value_format("plain-json").identity(framed) == b""


def read(written: ValueFormat, decoder: ValueDecoder, value: bytes) -> None:
    if written.head_bytes:
        assert written.schema_id(value[: written.head_bytes]) == 7
    decoder.decode_one(value[written.head_bytes :])


CHANCES = [0.0, 0.013, 0.25, 0.5, 0.77, 0.999999]


@pytest.mark.parametrize("name", ["json", "plain-json"])
def test_every_broken_value_is_refused(name) -> None:
    written = value_format(name)
    schema = schema_of({"name": "event_id", "type": "string"}, {"name": "n", "type": ["null", "long"]})
    coder = written.encoder(schema, 7)
    rows = [{"event_id": str(uuid.UUID(int=n)), "n": n or None} for n in range(20)]
    values: list[Any] = coder.encode(pa.RecordBatch.from_pylist(rows, schema=coder.arrow_schema)).to_pylist()
    break_value = written.breaker({}, None)
    decoder = written.decoder(schema)
    for kind in sorted(written.breaks):
        for value in values:
            for chance in CHANCES:
                broken = break_value(kind, value, chance)
                if kind == "undecodable.unknown_schema":
                    assert written.schema_id(broken[:5]) not in range(1, 1_000_000)
                    continue
                with pytest.raises(UndecodableValue) as refused:
                    read(written, decoder, broken)
                why = kind.removeprefix("undecodable.").replace("duplicate_member", "duplicate_key")
                assert refused.value.kind in (why, "truncated" if why == "empty" else why)


def test_a_plain_value_has_no_frame_to_break() -> None:
    plain = value_format("plain-json")
    assert plain.breaks == value_format("json").breaks - {"undecodable.bad_magic", "undecodable.unknown_schema"}
    with pytest.raises(ValueError, match="unknown kind"):
        plain.breaker({}, None)("undecodable.bad_magic", b'{"a":1}', 0.5)


@pytest.mark.parametrize(
    ("number", "text"),
    [(1.0, "1"), (-0.0, "-0"), (1e20, "1e+20"), (1e-7, "1e-7"), (123456789.125, "123456789.125"), (5e-324, "5e-324")],
)
def test_numbers_keep_their_form_over_versions_of_the_library(number: float, text: str) -> None:
    assert texts(one("double"), [{"a": number, "z": ""}]) == [f'{{"a":{text},"z":""}}']


@pytest.mark.parametrize("name", ["avro", "json", "plain-json"])
def test_the_identity_is_found_whatever_the_format(name: str) -> None:
    coder = value_format(name).encoder(schema_of({"name": "event_id", "type": "string"}), 7)
    rows = pa.RecordBatch.from_pylist([{"event_id": ID}], schema=coder.arrow_schema)
    (value,) = coder.encode(rows).to_pylist()
    assert identity(value or b"").decode() == ID
    assert duckdb.execute(f"SELECT {identity_sql('v')} FROM (SELECT ? AS v)", [value]).fetchall() == [(ID,)]
    assert identity(b"\x00\x00\x00\x00\x07nothing") == b""
