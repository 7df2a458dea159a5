"""The columns of a lake's files: every type of the loader has one, they only grow, and rows fit them without loss."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumer.lake.job.columns import RESERVED, LakeColumns, arrow_type, column_type, fitted
from schemas.columns.column_type import SchemaConflict

NONE = LakeColumns({}, {})


def test_a_name_of_ours_and_one_that_differs_in_case_get_numbers() -> None:
    schema = pa.schema([("date", pa.string()), ("Hour", pa.int32()), ("hour_2", pa.int32()), ("schema_id", pa.int64())])
    _, columns = NONE.grown(schema)
    assert columns == ["date_2", "Hour_2", "hour_2_2", "schema_id_2"]
    assert not {name.lower() for name in columns} & set(RESERVED)


def test_an_identity_in_the_value_is_the_event_id_and_any_other_field_of_that_name_is_not() -> None:
    ours = pa.schema([pa.field("event_id", pa.string(), nullable=False), ("n", pa.int32())])
    grown, columns = NONE.grown(ours)
    assert columns == ["event_id", "n"]
    assert grown.arrow_schema().names[-1] == "n"
    assert grown.grown(pa.schema([("event_id", pa.int64())]))[1] == ["event_id_2"]


def test_columns_only_grow_and_a_delta_table_keeps_its_types() -> None:
    first, _ = NONE.grown(pa.schema([("n", pa.int32()), ("later", pa.null())]))
    wider = pa.schema([("n", pa.int64()), ("later", pa.string())])
    grown, _ = first.grown(wider)
    assert grown.arrow_schema().field("n").type == pa.int64()
    assert "later" not in first.arrow_schema().names
    assert grown.arrow_schema().field("later").type == pa.string()
    assert grown.grown(pa.schema([("n", pa.int32())]))[0] == grown
    with pytest.raises(SchemaConflict, match="n is INTEGER in the Delta table"):
        first.grown(wider, widen=False)
    inner = pa.struct([("a", pa.int32())])
    nested, _ = NONE.grown(pa.schema([("in", pa.list_(inner))]))
    more = pa.list_(pa.struct([*inner, ("b", pa.string())]))
    assert nested.grown(pa.schema([("in", more)]), widen=False)[0].arrow_schema().field("in").type == more
    with pytest.raises(SchemaConflict, match="n is INTEGER in the table and VARCHAR"):
        first.grown(pa.schema([("n", pa.string())]))


@pytest.mark.parametrize("inner", [pa.struct([]), pa.list_(pa.struct([]))])
def test_a_record_without_fields_is_a_conflict(inner: pa.DataType) -> None:
    with pytest.raises(SchemaConflict, match="without fields"):
        NONE.grown(pa.schema([("a", inner)]))


TYPES = [
    (pa.array([dt.time(7, 30), None], pa.time64("us")), ["07:30:00.000000", None]),
    (pa.array([dt.time(7, 30), None], pa.time32("ms")), ["07:30:00.000000", None]),
    (pa.array([0, None], pa.timestamp("ms", tz="UTC")), [dt.datetime(1970, 1, 1, tzinfo=dt.UTC), None]),
    (pa.array([1, None], pa.timestamp("ms")), [dt.datetime(1970, 1, 1, 0, 0, 0, 1000), None]),
    (pa.array([b"ab", None], pa.binary(2)), [b"ab", None]),
    (pa.array([{"a": None, "b": [1]}, None], pa.struct([("a", pa.null()), ("b", pa.list_(pa.int32()))])),
     [{"a": None, "b": [1]}, None]),
    (pa.array([[("k", dt.time(1))], None], pa.map_(pa.string(), pa.time32("ms"))), [[("k", "01:00:00.000000")], None]),
    (pa.array([[dt.time(1), None], None], pa.list_(pa.time32("ms"))), [["01:00:00.000000", None], None]),
]  # fmt: skip


@pytest.mark.parametrize(("array", "wanted"), TYPES, ids=lambda value: str(getattr(value, "type", "")))
def test_every_type_goes_into_parquet_and_comes_back(array: pa.Array, wanted: list[object]) -> None:
    target = arrow_type(column_type(array.type, "c"))
    for part in (array, array.slice(1)):  # Arrow hands over slices
        found = fitted(part, target)
        buffer = pa.BufferOutputStream()
        pq.write_table(pa.table({"c": found}), buffer)
        back = pq.read_table(pa.BufferReader(buffer.getvalue()))["c"]
        assert back.type == target
        assert back.to_pylist() == wanted[len(wanted) - len(part) :]


def test_a_union_is_a_struct_of_its_branches() -> None:
    tags = pa.array([0, 1, 2, 1], pa.int8())
    branches = [pa.nulls(4), pa.array([1, 2, 3, 4], pa.int32()), pa.array([[1], [2], [3], [4]], pa.list_(pa.int32()))]
    union = pa.UnionArray.from_sparse(tags, branches, ["null", "int", "array"])
    target = arrow_type(column_type(union.type, "c"))
    nothing = {"int": None, "array": None}
    wanted = [None, nothing | {"int": 2}, nothing | {"array": [3]}, nothing | {"int": 4}]
    assert fitted(union, target).to_pylist() == wanted
    assert fitted(union.slice(2), target).to_pylist() == wanted[2:]


def test_a_struct_fits_one_with_more_members_and_other_letters() -> None:
    target = pa.struct([("A", pa.int64()), ("b", pa.string())])
    assert fitted(pa.array([{"a": 1}, None]), target).to_pylist() == [{"A": 1, "b": None}, None]
