"""What the columns of a file of before format 6 hold, and where the fields of its schemas are."""

from __future__ import annotations

import json

import duckdb

from consumer.sinks.duckdb.column_types import column_type
from schemas.columns.taken_over import taken_over
from schemas.types.node import Node
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema

_FIELDS = "SELECT field, column_name FROM event_columns ORDER BY rowid"
_SCHEMAS = "SELECT schema_id, schema FROM schema_versions ORDER BY first_seen, rowid"


def lay_out(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill ``event_layout`` and ``schema_places``.

    A schema that does not fit its columns, as somebody changed them, gets no places: the audit says so.
    """
    relation = connection.sql("SELECT * FROM events LIMIT 0")
    kinds = dict(zip(relation.columns, map(column_type, relation.types), strict=True))
    fields = {str(field): str(column) for field, column in connection.execute(_FIELDS).fetchall() if column in kinds}
    roots: dict[int, Node] = {}
    for schema_id, text in connection.execute(_SCHEMAS).fetchall():
        try:
            roots[int(schema_id)] = parse(str(text))
        except UnsupportedSchema:  # nothing of it was ever stored
            continue
    types = {column: kind for column, kind in kinds.items() if column in fields.values()}
    held, places = taken_over(types, fields, roots)
    if types:
        connection.execute("INSERT INTO event_layout VALUES (?)", [json.dumps(held.to_document())])
    for schema_id, found in places.items():
        document = json.dumps([place.to_document() for place in found])
        connection.execute("INSERT INTO schema_places VALUES (?, ?)", [schema_id, document])
