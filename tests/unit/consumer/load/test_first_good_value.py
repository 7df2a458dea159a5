"""A schema changes no table before a value of it was decoded: anybody may write an id in front of anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumer.proof.inside.quarantine_proof import prove_quarantine
from consumer.sinks.duckdb.sink import DuckDBSink
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from schemas.formats.frame import frame_header
from tests.kit.carried import ByHand, Carried, KnownSchemas, payload

OURS, FOREIGN = 1, 77
SCHEMAS: dict[int, Any] = {
    OURS: {"type": "record", "name": "Ours", "fields": [{"name": "n", "type": "long"}]},
    FOREIGN: {
        "type": "record",
        "name": "Foreign",
        "fields": [{"name": "n", "type": "long"}, {"name": "their_text", "type": "string"}],
    },
}
JUNK = b"\x02\xff\xff"


def value(schema_id: int, record: dict[str, Any]) -> Carried:
    return Carried(frame_header(schema_id) + payload(SCHEMAS[schema_id], record))


def junk_of(schema_id: int, junk: bytes) -> Carried:
    return Carried(frame_header(schema_id) + junk)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "w.duckdb", topic="t") as warehouse:
        warehouse.rows("INSERT INTO load_offsets VALUES ('c', 't', 'id', 0, 0)")
        yield warehouse


def columns(warehouse: Warehouse) -> set[str]:
    return {str(name) for (name,) in warehouse.rows("SELECT name FROM pragma_table_info('events')")}


@pytest.mark.parametrize("junk", [b"", JUNK, b"\x02\x06ab"], ids=["nothing", "a bad number", "cut"])
def test_a_foreign_id_before_bytes_that_are_not_of_its_schema_changes_no_table(
    warehouse: Warehouse, junk: bytes
) -> None:
    loader = ByHand(DuckDBSink(warehouse), KnownSchemas(SCHEMAS))
    loader.load(junk_of(FOREIGN, junk), value(OURS, {"n": 1}), junk_of(FOREIGN, junk))
    assert "their_text" not in columns(warehouse)
    assert warehouse.rows("SELECT schema_id FROM schema_versions") == [(OURS,)]
    assert warehouse.rows("SELECT field FROM event_columns") == [("n",)]
    held = warehouse.rows("SELECT DISTINCT schema_id, phase FROM quarantine")
    assert held == [(FOREIGN, "decode")]
    assert prove_quarantine(warehouse).doubts == []


def test_its_first_value_that_decodes_makes_the_room(warehouse: Warehouse) -> None:
    loader = ByHand(DuckDBSink(warehouse), KnownSchemas(SCHEMAS))
    loader.load(junk_of(FOREIGN, JUNK), value(OURS, {"n": 1}))
    loader.load(value(OURS, {"n": 2}), junk_of(FOREIGN, JUNK), value(FOREIGN, {"n": 3, "their_text": "a"}))
    assert warehouse.rows("SELECT n, their_text FROM events ORDER BY n") == [(1, None), (2, None), (3, "a")]
    assert warehouse.rows("SELECT DISTINCT phase FROM quarantine") == [("decode",)]
    assert prove_quarantine(warehouse).doubts == []
