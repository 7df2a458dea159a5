"""Formats of the warehouse file, and the steps from each to the next.

``warehouse.sql`` makes a file of the newest format; ``to_N.sql`` makes format N of a file of format N - 1. Adding a
format is adding a step and changing ``warehouse.sql`` to match: a test holds that both give the same tables. A step may
read and write anything in the file. It must not rely on how ``warehouse.sql`` looks, which changes after it.
"""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

import duckdb

from cluster.errors import Misconfigured, WarehouseDamaged
from consumer.sinks.duckdb.migrations.to_6 import lay_out
from schemas.columns.column_type import quote

_FOLDER = Path(__file__).parent
_FIRST = _FOLDER / "format_1.sql"
_TABLE = re.compile(r"^CREATE TABLE (\w+) \(.*?^\);", re.MULTILINE | re.DOTALL)
_THERE = "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
_NOTE = "UPDATE meta SET value = ? WHERE key = 'format'"
# Columns of events that a format takes for itself; a field of before may have one of them.
_TAKES = {6: ("_headers", "_timestamp_ms", "_key_json", "_record_name")}
_EVENT_COLUMNS = "SELECT column_name FROM duckdb_columns() WHERE table_name = 'events' ORDER BY column_index"

NEWEST = 1 + len(list(_FOLDER.glob("to_*.sql")))


def format_of(meta: dict[str, str], where: Path) -> int:
    """Return the format of a file, one that :func:`migrate` can bring to the newest.

    :param meta: what the file says about itself.
    :raises WarehouseDamaged: it names no format.
    :raises Misconfigured: a later version of Streamproof wrote it.
    """
    said = meta.get("format", "")
    if not said.isdecimal() or not int(said):
        raise WarehouseDamaged(
            f"the warehouse names no format that there ever was ({said or 'none'})",
            where=str(where),
            hint="Somebody changed its table meta. Restore a copy of the file, or load the topic into a new one",
        )
    if int(said) > NEWEST:
        raise Misconfigured(
            f"the warehouse has format {said}, this version of Streamproof knows formats up to {NEWEST}",
            where=str(where),
            hint="A later version made it: use that one, or load the topic into a new file",
        )
    return int(said)


def migrate(connection: duckdb.DuckDBPyConnection, from_format: int) -> None:
    """Bring the file that is open to the newest format, each step in a transaction of its own.

    A kill at any moment leaves the file in the format that it notes. Nothing happens to a file of the newest.

    :raises WarehouseDamaged: the tables are not those of the format that the file names.
    :raises duckdb.Error: a step failed; the file is as it was before it.
    """
    if from_format == 1:
        _step(connection, _lacking(connection), 1)
    for number in range(from_format + 1, NEWEST + 1):
        _step(connection, (_FOLDER / f"to_{number}.sql").read_text(encoding="utf-8"), number)


def _step(connection: duckdb.DuckDBPyConnection, statements: str, number: int) -> None:
    connection.execute("BEGIN TRANSACTION")
    try:
        for name in _TAKES.get(number, ()):
            _give_way(connection, name)
        connection.execute(statements)
        if number == 6:
            lay_out(connection)
        connection.execute(_NOTE, [str(number)])
        connection.execute("COMMIT")
    except BaseException as error:
        connection.rollback()
        if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
            raise WarehouseDamaged(
                f"the warehouse does not have the tables of the format that it names: {str(error).splitlines()[0]}",
                hint="Somebody changed it. Restore a copy of the file, or load the topic into a new one",
            ) from error
        raise


def _give_way(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Give the column of a field that is called like one of ours a number, as new fields get one."""
    there = [str(column) for (column,) in connection.execute(_EVENT_COLUMNS).fetchall()]
    lower = {column.lower() for column in there}
    for column in [column for column in there if column.lower() == name]:
        free = next(f"{column}_{number}" for number in count(2) if f"{column}_{number}".lower() not in lower)
        connection.execute(f"ALTER TABLE events RENAME COLUMN {quote(column)} TO {quote(free)}")
        connection.execute("UPDATE event_columns SET column_name = ? WHERE column_name = ?", [free, column])


def _lacking(connection: duckdb.DuckDBPyConnection) -> str:
    """Return what makes the tables that came while the format was still called 1."""
    there = {name for (name,) in connection.execute(_THERE).fetchall()}
    made = {match[1]: match[0] for match in _TABLE.finditer(_FIRST.read_text(encoding="utf-8"))}
    return "\n".join(statement for name, statement in made.items() if name not in there)
