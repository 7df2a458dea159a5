"""An audit looks for identities where the loader put them, schema by schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumer.sinks.duckdb.identity_columns import identity_expression
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse

PLAIN: Any = "string"
NULLABLE: Any = ["null", "string"]
UUID: Any = {"type": "string", "logicalType": "uuid"}


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        yield warehouse


def keep(warehouse: Warehouse, schema_id: int, kind: Any) -> None:
    """Note a schema as the loader does."""
    fields = [{"name": "n", "type": "long"}, *([{"name": "event_id", "type": kind}] if kind else [])]
    text = json.dumps({"type": "record", "name": "R", "fields": fields})
    warehouse.rows("INSERT INTO schema_versions VALUES (?, NULL, NULL, ?, now(), 'avro')", [schema_id, text])


def identities(warehouse: Warehouse) -> list[Any]:
    expression = identity_expression(warehouse)
    return [found for (found,) in warehouse.rows(f"SELECT {expression} FROM events ORDER BY _offset")]


@pytest.mark.parametrize("column", ["event_id", "event_id_2"])
@pytest.mark.parametrize("kind", [PLAIN, UUID])
def test_a_plain_text_field_is_the_identity(warehouse: Warehouse, kind: Any, column: str) -> None:
    keep(warehouse, 1, kind)
    warehouse.rows(f"ALTER TABLE events ADD COLUMN {column} VARCHAR")
    warehouse.rows("INSERT INTO event_columns VALUES ('event_id', ?)", [column])
    warehouse.rows(f"INSERT INTO events (_offset, _schema_id, {column}) VALUES (0, 1, 'one')")
    assert identities(warehouse) == ["one"]


@pytest.mark.parametrize(
    ("kind", "type_", "value"), [(NULLABLE, "VARCHAR", "'theirs'"), ("long", "BIGINT", "7"), ("bytes", "BLOB", "'x'")]
)
def test_any_other_field_of_that_name_is_the_users_own(warehouse: Warehouse, kind: Any, type_: str, value: str) -> None:
    keep(warehouse, 1, kind)
    warehouse.rows(f"ALTER TABLE events ADD COLUMN event_id {type_}")
    warehouse.rows("ALTER TABLE events ADD COLUMN _event_id VARCHAR")
    warehouse.rows("INSERT INTO event_columns VALUES ('event_id', 'event_id')")
    warehouse.rows(f"INSERT INTO events (_offset, _schema_id, event_id, _event_id) VALUES (0, 1, {value}, 'ours')")
    warehouse.rows(f"INSERT INTO events (_offset, _schema_id, event_id, _event_id) VALUES (1, 1, {value}, NULL)")
    assert identities(warehouse) == ["ours", None]


def test_schemas_of_both_kinds_in_one_column_are_told_apart_row_by_row(warehouse: Warehouse) -> None:
    for schema_id, kind in ((1, NULLABLE), (2, PLAIN), (3, None)):
        keep(warehouse, schema_id, kind)
    warehouse.rows("ALTER TABLE events ADD COLUMN event_id VARCHAR")
    warehouse.rows("ALTER TABLE events ADD COLUMN _event_id VARCHAR")
    warehouse.rows("INSERT INTO event_columns VALUES ('event_id', 'event_id')")
    warehouse.rows(
        "INSERT INTO events (_offset, _schema_id, event_id, _event_id) "
        "VALUES (0, 1, 'theirs', 'ours'), (1, 2, 'field', NULL), (2, 3, NULL, 'header'), (3, 1, 'theirs', NULL)"
    )
    assert identities(warehouse) == ["ours", "field", "header", None]


def test_a_warehouse_without_events_has_no_identity(warehouse: Warehouse) -> None:
    assert identity_expression(warehouse) == "NULL"
