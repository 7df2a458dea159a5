"""A stored column is held against the field that it is called after, whatever says NULL there."""

from __future__ import annotations

import duckdb
import pytest

from consumer.pipeline.columns.mapping import map_columns
from consumer.pipeline.stored import StoredColumn
from consumer.pipeline.values.macros import MACROS


@pytest.mark.parametrize(
    ("stored", "sent", "right"), [("'null'", "NULL", True), ("NULL", "NULL", True), ("'null'", "[]", False)]
)
def test_a_null_of_json_is_none_of_a_list(stored: str, sent: str, right: bool) -> None:
    columns = [StoredColumn("tags", "VARCHAR")]
    (one,) = map_columns(columns, {"tags": "INTEGER[]"}, [], apart=[], identity=None, where="lab").compared
    with duckdb.connect() as session:
        session.execute(MACROS)
        ((here,),) = session.execute(f"SELECT {one.digests.stored} FROM (SELECT {stored} AS tags)").fetchall()
        query = f"SELECT {one.digests.sent} FROM (SELECT CAST({sent} AS INTEGER[]) AS tags)"
        ((there,),) = session.execute(query).fetchall()
    assert (here == there) == right


@pytest.mark.parametrize(
    ("stored", "right"),
    [("NULL", True), ("'null'", True), ("'{\"a\": null}'", True), ("'{}'", True), ("'{bad'", False)],
)
def test_a_text_that_is_no_json_is_not_a_record_that_is_not_there(stored: str, right: bool) -> None:
    columns = [StoredColumn("record", "VARCHAR")]
    kind = "STRUCT(a INTEGER)"
    (one,) = map_columns(columns, {"record": kind}, [], apart=[], identity=None, where="lab").compared
    with duckdb.connect() as session:
        session.execute(MACROS)
        ((here,),) = session.execute(f"SELECT {one.digests.stored} FROM (SELECT {stored} AS record)").fetchall()
        ((there,),) = session.execute(
            f"SELECT {one.digests.sent} FROM (SELECT CAST(NULL AS {kind}) AS record)"
        ).fetchall()
    assert (here == there) == right
