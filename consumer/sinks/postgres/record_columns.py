"""Columns of ``events`` about the record that are there only where they are needed, and the schemas of keys."""

from __future__ import annotations

import json

from consumer.sinks.batch import KEY_COLUMN
from consumer.sinks.postgres.columns import LOCK
from consumer.sinks.postgres.connecting import BoundedConnection
from consumer.sinks.postgres.migrations import lock_name
from consumer.sinks.postgres.values.types import described, postgres_type
from consumer.sinks.postgres.warehouse import PostgresWarehouse
from schemas.columns.column_type import ColumnType, quote

TEXT = ColumnType("VARCHAR")
_KEPT = "SELECT schema_id, schema FROM key_schemas ORDER BY 1"
_KEEP = """
    INSERT INTO key_schemas (schema_id, schema, first_seen) VALUES (%s, %s, now()) ON CONFLICT (schema_id) DO NOTHING
"""
_THERE = "SELECT count(*) > 0 FROM event_types WHERE column_name = %s"
_NOTE = "INSERT INTO event_types (column_name, name, type) VALUES (%s, %s, %s::jsonb)"


def key_schemas(warehouse: PostgresWarehouse) -> dict[int, str]:
    """Return the texts of the schemas of keys that were decoded, by id."""
    return {int(schema_id): str(text) for schema_id, text in warehouse.rows(_KEPT)}


def keep_key_schema(warehouse: PostgresWarehouse, schema_id: int, text: str) -> None:
    """Make the column of decoded keys where it is not there yet, and keep a schema of them; another loader may have."""
    with warehouse.transaction() as connection:
        connection.execute(LOCK, [lock_name(warehouse.schema)])
        make_room(connection, KEY_COLUMN)
        connection.execute(_KEEP, [schema_id, text])


def make_room(connection: BoundedConnection, column: str) -> bool:
    """Make one of the optional columns, all of which are text; return whether it was not there."""
    if connection.execute(_THERE, [column]).fetchall() == [(True,)]:
        return False
    connection.execute(f"ALTER TABLE events ADD COLUMN {quote(column)} {postgres_type(TEXT)}")
    connection.execute(_NOTE, [column, column, json.dumps(described(TEXT))])
    return True
