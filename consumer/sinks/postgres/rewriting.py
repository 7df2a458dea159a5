"""The values of a column, written anew where its type becomes one that PostgreSQL cannot cast them to.

They are read, turned into the new type and written by the statements that a load runs, a page at a time: what becomes
of a value does not depend on whether it was stored before the type changed. All of it is one transaction, in which
nobody else reads or writes the table.
"""

from __future__ import annotations

from consumer.sinks.postgres.values.copying import PAGE_BYTES, StoredColumn, copy_in
from consumer.sinks.postgres.values.into_text import CopiedColumn
from consumer.sinks.postgres.values.types import postgres_type
from consumer.sinks.postgres.warehouse import PostgresWarehouse
from schemas.columns.column_type import ColumnType, quote
from schemas.columns.judge import identity

_PAGE_ROWS = 65_536
_MAKE = "CREATE TEMPORARY TABLE rewritten (_partition integer, _offset bigint, value {kind}) ON COMMIT DROP"
_AVERAGE_BYTES = "SELECT coalesce(avg(octet_length({column}::text)), 0)::float8 FROM events"
_FETCH = """
    SELECT _partition, _offset, {column} FROM events
    WHERE {column} IS NOT NULL AND (_partition, _offset) > ({partition}, {offset})
    ORDER BY _partition, _offset LIMIT {rows}
"""
_PUT = """
    UPDATE events SET {column} = rewritten.value FROM rewritten
    WHERE events._partition = rewritten._partition AND events._offset = rewritten._offset
"""
_KEY = (
    StoredColumn("_partition", "_partition", ColumnType("INTEGER")),
    StoredColumn("_offset", "_offset", ColumnType("BIGINT")),
)
_KEY_COPIED = tuple(CopiedColumn(each.name, each.column, each.kind) for each in _KEY)


def write_anew(warehouse: PostgresWarehouse, column: str, before: ColumnType, after: ColumnType) -> None:
    """Turn the values of a column of ``events`` into the type that it has grown into, inside the caller's transaction.

    :raises WarehouseDamaged: a value is stored that no loader writes.
    """
    connection, name, kind = warehouse.connection, quote(column), postgres_type(after)
    connection.execute(_MAKE.format(kind=kind))
    ((size_bytes,),) = warehouse.rows(_AVERAGE_BYTES.format(column=name))
    rows = max(1, min(_PAGE_ROWS, int(PAGE_BYTES / max(1.0, size_bytes))))
    read = [*_KEY, StoredColumn(column, "value", before)]
    written = [*_KEY_COPIED, CopiedColumn("value", "value", after, (before, identity(before)))]
    partition, offset = -1, -1
    while True:
        fetch = _FETCH.format(column=name, partition=partition, offset=offset, rows=rows)
        pages = list(warehouse.values(fetch, read))
        if not pages:
            break
        for page in pages:
            copy_in(connection, warehouse.converts, "rewritten", page, written)
        partition, offset = (pages[-1].column(each.name)[-1].as_py() for each in _KEY)
    if kind != postgres_type(before):
        connection.execute(f"ALTER TABLE events ALTER COLUMN {name} TYPE {kind} USING NULL::{kind}")
    connection.execute(_PUT.format(column=name))
    connection.execute("DROP TABLE rewritten")
