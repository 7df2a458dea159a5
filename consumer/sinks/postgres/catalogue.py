"""What the schema of a warehouse holds: our tables, as they were made. Whatever else is in it is somebody's own.

The tables are looked at before anything in them is believed: a view, a foreign table, a trigger or a row policy could
answer in place of the rows, or change them on their way.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import psycopg

from cluster.errors import WarehouseDamaged
from consumer.sinks.batch import RECORD_COLUMNS
from consumer.sinks.postgres.values.copying import StoredColumn, converter
from consumer.sinks.postgres.values.types import postgres_type, read_type
from schemas.columns.column_type import ColumnType, quote

GROWS = "events"
TYPES = "event_types"
OWN = (TYPES, "batch_order")  # which a DuckDB warehouse does not have
_KEYS = {
    "events": ["_partition", "_offset"],
    "quarantine": ["_partition", "_offset"],
    "load_offsets": ["partition"],
    "load_batches": ["batch", "partition"],
    "batch_order": ["batch"],
}
_RELATIONS = """
    SELECT relname, relkind, relrowsecurity, relhasrules,
           EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal),
           (SELECT array_agg(attname::text ORDER BY place)
            FROM pg_catalog.pg_constraint, unnest(conkey) WITH ORDINALITY AS parts(part, place)
            JOIN pg_catalog.pg_attribute ON attnum = part
            WHERE conrelid = pg_class.oid AND contype = 'p' AND attrelid = pg_class.oid)
    FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = %s
"""
_COLUMNS = """
    SELECT relname, attname, pg_catalog.format_type(atttypid, atttypmod), attnotnull, atthasdef
    FROM pg_catalog.pg_attribute
    JOIN pg_catalog.pg_class ON pg_class.oid = attrelid
    JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = %s AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
"""
_IS_TABLE = ("r", "p")


@cache
def our_tables() -> dict[str, dict[str, ColumnType]]:
    """Return the tables that a DuckDB warehouse has as well, with their columns; of ``events`` those of ours."""
    from consumer.sinks.duckdb.column_types import column_type
    from consumer.sinks.duckdb.warehouse import lay_tables

    with converter() as connection:
        lay_tables(connection)
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        relations = {name: connection.sql(f"SELECT * FROM {quote(name)} LIMIT 0") for name in sorted(names)}  # noqa: S608
        return {
            name: dict(zip(relation.columns, map(column_type, relation.types), strict=True))
            for name, relation in relations.items()
        }


def event_columns(connection: psycopg.Connection[Any], where: str) -> list[StoredColumn]:
    """Return the columns of ``events``: those of the schemas in the order in which they came, then ours.

    :raises WarehouseDamaged: ``event_types`` does not say what a column is.
    """
    rows = connection.execute(
        "SELECT column_name, name, type FROM event_types "
        "LEFT JOIN pg_catalog.pg_attribute ON attname = column_name AND attrelid = 'events'::regclass AND attnum > 0 "
        "ORDER BY attnum, column_name"
    ).fetchall()
    found: list[StoredColumn] = []
    for column, name, said in rows:
        try:
            found.append(StoredColumn(column, name, read_type(said)))
        except ValueError as error:
            raise damaged([f"the type of {column} in {TYPES} is none"], where) from error
    ours = our_tables()[GROWS]
    return found + [StoredColumn(name, name, ours[name]) for name in RECORD_COLUMNS]


def check_tables(connection: psycopg.Connection[Any], schema: str, where: str) -> None:
    """Check that our tables are as they were made.

    :raises WarehouseDamaged: somebody changed them.
    """
    faults = list(_faults(connection, schema, where))
    if faults:
        raise damaged(faults, where)


def _faults(connection: psycopg.Connection[Any], schema: str, where: str) -> Iterator[str]:
    there = {row[0]: row[1:] for row in connection.execute(_RELATIONS, [schema])}
    wanted = {*our_tables(), *OWN}
    for table in sorted(wanted):
        if table not in there:
            yield f"the table {table} is missing"
            continue
        kind, has_policies, has_rules, has_triggers, key = there[table]
        if kind not in _IS_TABLE:
            yield f"{table} is not a table"
        if has_policies or has_rules or has_triggers:
            yield f"{table} has a trigger, a rule or a row policy, which could answer in place of its rows"
        if key != _KEYS.get(table, key):
            yield f"{table} has not the key ({', '.join(_KEYS[table])})"
    if wanted - there.keys() or any(there[table][0] not in _IS_TABLE for table in wanted):
        return
    columns: dict[str, dict[str, tuple[str, bool, bool]]] = {}
    for table, name, *described in connection.execute(_COLUMNS, [schema]):
        columns.setdefault(table, {})[name] = tuple(described)
    for table, ours in our_tables().items():
        kinds = {name: postgres_type(kind) for name, kind in ours.items()}
        if table == GROWS:
            kinds = {each.column: postgres_type(each.kind) for each in event_columns(connection, where)}
        yield from _other_columns(table, columns[table], kinds)


def _other_columns(table: str, there: dict[str, tuple[str, bool, bool]], kinds: dict[str, str]) -> Iterator[str]:
    for name, kind in kinds.items():
        if name not in there:
            yield f"{table} has no column {name}"
        elif there[name][0] != kind:
            yield f"the column {table}.{name} is {there[name][0]}, not {kind}"
    for name, (_, required, _) in there.items():
        # What is only beside ours is no harm, as long as a row without it is taken.
        if name not in kinds and required:
            yield f"the column {table}.{name} is not ours, and every row must have it"


def damaged(faults: list[str], where: str) -> WarehouseDamaged:
    """Return the error for what somebody changed, a sentence each."""
    return WarehouseDamaged(
        "the tables of the warehouse are not as they were made: "
        + "; ".join(faults[:3])
        + (f"; and {len(faults) - 3} more" if len(faults) > 3 else ""),
        where=where,
        hint="Somebody changed them. Undo it, or load with --set-aside: the schema gets another name, a new one begins",
    )
