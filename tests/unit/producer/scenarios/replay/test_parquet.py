"""A value of Parquet is taken only where the type of its field says it again; all else is set aside with its row."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.errors import Misconfigured
from producer.scenarios.replay.files import Files
from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows import MOST_ROW_BYTES
from producer.scenarios.replay.rows.lines import CHUNK_BYTES
from producer.scenarios.replay.rows.parquet_rows import open_parquet
from producer.scenarios.replay.rows.parquet_values import fitted
from producer.scenarios.replay.staged.copy import Staged
from producer.scenarios.replay.staged.make import stage
from schemas.types.node import Node
from schemas.types.tree import parse
from tests.kit.depth import examples

DAY, MILLIS = {"type": "int", "logicalType": "date"}, {"type": "long", "logicalType": "timestamp-millis"}
LOCAL = {"type": "long", "logicalType": "local-timestamp-micros"}
PRICE = {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}
UUID = {"type": "fixed", "name": "U", "size": 16}
US, UTC = pa.timestamp("us"), pa.timestamp("us", "UTC")


def schema(**fields: Any) -> str:
    told = [{"name": name, "type": kind} for name, kind in fields.items()]
    return json.dumps({"type": "record", "name": "R", "fields": told})


def staged(folder: Path, tmp_path: Path, text: str | None = None, /, **files: pa.Table) -> Staged:
    for name, table in files.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return stage(Files(folder, suffix=".parquet").find(), Reading("parquet", "row", schema=text), tmp_path / "copies")


def told(copy: Staged) -> list[tuple[int, str, str]]:
    return [(each.aside.line, each.aside.reason, each.aside.detail) for each in copy.read_aside()]


NUMBERS = {
    "long": Node("long"),
    "int": Node("int"),
    "double": Node("double"),
    "float": Node("float"),
    "price": Node("bytes", logical="decimal", precision=5, scale=2),
}
WHOLE = st.one_of(st.integers(-300, 300), st.sampled_from([2**24 + 1, 2**31, 2**53 + 1, 2**62, 2**63 - 1, -(2**63)]))
ANY_FLOAT = st.one_of(st.floats(allow_nan=False), st.sampled_from([0.1, 1.25, 999.99, 2.0**63, 1e300, 5e-324]))
GIVEN = st.one_of(
    st.tuples(st.just(pa.int64()), st.lists(WHOLE, max_size=6)),
    st.tuples(st.just(pa.uint64()), st.lists(st.sampled_from([0, 7, 2**53 + 1, 2**63, 2**64 - 1]), max_size=6)),
    st.tuples(st.just(pa.uint32()), st.lists(st.sampled_from([0, 7, 2**24 + 1, 2**31, 2**32 - 1]), max_size=6)),
    st.tuples(st.just(pa.float64()), st.lists(ANY_FLOAT, max_size=6)),
    st.tuples(st.just(pa.float32()), st.lists(st.floats(width=32, allow_nan=False), max_size=6)),
    st.tuples(
        st.just(pa.decimal128(30, 9)),
        st.lists(st.decimals(-(10**12), 10**12, places=9, allow_nan=False), max_size=6),
    ),
)


def says_again(value: Any, given: Any) -> bool:
    """Python compares its numbers exactly. A decimal and a float say each other in the digits of the decimal."""
    if isinstance(given, Decimal) and isinstance(value, float):
        return round(Decimal(value), 9) == given
    return bool(value == given or (isinstance(given, float) and given in (float(value), single(value))))


def single(value: Any) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


@given(column=GIVEN, wanted=st.sampled_from(sorted(NUMBERS)))
@settings(max_examples=examples(150), deadline=None)
def test_a_number_that_is_taken_says_the_one_that_was_there_again(column, wanted):
    kind, numbers = column
    array = pa.array(numbers, kind)
    found = fitted(array, NUMBERS[wanted], "n")
    bad = np.zeros(len(array), dtype=bool)
    for _, _, rows in found.faults:
        bad |= rows
    for number, value, is_bad in zip(array.to_pylist(), found.values.to_pylist(), bad.tolist(), strict=True):
        assert is_bad or says_again(value, number)
        small = isinstance(number, int) and abs(number) <= 300
        assert not (small and is_bad), "a small whole number is one of every type of numbers"


@pytest.mark.parametrize(
    ("values", "kind", "wanted", "taken"),
    [
        (pa.array([1.0, 1.5, None]), None, "long", [1]),
        (pa.array([0.5, 0.1, 1e300]), None, "float", [0.5]),
        (pa.array([1.5, 0.155, 0.1]), None, PRICE, [Decimal("1.50"), Decimal("0.10")]),
        (pa.array([1]), None, "string", []),
        (pa.array(["1"]), None, "long", []),
        (pa.array([True]), None, "long", []),
        (pa.array([b"x"]), None, "string", []),
        (pa.array(["x"]), None, "bytes", []),
        (pa.array(["A", "Z"]), None, {"type": "enum", "name": "E", "symbols": ["A"]}, ["A"]),
        (pa.array(["A", "B"]).dictionary_encode(), None, "string", ["A", "B"]),
        (pa.array([b"x" * 16]).cast(pa.binary(16)), None, UUID, [b"x" * 16]),
        (pa.array([b"x" * 8]).cast(pa.binary(8)), None, UUID, []),
        ([0, 86_400_000_000, 5], US, DAY, [dt.date(1970, 1, 1), dt.date(1970, 1, 2)]),
        ([5], US, "long", []),
        ([5_000], US, MILLIS, []),  # a local time is no moment
        ([5_000, 5_001], UTC, MILLIS, [dt.datetime(1970, 1, 1, 0, 0, 0, 5_000, tzinfo=dt.UTC)]),
        ([5_000], UTC, LOCAL, []),
        ([5], pa.int64(), MILLIS, [dt.datetime(1970, 1, 1, 0, 0, 0, 5_000, tzinfo=dt.UTC)]),
        ([2**62, -(2**62)], UTC, MILLIS, []),
        ([5_000, 5_001], pa.timestamp("ns"), LOCAL, [dt.datetime(1970, 1, 1, 0, 0, 0, 5)]),
        ([1_000], pa.duration("us"), "long", []),
    ],
)
def test_what_a_type_does_not_hold_exactly_is_set_aside(folder, tmp_path, values, kind, wanted, taken):
    array = values if kind is None else pa.array(values, kind)
    found = staged(folder, tmp_path, schema(a=wanted), x=pa.table({"a": array}))
    assert found.whole.read(0, 9).column("a").to_pylist() == taken
    assert found.rows + found.set_aside == len(array)
    assert {reason for _, reason, _ in told(found)} <= {"wrong_type", "empty_field"}


def test_texts_are_looked_at_as_parquet_does_not(folder, tmp_path):
    raw = pa.array([b"\xff\xfe", b"ok", b"a\0b", b"x" * (MOST_ROW_BYTES + 1)])
    texts = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    found = staged(folder, tmp_path, x=pa.table({"a": texts}))
    assert found.whole.read(0, 9).column("a").to_pylist() == ["ok"]
    assert [(line, reason) for line, reason, _ in told(found)] == [(1, "encoding"), (3, "nul"), (4, "too_long")]
    assert next(found.read_aside()).aside.raw == b'{"a": "\xff\xfe"}'


def test_what_is_within_is_held_against_the_schema_and_its_row_set_aside(folder, tmp_path):
    inner = {"type": "record", "name": "I", "fields": [{"name": "y", "type": "string"}, {"name": "x", "type": "long"}]}
    text = schema(
        id="long", many={"type": "array", "items": "int"}, of={"type": "map", "values": "float"}, one=["null", inner]
    )
    good: dict[str, Any] = {"id": 1, "many": [1, 2], "of": [("a", 0.5)], "one": {"x": 1, "y": "z"}}
    rows = [
        good,
        {**good, "many": [1, 2**40]},
        {**good, "many": [None]},
        {**good, "of": [("a", 0.1)]},
        {**good, "of": [("a", 1.0), ("a", 2.0)]},
        {**good, "one": {"x": None, "y": "z"}},
        {**good, "one": None, "many": [], "of": []},
    ]
    kind = pa.schema({
        "id": pa.int64(),
        "many": pa.large_list(pa.int64()),
        "of": pa.map_(pa.string(), pa.float64()),
        "one": pa.struct({"x": pa.int64(), "y": pa.large_string()}),
    })  # fmt: skip
    table = pa.Table.from_pylist(rows, kind)
    found = staged(folder, tmp_path, text, x=table)
    assert found.whole.read(0, 9).to_pylist() == [
        {**good, "one": {"y": "z", "x": 1}},
        {**good, "one": None, "many": [], "of": []},
    ]
    assert told(found) == [
        (2, "wrong_type", "many[] is no int"),
        (3, "empty_field", "many[] is null"),
        (4, "wrong_type", "of{} is no float"),
        (5, "wrong_type", "of has a key twice"),
        (6, "empty_field", "one.x is null"),
    ]
    # A part of a batch, whose offsets do not begin at 0, is read as the whole.
    batch = table.to_batches()[0].slice(3)
    root = parse(text)
    for name, node in root.fields:
        assert fitted(batch.column(name), node, name).values.to_pylist()[-1] == rows[-1][name]


def test_a_row_is_kept_whatever_it_holds_and_however_deep(folder, tmp_path):
    raw = pa.array([b"\xff"])
    bad = pa.Array.from_buffers(pa.string(), 1, raw.buffers())
    far = pa.array([2**62], UTC)
    maps: Any = pa.MapArray
    one: Any = pa.array([0, 1], pa.int32())
    table = pa.table({
        "a": pa.StructArray.from_arrays([bad, far], ["x", "y"]),
        "b": pa.ListArray.from_arrays(one, bad),
        "c": maps.from_arrays(one, bad, far),
        "d": bad.dictionary_encode(),
        "e": pa.array([1_000_000_001], pa.timestamp("ns")),
        "f": bad.cast(pa.large_binary()),
    })  # fmt: skip
    kinds = dict.fromkeys("abcdef", "long")
    found = staged(folder, tmp_path, schema(**kinds), x=table)
    (kept,) = found.read_aside()
    assert kept.aside.raw == (
        b'{"a": {"x": "\xff", "y": "4611686018427387904 timestamp[us, tz=UTC]"}, "b": ["\xff"], '
        b'"c": [{"key": "\xff", "value": "4611686018427387904 timestamp[us, tz=UTC]"}], "d": "\xff", '
        b'"e": "1000000001 timestamp[ns]", "f": "b\'\\\\xff\'"}'
    )


def test_moments_of_int96_are_what_they_say_beyond_the_nanoseconds_of_64_bits(folder, tmp_path):
    nanos = pa.array([1_000, 1_001, None], pa.timestamp("ns"))
    pq.write_table(pa.table({"a": nanos}), folder / "x.parquet", use_deprecated_int96_timestamps=True)
    far = pa.array([dt.datetime(9999, 12, 31), dt.datetime(1, 1, 1)], US)
    pq.write_table(pa.table({"a": far}), folder / "y.parquet", use_deprecated_int96_timestamps=True)
    kind = ["null", {"type": "long", "logicalType": "timestamp-micros"}]
    found = staged(folder, tmp_path, schema(a=kind))
    assert found.whole.read(0, 9).column("a").cast(pa.int64()).to_pylist() == [
        1,
        None,
        *far.cast(pa.int64()).to_pylist(),
    ]
    assert told(found) == [(2, "wrong_type", "a has nanoseconds")]


@pytest.mark.parametrize(
    ("one", "other", "avro"),
    [
        (pa.int32(), pa.int64(), "long"),
        (pa.int64(), pa.float64(), "double"),
        (pa.null(), pa.string(), ["null", "string"]),
        (pa.string(), pa.large_string(), "string"),
        (pa.timestamp("ms", "UTC"), UTC, {"type": "long", "logicalType": "timestamp-micros"}),
        (pa.decimal128(5, 2), pa.decimal128(6, 1), {**PRICE, "precision": 7}),
        (pa.float16(), pa.float32(), "float"),
        (pa.uint64(), pa.uint8(), "long"),
        (pa.date64(), pa.date32(), DAY),
        (pa.time32("ms"), pa.time32("ms"), {"type": "int", "logicalType": "time-millis"}),
        (pa.int64(), pa.string(), None),
        (US, UTC, None),
        (pa.decimal128(38, 0), pa.decimal128(38, 30), None),
        (pa.duration("s"), pa.duration("s"), None),
    ],
)
def test_files_whose_types_differ_have_the_one_that_holds_both_or_are_refused(folder, tmp_path, one, other, avro):
    def table(kind: pa.DataType) -> pa.Table:
        values: dict[Any, Any] = {pa.null(): None, pa.date32(): dt.date(2026, 1, 1), pa.date64(): dt.date(2026, 1, 1)}
        values |= {pa.time32("ms"): dt.time(12), pa.string(): "a", pa.large_string(): "a"}
        value = values.get(kind, Decimal(1) if pa.types.is_decimal(kind) else 1)
        return pa.table({"a": pa.array([value], kind)})

    tables = {"x": table(one), "y": table(other)}
    if avro is None:
        with pytest.raises(Misconfigured, match="the column a"):
            staged(folder, tmp_path, **tables)
        return
    found = staged(folder, tmp_path, **tables)
    assert (found.rows, found.set_aside) == (2, 0)
    assert json.loads(found.index.contract)["fields"][0]["type"] == avro


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "the column 'a' twice"),
        (pa.table({"b": [1]}), "a is missing; b is new"),
        (pa.table({"a": [{"x": 1}]}), "which is struct"),
    ],
)
def test_columns_that_cannot_be_are_refused_by_file_and_name(folder, tmp_path, table, says):
    with pytest.raises(Misconfigured, match=says) as refused:
        staged(folder, tmp_path, a=pa.table({"a": [1]}), b=table)
    assert refused.value.where.endswith("b.parquet")


def test_a_name_that_is_no_text_is_a_file_that_is_no_parquet(folder, tmp_path):
    pq.write_table(pa.table({"column_name": [1]}), folder / "x.parquet", store_schema=False)
    raw = (folder / "x.parquet").read_bytes()
    (folder / "x.parquet").write_bytes(raw.replace(b"column_name", b"column_nam\xff"))
    for text in (None, schema(a="long")):
        with pytest.raises(Misconfigured, match="the file is not Parquet"):
            staged(folder, tmp_path, text)


@pytest.mark.parametrize("kind", [["long", "string"], {"type": "array", "items": ["long", "string"]}])
@pytest.mark.parametrize("data", ["parquet", "jsonl"])
def test_a_field_of_several_types_is_refused_before_a_row_is_read(folder, tmp_path, kind, data):
    (folder / "x.jsonl").write_text('{"a":1}\n')
    pq.write_table(pa.table({"a": [1]}), folder / "x.parquet")
    with pytest.raises(Misconfigured, match=r"cannot hold a \(union\)"):
        stage([folder / f"x.{data}"], Reading(data, "row", schema=schema(a=kind)), tmp_path / "copies")


def test_a_group_of_rows_that_is_larger_than_memory_allows_is_read_in_pieces(folder):
    table = pa.table({"a": [f"{n}" + "x" * 200_000 for n in range(60)]})
    pq.write_table(table, folder / "x.parquet", use_dictionary=False)
    with open_parquet(folder / "x.parquet") as file:
        sizes = [batch.nbytes for batch, _ in file.batches()]
    assert sum(sizes) >= table.nbytes
    assert max(sizes) <= 2 * CHUNK_BYTES
