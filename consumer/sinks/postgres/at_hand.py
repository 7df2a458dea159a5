"""What a schema of PostgreSQL holds of a topic, for whoever asks before anything is sent. Nothing is changed."""

from __future__ import annotations

import json

from cluster.errors import WarehouseDamaged
from consumer.sinks.batch import RESERVED_NAMES
from consumer.sinks.postgres.connecting import BoundedConnection
from consumer.sinks.postgres.place import schema_of
from schemas.columns.at_hand import AtHand
from schemas.columns.column_type import quote
from schemas.columns.held import Held, NotAColumn
from schemas.columns.judge import StoreRules

# Of every table, for the server itself.
SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
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
    """Return the columns of a warehouse; ``None`` where there is none, or one of a format that does not note them.

    :raises WarehouseDamaged: what it notes cannot be read.
    """
    connection.execute("SELECT set_config('search_path', %s, false)", [quote(schema_of(topic))])
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
    return AtHand(where, held, StoreRules(reserved=reserved(theirs)), known)


def reserved(theirs: list[str]) -> tuple[str, ...]:
    """Return the names that no field's column has.

    :param theirs: columns that are none of ours.
    """
    return (*RESERVED_NAMES, *SYSTEM_COLUMNS, *theirs)
