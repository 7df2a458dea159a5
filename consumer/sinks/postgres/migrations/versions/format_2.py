"""Format 2: headers of events, times that are in no calendar, and the schemas of keys, as ``to_6.sql`` of DuckDB's."""

from itertools import count

from alembic import op
from sqlalchemy import text

from schemas.columns.column_type import quote

revision = "2"
down_revision = "1"

# What events takes for itself from now on; a field of before may have one of them.
_TAKES = ("_headers", "_timestamp_ms", "_key_json", "_record_name")
_THERE = "SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = 'events'::regclass AND NOT attisdropped"


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
