"""What proofs write down about runs, given back from a copy to the warehouse in PostgreSQL that it was made of.

A loader never writes these tables, and one proof at a time does: whoever gives back has its turn. So what is in the
copy at the end is what the tables have to hold, and it gets there in one transaction, or not at all.
"""

from __future__ import annotations

from typing import Any

from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.sinks.postgres.catalogue import our_tables
from consumer.sinks.postgres.warehouse import PostgresWarehouse
from schemas.columns.column_type import quote

SAYINGS = (
    "manifests",
    "manifest_faults",
    "audits",
    "check_results",
    "realism",
    "publications",
    "published_files",
)
Rows = list[tuple[Any, ...]]


def read_sayings(copy: Warehouse) -> dict[str, Rows]:
    """Return the rows of each table, every value as its text."""
    return {table: _rows(copy, table) for table in SAYINGS}


def give_back(original: PostgresWarehouse, copy: Warehouse, before: dict[str, Rows]) -> list[str]:
    """Store what the copy holds now and did not hold ``before``, and return the tables that were written.

    :raises StreamproofError: PostgreSQL did not take it; then it holds what it held.
    """
    now = read_sayings(copy)
    changed = [table for table in SAYINGS if now[table] != before[table]]
    if changed:
        with original.transaction() as connection, connection.cursor() as cursor:
            for table in changed:
                cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - a constant
                names = ", ".join(map(quote, our_tables()[table]))
                with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as rows:
                    for row in now[table]:
                        rows.write_row(row)
    return changed


def _rows(copy: Warehouse, table: str) -> Rows:
    columns = ", ".join(f"CAST({quote(name)} AS VARCHAR)" for name in our_tables()[table])
    return copy.rows(f"SELECT {columns} FROM {table} ORDER BY ALL")  # noqa: S608 - a constant
