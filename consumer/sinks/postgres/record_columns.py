"""Columns of ``events`` about the record that are there only where they are needed, and the schemas of keys."""

from __future__ import annotations

import json

from consumer.sinks.batch import KEY_COLUMN, NAME_COLUMN
from consumer.sinks.postgres.columns import LOCK
from consumer.sinks.postgres.connecting import BoundedConnection
from consumer.sinks.postgres.migrations import lock_name
from consumer.sinks.postgres.values.types import described, postgres_type
from consumer.sinks.postgres.warehouse import PostgresWarehouse
from consumer.sinks.record_names import are_several, name_of_row, record_names
from schemas.columns.column_type import ColumnType, quote

TEXT = ColumnType("VARCHAR")
_KEPT = "SELECT schema_id, schema FROM key_schemas ORDER BY 1"
_KEEP = """
    INSERT INTO key_schemas (schema_id, schema, first_seen) VALUES (%s, %s, now()) ON CONFLICT (schema_id) DO NOTHING
"""
_SCHEMAS = "SELECT DISTINCT schema_id, schema FROM schema_versions"
_CHANGE_S = 3600.0  # the table is written anew
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


class RecordNames:
    """Which type each event's record is of: a column that is there once a topic has several."""

    def __init__(self, warehouse: PostgresWarehouse) -> None:
        self._warehouse = warehouse
        self._names: dict[int, str] = {}
        self._is_there = False

    def met(self, schema_id: int, name: str) -> None:
        """Take the record type of a schema that was adopted, and make the column where it is the second one."""
        if not self._names:
            self._names = self._kept()
        self._names[schema_id] = name
        if not are_several(self._names):
            self._names |= self._kept()  # another loader may have met one since
        if self._is_there or not are_several(self._names):
            return
        with self._warehouse.transaction() as connection, connection.patient(_CHANGE_S):
            connection.execute(LOCK, [lock_name(self._warehouse.schema)])
            if make_room(connection, NAME_COLUMN):
                connection.execute(
                    f"ALTER TABLE events ALTER COLUMN {NAME_COLUMN} TYPE text USING {name_of_row(self._names)}"
                )

    def look(self) -> None:
        """See whether the column is there, inside a transaction that lets nobody change the table."""
        self._is_there = self._is_there or self._warehouse.rows(_THERE, [NAME_COLUMN]) == [(True,)]

    def of(self, schema_id: int) -> str | None:
        """Return what a row says; ``None`` where there is no such column."""
        return self._names[schema_id] if self._is_there else None

    def _kept(self) -> dict[int, str]:
        return record_names(self._warehouse.rows(_SCHEMAS))


def make_room(connection: BoundedConnection, column: str) -> bool:
    """Make one of the optional columns, all of which are text; return whether it was not there."""
    if connection.execute(_THERE, [column]).fetchall() == [(True,)]:
        return False
    connection.execute(f"ALTER TABLE events ADD COLUMN {quote(column)} {postgres_type(TEXT)}")
    connection.execute(_NOTE, [column, column, json.dumps(described(TEXT))])
    return True
