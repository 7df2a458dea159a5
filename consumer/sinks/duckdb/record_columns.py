"""Columns of ``events`` about the record that are there only where they are needed, and the schemas of keys."""

from __future__ import annotations

import duckdb

from consumer.sinks.batch import KEY_COLUMN
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.column_type import quote

_THERE = "SELECT count(*) > 0 FROM pragma_table_info('events') WHERE name = ?"
_KEPT = "SELECT schema_id, schema FROM key_schemas ORDER BY ALL"
_IS_KEPT = "SELECT count(*) > 0 FROM key_schemas WHERE schema_id = ?"


def key_schemas(warehouse: Warehouse) -> dict[int, str]:
    """Return the texts of the schemas of keys that were decoded, by id."""
    return {int(schema_id): str(text) for schema_id, text in warehouse.rows(_KEPT)}


def keep_key_schema(warehouse: Warehouse, schema_id: int, text: str) -> None:
    """Make the column of decoded keys where it is not there yet, and keep a schema of them."""
    with warehouse.transaction() as connection:
        make_room(connection, KEY_COLUMN)
        if connection.execute(_IS_KEPT, [schema_id]).fetchall() == [(False,)]:
            connection.execute("INSERT INTO key_schemas VALUES (?, ?, now())", [schema_id, text])
    # As after every change of a table: its log is kept out of the batches.
    warehouse.checkpoint()


def make_room(connection: duckdb.DuckDBPyConnection, column: str) -> bool:
    """Make one of the optional columns, all of which are text; return whether it was not there."""
    if connection.execute(_THERE, [column]).fetchall() == [(True,)]:
        return False
    connection.execute(f"ALTER TABLE events ADD COLUMN {quote(column)} VARCHAR")
    return True
