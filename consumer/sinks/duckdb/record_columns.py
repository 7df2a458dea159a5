"""Columns of ``events`` about the record that are there only where they are needed, and the schemas of keys."""

from __future__ import annotations

import duckdb

from consumer.sinks.batch import KEY_COLUMN, NAME_COLUMN
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.sinks.record_names import are_several, name_of_row, record_names
from schemas.columns.column_type import quote

_THERE = "SELECT count(*) > 0 FROM pragma_table_info('events') WHERE name = ?"
_KEPT = "SELECT schema_id, schema FROM key_schemas ORDER BY ALL"
_SCHEMAS = "SELECT DISTINCT schema_id, schema FROM schema_versions ORDER BY ALL"
_IS_KEPT = "SELECT count(*) > 0 FROM key_schemas WHERE schema_id = ?"


def key_schemas(warehouse: Warehouse) -> dict[int, str]:
    """Return the texts of the schemas of keys that were decoded, by id."""
    return {int(schema_id): str(text) for schema_id, text in warehouse.rows(_KEPT)}


def keep_key_schema(warehouse: Warehouse, schema_id: int, text: str) -> None:
    """Make the column of decoded keys where it is not there yet, and keep a schema of them."""
    with warehouse.change_of_tables() as connection:
        make_room(connection, KEY_COLUMN)
        if connection.execute(_IS_KEPT, [schema_id]).fetchall() == [(False,)]:
            connection.execute("INSERT INTO key_schemas VALUES (?, ?, now())", [schema_id, text])


def kept_record_names(warehouse: Warehouse) -> dict[int, str]:
    """Return the full names of the record types of the schemas that were loaded, by schema id."""
    return record_names(warehouse.rows(_SCHEMAS))


def has_record_names(warehouse: Warehouse) -> bool:
    """Tell whether events say which type their records are of."""
    return bool(warehouse.rows(_THERE, [NAME_COLUMN])[0][0])


class RecordNames:
    """Which type each event's record is of: a column that is there once a topic has several."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._names: dict[int, str] = {}
        self._is_there = False

    def met(self, schema_id: int, name: str) -> bool:
        """Take the record type of a schema that was adopted, and tell whether the column came with it."""
        if not self._names:
            self._names = kept_record_names(self._warehouse)
            self._is_there = has_record_names(self._warehouse)
        self._names[schema_id] = name
        if self._is_there or not are_several(self._names):
            return False
        with self._warehouse.change_of_tables() as connection:
            make_room(connection, NAME_COLUMN)
            # Half of what an UPDATE takes: the column is written once, and no older version of it is kept.
            connection.execute(
                f"ALTER TABLE events ALTER COLUMN {NAME_COLUMN} SET DATA TYPE VARCHAR USING {name_of_row(self._names)}"
            )
        self._is_there = True
        return True

    def of(self, schema_id: int) -> str | None:
        """Return what a row says; ``None`` where there is no such column."""
        return self._names[schema_id] if self._is_there else None


def make_room(connection: duckdb.DuckDBPyConnection, column: str) -> bool:
    """Make one of the optional columns, all of which are text; return whether it was not there."""
    if connection.execute(_THERE, [column]).fetchall() == [(True,)]:
        return False
    connection.execute(f"ALTER TABLE events ADD COLUMN {quote(column)} VARCHAR")
    return True
