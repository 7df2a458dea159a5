"""An audit looks for identities where the loader put them, schema by schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.identity_columns import identity_expression
from consumer.sinks.duckdb.warehouse import Warehouse, open_warehouse
from schemas.types.tree import parse

PLAIN: Any = "string"
NULLABLE: Any = ["null", "string"]
UUID: Any = {"type": "string", "logicalType": "uuid"}


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        yield warehouse


def keep(warehouse: Warehouse, schema_id: int, kind: Any) -> dict[str, str]:
    """Adopt a schema as the loader does, and return the columns of its fields."""
    fields = [{"name": "n", "type": "long"}, *([{"name": "event_id", "type": kind}] if kind else [])]
    text = json.dumps({"type": "record", "name": "R", "fields": fields})
    columns = EventColumns(warehouse)
    columns.adopt(schema_id, parse(text))
    warehouse.rows("INSERT INTO schema_versions VALUES (?, NULL, NULL, ?, now(), 'avro')", [schema_id, text])
    return {name: value.strip('"') for name, value in columns.values_of(schema_id, parse(text)).items()}


def identities(warehouse: Warehouse) -> list[Any]:
    expression = identity_expression(warehouse)
    return [found for (found,) in warehouse.rows(f"SELECT {expression} FROM events ORDER BY _offset")]


@pytest.mark.parametrize("kind", [PLAIN, UUID])
@pytest.mark.parametrize("before", ["long", None])
def test_a_plain_text_field_is_the_identity(warehouse: Warehouse, kind: Any, before: Any) -> None:
    keep(warehouse, 2, before)
    column = keep(warehouse, 1, kind)["event_id"]
    assert column == ("event_id_2" if before else "event_id")
    warehouse.rows(f"INSERT INTO events (_offset, _schema_id, {column}) VALUES (0, 1, 'one')")
    warehouse.rows("INSERT INTO events (_offset, _schema_id, _event_id) VALUES (1, 2, 'header')")
    assert identities(warehouse) == ["one", "header"]


@pytest.mark.parametrize(("kind", "value"), [(NULLABLE, "'theirs'"), ("long", "7"), ("bytes", "'x'")])
def test_any_other_field_of_that_name_is_the_users_own(warehouse: Warehouse, kind: Any, value: str) -> None:
    keep(warehouse, 1, kind)
    warehouse.rows(f"INSERT INTO events (_offset, _schema_id, event_id, _event_id) VALUES (0, 1, {value}, 'ours')")
    warehouse.rows(f"INSERT INTO events (_offset, _schema_id, event_id, _event_id) VALUES (1, 1, {value}, NULL)")
    assert identities(warehouse) == ["ours", None]


def test_schemas_of_both_kinds_in_one_column_are_told_apart_row_by_row(warehouse: Warehouse) -> None:
    for schema_id, kind in ((1, NULLABLE), (2, PLAIN), (3, None)):
        keep(warehouse, schema_id, kind)
    warehouse.rows(
        "INSERT INTO events (_offset, _schema_id, event_id, _event_id) "
        "VALUES (0, 1, 'theirs', 'ours'), (1, 2, 'field', NULL), (2, 3, NULL, 'header'), (3, 1, 'theirs', NULL)"
    )
    assert identities(warehouse) == ["ours", "field", "header", None]


def test_an_identity_is_found_where_its_column_holds_bytes_since(warehouse: Warehouse) -> None:
    keep(warehouse, 1, PLAIN)
    warehouse.rows("INSERT INTO events (_offset, _schema_id, event_id) VALUES (0, 1, 'field')")
    keep(warehouse, 2, "bytes")
    warehouse.rows("INSERT INTO events (_offset, _schema_id, event_id) VALUES (1, 2, 'theirs')")
    assert identities(warehouse) == ["field", None]


def test_a_warehouse_without_events_has_no_identity(warehouse: Warehouse) -> None:
    assert identity_expression(warehouse) == "NULL"
