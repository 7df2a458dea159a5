"""Where a topic has several record types, each event says which one it is of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from schemas.formats.frame import frame_header
from tests.kit.carried import ByHand, Carried, KnownSchemas, payload


def record(name: str, *fields: str) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": one, "type": "int"} for one in fields]}


A, A_LATER, B, C = 1, 2, 3, 4
SCHEMAS = {
    A: record("com.a.Same", "x"), A_LATER: record("com.a.Same", "x", "y"), B: record("com.b.Same", "x"),
    C: record("com.c.Other", "_record_name"),
}  # fmt: skip


def of(schema_id: int, *numbers: int) -> list[Carried]:
    names = [field["name"] for field in SCHEMAS[schema_id]["fields"]]
    return [
        Carried(frame_header(schema_id) + payload(SCHEMAS[schema_id], dict.fromkeys(names, number)))
        for number in numbers
    ]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "w.duckdb", topic="t") as warehouse:
        warehouse.rows("INSERT INTO load_offsets VALUES ('c', 't', 'id', 0, 0)")
        yield warehouse


def loader(warehouse: Warehouse) -> ByHand:
    return ByHand(DuckDBSink(warehouse), KnownSchemas(SCHEMAS))


def names(warehouse: Warehouse) -> list[tuple[int, str | None]]:
    return warehouse.rows("SELECT _schema_id, _record_name FROM events ORDER BY _offset")


def test_a_topic_of_one_type_has_no_column_for_it_whatever_its_versions_and_foreign_ids(warehouse: Warehouse) -> None:
    loader(warehouse).load(*of(A, 1), *of(A_LATER, 2), Carried(frame_header(B) + b"\xff"))
    assert warehouse.rows("SELECT count(*) FROM pragma_table_info('events') WHERE name = '_record_name'") == [(0,)]


@pytest.mark.parametrize("again", [False, True], ids=["one process", "each chunk a process of its own"])
def test_from_the_second_type_on_every_event_says_its_type_the_earlier_ones_too(
    warehouse: Warehouse, again: bool
) -> None:
    one = loader(warehouse)
    for chunk in ([*of(A, 1)], [*of(A_LATER, 2)], [*of(A, 3), *of(B, 4)], [*of(A_LATER, 5)], [*of(C, 6), *of(B, 7)]):
        (loader(warehouse) if again else one).load(*chunk)
    assert names(warehouse) == [
        (A, "com.a.Same"),
        (A_LATER, "com.a.Same"),
        (A, "com.a.Same"),
        (B, "com.b.Same"),
        (A_LATER, "com.a.Same"),
        (C, "com.c.Other"),
        (B, "com.b.Same"),
    ]
    assert warehouse.rows("SELECT _record_name_2 FROM events WHERE _record_name_2 IS NOT NULL") == [(6,)]
