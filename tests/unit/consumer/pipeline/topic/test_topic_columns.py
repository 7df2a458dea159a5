"""Values of several schemas in common columns: laid out as the place that they are held against."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from consumer.pipeline.topic.columns import TopicColumns
from schemas.formats import WrittenSchema
from schemas.types.tree import parse
from tests.kit.versions import APART, HELD, Change, framed, rows, schemas

CHANGES = HELD | APART


@pytest.fixture
def types() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as session:
        session.execute("SET TimeZone = 'UTC'")
        yield session


def together(
    types: duckdb.DuckDBPyConnection, changes: Mapping[str, Change], stored: Mapping[str, str] | None = None
) -> pa.Table:
    """Return the values of both versions in the columns that they have in common."""
    columns, found = TopicColumns(types, stored), []
    texts = schemas(dict(changes))
    for number, text in enumerate(texts, 1):
        columns.adopt(number, parse(text))
    columns.settle(())
    for number, text in enumerate(texts, 1):
        payloads = [value[5:] for value in framed(number, text, rows(dict(changes), number))]
        batch = WrittenSchema(text).written.decoder(text).salvage(payloads).batch
        decoded = pa.table({str(n): column for n, column in enumerate(batch.columns)})
        found.append(columns.fitted(decoded, number).select(columns.schema.names))
    return pa.concat_tables(found)


def test_a_place_that_has_a_column_for_each_type_is_held_against_each_of_them(types: duckdb.DuckDBPyConnection) -> None:
    stored = {"long_double": "BIGINT", "LONG_DOUBLE_2": "DOUBLE", "within": "STRUCT(x BIGINT, x_2 DOUBLE)"}
    found = together(types, {name: CHANGES[name] for name in ("long_double", "within")}, stored)
    assert found.column("long_double").to_pylist() == [1, 2**53 + 1, 2**63 - 1, None, None, None]
    assert found.column("long_double_2").to_pylist() == [None, None, None, 0.5, 1.0, 1e300]
    assert found.column("within").to_pylist()[2:4] == [{"x": 2**63 - 1, "x_2": None}, {"x": None, "x_2": 0.5}]


def test_any_other_place_has_one_column_which_is_text(types: duckdb.DuckDBPyConnection) -> None:
    found = together(types, APART, {"long_double": "VARCHAR", "within": "STRUCT(x DOUBLE)"})
    assert found.column("long_double").to_pylist() == [
        "1",
        "9007199254740993",
        "9223372036854775807",
        "0.5",
        "1.0",
        "1e+300",
    ]
    assert found.column("text_number").to_pylist() == ["1", "2", "", "1", "2", "3"]
    assert [json.loads(text) for text in found.column("within").to_pylist()[2:4]] == [{"x": 2**63 - 1}, {"x": 0.5}]


def test_a_renamed_field_is_one_column_but_for_a_place_that_has_both(types: duckdb.DuckDBPyConnection) -> None:
    renamed = {"renamed": HELD["renamed"]}
    before, after = list(HELD["renamed"].values), list(HELD["renamed"].later)
    for stored in (None, {"renamed": "VARCHAR"}):
        assert together(types, renamed, stored).to_pydict() == {"renamed": before + after}
    both = together(types, renamed, {"renamed": "VARCHAR", "Was_Called": "VARCHAR"}).to_pydict()
    assert both == {"was_called": [*before, None, None, None], "renamed": [None, None, None, *after]}


def test_one_column_holds_what_a_warehouse_holds_in_one(types: duckdb.DuckDBPyConnection) -> None:
    found: dict[str, list[Any]] = together(types, HELD).to_pydict()
    assert found.keys() == HELD.keys()
    assert found["int_double"][:3] == list(HELD["int_double"].values)
    assert found["string_bytes"] == [
        *(text.encode() for text in HELD["string_bytes"].values),
        *HELD["string_bytes"].later,
    ]
    assert found["decimal"][3:] == [Decimal("-12345678.1234"), Decimal("0.0001"), Decimal("9.0000")]
    assert found["text_union"] == [*HELD["text_union"].values, *HELD["text_union"].later]
    assert [row["new"] for row in found["inside"]] == [0, 1, 2, 0, 1, 2]
