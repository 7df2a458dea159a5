"""What a DuckDB file holds of a topic, for whoever asks before anything is sent."""

from __future__ import annotations

import json

from cluster.errors import WarehouseDamaged
from consumer.sinks.batch import RESERVED_NAMES
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.at_hand import AtHand
from schemas.columns.held import Held
from schemas.columns.judge import StoreRules

RULES = StoreRules(reserved=RESERVED_NAMES)
_TABLES = "SELECT table_name FROM duckdb_tables() WHERE table_name IN ('event_layout', 'schema_places')"


def at_hand(warehouse: Warehouse, topic: str) -> AtHand | None:
    """Return the columns of a warehouse; ``None`` for one of another topic, or of a format that does not note them.

    :raises WarehouseDamaged: what it notes cannot be read.
    """
    if len(warehouse.rows(_TABLES)) < 2 or warehouse.meta().get("topic") not in (None, topic):
        return None
    layouts = warehouse.rows("SELECT document FROM event_layout")
    known = frozenset(int(number) for (number,) in warehouse.rows("SELECT DISTINCT schema_id FROM schema_places"))
    where = str(warehouse.path)
    try:
        held = Held.from_document(json.loads(layouts[0][0])) if layouts else Held()
    except ValueError as error:
        raise WarehouseDamaged(f"what the warehouse says of its columns cannot be read: {error}", where=where) from None
    return AtHand(where, held, RULES, known)
