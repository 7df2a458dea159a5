"""Format 2: headers of events, times that are in no calendar, the schemas of keys, and what the columns of events hold.

As format 6 of a DuckDB file.
"""

import json
from itertools import count

from alembic import op
from sqlalchemy import text

from consumer.sinks.batch import METADATA_COLUMNS
from consumer.sinks.postgres.values.types import read_type
from schemas.columns.column_type import quote
from schemas.columns.taken_over import taken_over
from schemas.types.tree import parse
from schemas.undecodable import UnsupportedSchema

revision = "2"
down_revision = "1"

# What events takes for itself from now on; a field of before may have one of them.
_TAKES = ("_headers", "_timestamp_ms", "_key_json", "_record_name")
_THERE = "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = 'events'::regclass AND NOT attisdropped"
_TYPES = """
    SELECT name, type FROM event_types
    JOIN pg_catalog.pg_attribute ON attname = column_name AND attrelid = 'events'::regclass ORDER BY attnum
"""
_FIELDS = "SELECT field, name FROM event_columns JOIN event_types USING (column_name)"


def upgrade() -> None:
    """Make the columns and the table in the schema of the search path."""
    for name in _TAKES:
        _give_way(name)
    op.execute("ALTER TABLE events ADD COLUMN _headers jsonb, ADD COLUMN _timestamp_ms bigint")
    op.execute("ALTER TABLE quarantine ADD COLUMN _timestamp_ms bigint")
    op.execute("ALTER TABLE tombstones ADD COLUMN _timestamp_ms bigint")
    op.execute("""
        CREATE TABLE key_schemas (
            schema_id  integer NOT NULL PRIMARY KEY,
            schema     text NOT NULL,
            first_seen timestamptz NOT NULL
        )
    """)
    _note_layout()


def _note_layout() -> None:
    """Note what the columns of events hold, and where the fields of each schema are."""
    op.execute("CREATE TABLE event_layout (document text NOT NULL)")
    op.execute("CREATE TABLE schema_places (schema_id integer NOT NULL PRIMARY KEY, document text NOT NULL)")
    connection = op.get_bind()
    types = {name: read_type(said) for name, said in connection.execute(text(_TYPES)) if name not in METADATA_COLUMNS}
    fields = {str(field): str(name) for field, name in connection.execute(text(_FIELDS))}
    roots = {}
    for schema_id, said in connection.execute(text("SELECT schema_id, schema FROM schema_versions ORDER BY 1")):
        try:
            roots[schema_id] = parse(said)
        except UnsupportedSchema:  # nobody can read it any more
            continue
    held, places = taken_over(types, fields, roots)
    if types:
        document = json.dumps(held.to_document())
        connection.execute(text("INSERT INTO event_layout VALUES (:document)"), {"document": document})
    for schema_id, found in places.items():
        document = json.dumps([each.to_document() for each in found])
        connection.execute(
            text("INSERT INTO schema_places VALUES (:schema_id, :document)"),
            {"schema_id": schema_id, "document": document},
        )


def _give_way(name: str) -> None:
    """Give the column of a field that is called like one of ours a number, as new fields get one."""
    connection = op.get_bind()
    there = [column for (column,) in connection.execute(text(_THERE))]
    lower = {column.lower() for column in there}
    for column in [column for column in there if column.lower() == name]:
        free = next(f"{column}_{number}" for number in count(2) if f"{column}_{number}".lower() not in lower)
        said = {"column": column, "free": free}
        op.execute(f"ALTER TABLE events RENAME COLUMN {quote(column)} TO {quote(free)}")
        connection.execute(text("UPDATE event_columns SET column_name = :free WHERE column_name = :column"), said)
        connection.execute(
            text("UPDATE event_types SET column_name = :free, name = :free WHERE column_name = :column"), said
        )
