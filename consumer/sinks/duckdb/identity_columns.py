"""Where the loader put the identity of an event, as SQL: each schema decides for its own rows.

A schema with a plain text field ``event_id`` carries the identity there. With any other schema, the one with a
nullable or a numeric ``event_id`` included, it came in a header, and the loader put it into ``_event_id``.
"""

from __future__ import annotations

from consumer.sinks.batch import ID_COLUMN, has_identity
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.column_type import quote
from schemas.identity import IDENTITY_FIELD
from schemas.types.arrow import arrow_schema
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema

# Not from ``duckdb_columns``: that describes every view of DuckDB's own first, 7 ms in each new session.
_HEADER_COLUMN = "SELECT name FROM pragma_table_info('events') WHERE name = ?"
_FIELD_COLUMN = "SELECT min(column_name) FROM event_columns WHERE field = ? HAVING count(*) > 0"
_SCHEMAS = "SELECT DISTINCT schema_id, schema FROM schema_versions ORDER BY ALL"


def identity_expression(warehouse: Warehouse) -> str:
    """Return the SQL expression, over a row of ``events``, of the text that identifies its event; NULL for none."""
    places = [quote(name) for (name,) in warehouse.rows(_HEADER_COLUMN, [ID_COLUMN])]
    for (name,) in warehouse.rows(_FIELD_COLUMN, [IDENTITY_FIELD]):
        text = f"CAST({quote(str(name))} AS VARCHAR)"
        others = [str(number) for number, schema in _kept(warehouse) if not _identifies(schema)]
        places.append(f"CASE WHEN _schema_id IN ({', '.join(others)}) THEN NULL ELSE {text} END" if others else text)
    return f"coalesce({', '.join(places)})" if len(places) > 1 else (places or ["NULL"])[0]


def _kept(warehouse: Warehouse) -> list[tuple[int, str]]:
    return [(int(number), str(schema)) for number, schema in warehouse.rows(_SCHEMAS)]


def _identifies(schema: str) -> bool:
    """Tell what the loader decided for a schema; a text that nobody can read any more decides nothing."""
    try:
        return has_identity(arrow_schema(parse(schema)))
    except UnsupportedSchema:
        return True
