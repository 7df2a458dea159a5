"""Columns of ``events`` about the record that are there only where they are needed, and the schemas of keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from consumer.sinks.batch import KEY_COLUMN, NAME_COLUMN
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.column_type import quote, text_literal
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema

_THERE = "SELECT count(*) > 0 FROM pragma_table_info('events') WHERE name = ?"
_KEPT = "SELECT schema_id, schema FROM key_schemas ORDER BY ALL"
_SCHEMAS = "SELECT DISTINCT schema_id, schema FROM schema_versions ORDER BY ALL"
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


def kept_record_names(warehouse: Warehouse) -> dict[int, str]:
    """Return the full names of the record types of the schemas that were loaded, by schema id."""
    return record_names(warehouse.rows(_SCHEMAS))


def record_names(schemas: Iterable[tuple[Any, ...]]) -> dict[int, str]:
    """Return the full names of the record types of schemas, by id.

    :param schemas: ids and texts.
    """
    names: dict[int, str] = {}
    for schema_id, text in schemas:
        try:
            names[int(schema_id)] = parse(str(text)).name
        except UnsupportedSchema:  # nothing of it is in the table
            continue
    return names


def has_record_names(warehouse: Warehouse) -> bool:
    """Tell whether events say which type their records are of."""
    return bool(warehouse.rows(_THERE, [NAME_COLUMN])[0][0])


def name_records(warehouse: Warehouse, names: Mapping[int, str]) -> None:
    """Make the column of record types, and fill it for the events that are there.

    :param names: of the types, by schema id.
    """
    known = " ".join(f"WHEN {schema_id} THEN {text_literal(name)}" for schema_id, name in sorted(names.items()))
    with warehouse.transaction() as connection:
        make_room(connection, NAME_COLUMN)
        # Half of what an UPDATE takes: the column is written once, and no older version of it is kept.
        connection.execute(
            f"ALTER TABLE events ALTER COLUMN {NAME_COLUMN} SET DATA TYPE VARCHAR USING CASE _schema_id {known} END"
        )
    warehouse.checkpoint()


def make_room(connection: duckdb.DuckDBPyConnection, column: str) -> bool:
    """Make one of the optional columns, all of which are text; return whether it was not there."""
    if connection.execute(_THERE, [column]).fetchall() == [(True,)]:
        return False
    connection.execute(f"ALTER TABLE events ADD COLUMN {quote(column)} VARCHAR")
    return True
