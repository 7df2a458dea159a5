"""Formats of a warehouse in PostgreSQL, and the steps from each to the next, run by alembic.

``versions/format_N.py`` makes format N of one of format N - 1, in plain SQL; there is no way back. Everything happens
in one transaction, under a lock: two loaders that find no warehouse make one, and a kill leaves a whole one or none.
alembic's own table, ``alembic_version``, lies in the schema of the warehouse and says which format it has.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cluster.errors import Misconfigured, WarehouseDamaged
from consumer.sinks.postgres.connecting import BoundedConnection
from consumer.sinks.postgres.place import Address
from consumer.sinks.postgres.steps import take_steps

_FOLDER = Path(__file__).parent
NEWEST = len(list((_FOLDER / "versions").glob("format_*.py")))
_NOTE = "INSERT INTO meta (key, value) VALUES (%s, %s)"


def format_of(said: str | None, where: str) -> int:
    """Return the format of a warehouse, one that :func:`upgrade` can bring to the newest.

    :raises WarehouseDamaged: it names none.
    :raises Misconfigured: a later version of Streamproof made it.
    """
    if said is None or not said.isdecimal() or not int(said):
        raise WarehouseDamaged(
            f"the warehouse names no format that there ever was ({said or 'none'})",
            where=where,
            hint="Somebody changed its table alembic_version. Set the schema aside and load the topic anew",
        )
    if int(said) > NEWEST:
        raise Misconfigured(
            f"the warehouse has format {said}, this version of Streamproof knows formats up to {NEWEST}",
            where=where,
            hint="A later version made it: use that one, or another database",
        )
    return int(said)


def upgrade(address: Address, schema: str, *, topic: str) -> None:
    """Make a warehouse in a schema, or bring the one that is there to the newest format.

    :raises psycopg.Error: PostgreSQL refuses it; everything is as it was.
    """

    def note(raw: BoundedConnection) -> None:
        if not raw.execute("SELECT 1 FROM meta WHERE key = 'topic'").fetchall():
            raw.execute(_NOTE, ["topic", topic])
            raw.execute(_NOTE, ["created_at", datetime.now(UTC).isoformat()])

    take_steps(address, schema, _FOLDER, lock=lock_name(schema), then=note)


def lock_name(schema: str) -> str:
    """Return what the advisory lock of a warehouse is called, under which its tables are changed."""
    return f"streamproof warehouse {schema}"
