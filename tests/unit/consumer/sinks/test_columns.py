"""Columns: every name is possible, a table only grows, and what cannot grow is a conflict."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.sinks.batch import METADATA_COLUMNS
from consumer.sinks.duckdb.columns import EventColumns, column_type
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from schemas.columns.column_type import SchemaConflict, quote
from schemas.columns.merging import column_names


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    with open_warehouse(tmp_path / "w.duckdb", topic="t") as warehouse:
        yield warehouse


def types(warehouse: Warehouse) -> dict[str, str]:
    described = warehouse.rows("SELECT column_name, column_type FROM (DESCRIBE events)")
    return {name: kind for name, kind in described if name not in METADATA_COLUMNS}


@given(st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=12), st.integers(0, 12))
def test_column_names_never_clash_and_never_change(fields: list[str], known_count: int) -> None:
    known = column_names(fields[:known_count], {}, METADATA_COLUMNS)
    names = column_names(fields, known, METADATA_COLUMNS)
    assert list(names) == fields
    assert {field: names[field] for field in known} == known
    lowered = [name.lower() for name in (*METADATA_COLUMNS, *names.values())]
    assert len(set(lowered)) == len(lowered)


@given(st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text))
def test_a_quoted_name_is_one_identifier_whatever_it_holds(name: str) -> None:
    quoted = quote(name)
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "").count('"') == 0
    assert quoted[1:-1].replace('""', '"') == name


def test_the_events_columns_come_before_ours_in_the_order_of_the_schema(warehouse: Warehouse) -> None:
    columns = EventColumns(warehouse)
    assert columns.fit(pa.schema([("b", pa.string()), ("a", pa.int32())])) == ["b", "a"]
    described = [name for (name,) in warehouse.rows("SELECT column_name FROM (DESCRIBE events)")]
    # A schema without a field for the identity has a column of ours for it, from the headers, before the others.
    assert described == ["b", "a", "_event_id", *(name for name in METADATA_COLUMNS if name != "_event_id")]


def test_names_are_kept_for_the_next_process(warehouse: Warehouse) -> None:
    EventColumns(warehouse).fit(pa.schema([("_batch", pa.int32()), ("x", pa.int32()), ("X", pa.int32())]))
    again = EventColumns(warehouse).fit(pa.schema([("X", pa.int32()), ("new", pa.int32()), ("_batch", pa.int32())]))
    assert again == ["X_2", "new", "_batch_2"]


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (pa.int32(), pa.int64(), "BIGINT"),
        (pa.int64(), pa.int32(), "BIGINT"),
        (pa.float32(), pa.float64(), "DOUBLE"),
        (pa.null(), pa.string(), "VARCHAR"),
        (pa.list_(pa.int32()), pa.list_(pa.int64()), "BIGINT[]"),
        (pa.map_(pa.string(), pa.int32()), pa.map_(pa.string(), pa.int64()), "MAP(VARCHAR, BIGINT)"),
        (
            pa.struct([("a", pa.int32()), ('odd "name', pa.int32())]),
            pa.struct([("new", pa.string()), ("a", pa.int64())]),
            'STRUCT(a BIGINT, "odd ""name" INTEGER, "new" VARCHAR)',
        ),
        (
            pa.sparse_union([pa.field("long", pa.int64()), pa.field("string", pa.string())]),
            pa.sparse_union([pa.field("string", pa.string()), pa.field("double", pa.float64())]),
            'UNION(long BIGINT, string VARCHAR, "double" DOUBLE)',
        ),
    ],
)
def test_a_column_grows_to_hold_both_and_keeps_its_rows(
    warehouse: Warehouse, before: pa.DataType, after: pa.DataType, kind: str
) -> None:
    columns = EventColumns(warehouse)
    columns.fit(pa.schema([("c", before)]))
    warehouse.rows("INSERT INTO events (_offset) VALUES (1)")
    columns.fit(pa.schema([("c", after)]))
    assert types(warehouse) == {"c": kind}
    assert warehouse.rows("SELECT count(*) FROM events") == [(1,)]
    columns.fit(pa.schema([("c", before)]))
    assert types(warehouse) == {"c": kind}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (pa.string(), pa.int64()),
        (pa.string(), pa.binary()),
        (pa.int64(), pa.float64()),  # beyond 2^53 a double would round
        (pa.struct([("a", pa.string())]), pa.struct([("a", pa.int32())])),
        (pa.list_(pa.string()), pa.string()),
    ],
)
def test_a_type_that_cannot_hold_both_is_a_conflict_and_changes_nothing(
    warehouse: Warehouse, before: pa.DataType, after: pa.DataType
) -> None:
    columns = EventColumns(warehouse)
    columns.fit(pa.schema([("c", before)]))
    there = types(warehouse)
    with pytest.raises(SchemaConflict, match=r"^c"):
        columns.fit(pa.schema([("c", after), ("more", pa.int32())]))
    assert types(warehouse) == there


def test_members_that_differ_in_case_only_are_a_conflict(warehouse: Warehouse) -> None:
    with pytest.raises(SchemaConflict, match="nothing but case"):
        EventColumns(warehouse).fit(pa.schema([("c", pa.list_(pa.struct([("a", pa.int32()), ("A", pa.int32())])))]))
    assert types(warehouse) == {}


def test_a_record_without_fields_is_a_conflict(warehouse: Warehouse) -> None:
    with pytest.raises(SchemaConflict, match="no fields"):
        EventColumns(warehouse).fit(pa.schema([]))


@pytest.mark.parametrize(
    "kind",
    [
        "INTEGER",
        "DECIMAL(10,2)",
        "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMP_MS",
        '"NULL"',
        'STRUCT("a" INTEGER, "we""ird" VARCHAR[])',
        'MAP(VARCHAR, STRUCT("A" STRUCT("n" BLOB)))',
        'UNION("x" INTEGER, "y" STRUCT("z" DOUBLE[][]))',
    ],
)
def test_a_type_goes_into_the_tree_and_back(warehouse: Warehouse, kind: str) -> None:
    (there,) = warehouse.connection.sql(f"SELECT NULL::{kind}").types
    tree = column_type(there)
    assert str(tree) == kind
    assert column_type(warehouse.connection.sql(f"SELECT NULL::{tree}").types[0]) == tree
