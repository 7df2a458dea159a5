"""What a schema of PostgreSQL holds of a topic, for whoever asks before anything is sent. Nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Iterable

from cluster.errors import WarehouseDamaged
from consumer.sinks.batch import METADATA_COLUMNS, RESERVED_NAMES
from consumer.sinks.postgres.connecting import BoundedConnection
from consumer.sinks.postgres.place import schema_of
from schemas.columns.at_hand import AtHand
from schemas.columns.column_type import ColumnType, quote
from schemas.columns.held import Held, NotAColumn
from schemas.columns.judge import StoreRules

# Of every table, for the server itself.
SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
_MOST_COLUMNS = 1_600 - len(METADATA_COLUMNS)  # PostgreSQL's limit, and room for ours
_IS_THERE = "SELECT to_regclass('events') IS NOT NULL"
_HAS_TABLES = """
    SELECT bool_and(to_regclass(name) IS NOT NULL)
    FROM (VALUES ('event_layout'), ('schema_places'), ('event_types'), ('meta')) AS wanted (name)
"""
_TOPIC = "SELECT value FROM meta WHERE key = 'topic'"
THEIRS = """
    SELECT attname FROM pg_catalog.pg_attribute
    WHERE attrelid = 'events'::regclass AND NOT attisdropped AND attname NOT IN (SELECT column_name FROM event_types)
"""


def at_hand(connection: BoundedConnection, topic: str, where: str) -> AtHand | None:
    """Return the columns of a warehouse, none where it is yet to be made.

    :return: ``None`` for one of a format that does not note them, or of another topic.

    :raises WarehouseDamaged: what it notes cannot be read.
    """
    connection.execute("SELECT set_config('search_path', %s, false)", [quote(schema_of(topic))])
    if connection.execute(_IS_THERE).fetchall() == [(False,)]:
        return AtHand(rules=rules(reserved([])))
    if connection.execute(_HAS_TABLES).fetchall() != [(True,)]:
        return None
    if connection.execute(_TOPIC).fetchall() != [(topic,)]:
        return None
    layouts = connection.execute("SELECT document FROM event_layout").fetchall()
    try:
        held = Held.from_document(json.loads(layouts[0][0])) if layouts else Held()
    except (NotAColumn, ValueError) as error:
        raise WarehouseDamaged(f"what the warehouse says of its columns cannot be read: {error}", where=where) from None
    known = frozenset(int(number) for (number,) in connection.execute("SELECT schema_id FROM schema_places"))
    theirs = [str(name) for (name,) in connection.execute(THEIRS)]
    return AtHand(where, held, rules(reserved(theirs)), known)


def rules(names: Iterable[str]) -> StoreRules:
    """Return what PostgreSQL takes.

    :param names: that no field's column has.
    """
    return StoreRules(reserved=tuple(names), refuses=_too_many_columns)


def reserved(theirs: list[str]) -> tuple[str, ...]:
    """Return the names that no field's column has.

    :param theirs: columns that are none of ours.
    """
    return (*RESERVED_NAMES, *SYSTEM_COLUMNS, *theirs)


def _too_many_columns(columns: ColumnType) -> str:
    if len(columns.members) <= _MOST_COLUMNS:
        return ""
    there = f"a table of PostgreSQL's has room for {_MOST_COLUMNS:,} beside ours"
    return f"the fields need {len(columns.members):,} columns; {there}"
