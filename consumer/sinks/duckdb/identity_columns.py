"""Where the loader put the identity of an event, as SQL: each schema decides for its own rows.

A schema with a plain text field ``event_id`` carries the identity there. With any other schema, the one with a
nullable or a numeric ``event_id`` included, it came in a header, and the loader put it into ``_event_id``.
"""

from __future__ import annotations

from consumer.sinks.batch import ID_COLUMN, has_identity
from consumer.sinks.duckdb.columns import EventColumns, columns_of_fields
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.column_type import quote
from schemas.identity import IDENTITY_FIELD
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema

# Not from ``duckdb_columns``: that describes every view of DuckDB's own first, 7 ms in each new session.
_HEADER_COLUMN = "SELECT name FROM pragma_table_info('events') WHERE name = ?"
_SCHEMAS = "SELECT DISTINCT schema_id, schema FROM schema_versions ORDER BY ALL"


def identity_expression(warehouse: Warehouse) -> str:
    """Return the SQL expression, over a row of ``events``, of the text that identifies its event; NULL for none."""
    places = [quote(name) for (name,) in warehouse.rows(_HEADER_COLUMN, [ID_COLUMN])]
    places += _in_fields(warehouse)
    return f"coalesce({', '.join(places)})" if len(places) > 1 else (places or ["NULL"])[0]


def _in_fields(warehouse: Warehouse) -> list[str]:
    """Return the expression of the identities in values: where the loader put them for the schema of a row.

    A text that nobody can read any more decides nothing.
    """
    column = columns_of_fields(warehouse).get(IDENTITY_FIELD)
    if column is None:
        return []
    columns = EventColumns(warehouse)
    usual = f"CAST({quote(column)} AS VARCHAR)"
    others: dict[str, list[str]] = {}
    for schema_id, text in warehouse.rows(_SCHEMAS):
        try:
            root = parse(str(text))
            value = columns.values_of(int(schema_id), root)[IDENTITY_FIELD] if has_identity(root) else ""
        except (UnsupportedSchema, LookupError):
            continue
        if value != quote(column):
            others.setdefault(value or "NULL", []).append(str(schema_id))
    if not others:
        return [usual]
    cases = " ".join(f"WHEN _schema_id IN ({', '.join(ids)}) THEN {value}" for value, ids in others.items())
    return [f"CASE {cases} ELSE {usual} END"]
