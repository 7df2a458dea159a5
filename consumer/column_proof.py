"""Whether the stored columns still say what the bytes of their records said: the rows are encoded again.

A row keeps the CRC-32 of the value that it was decoded from. What the producer's encoder makes of its columns must have
that CRC-32; where it has not, somebody changed a column, or the checksum. Only events of a run of ours are looked at:
another program may write the same row as other bytes.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.errors import Misconfigured
from consumer.columns import columns_of_fields, quote
from consumer.verdict import Unproved
from consumer.warehouse import Warehouse
from schemas.codec import Encoder

_CHUNK_ROWS = 20_480
_THREADS = 2  # the encoder lets go of the GIL
_PLACE = '_crc32 AS crc32, _shard AS shard, _sequence AS sequence, _partition AS partition, _offset AS "offset"'

_SCHEMAS = """
    SELECT _schema_id, count(*), any_value(schema)
    FROM run_events LEFT JOIN schema_versions ON schema_id = _schema_id
    GROUP BY 1 ORDER BY 1
"""
_CREATE = """
    CREATE OR REPLACE TEMP TABLE columns_differ (shard INTEGER, sequence BIGINT, partition INTEGER, "offset" BIGINT)
"""


def prove_columns(warehouse: Warehouse) -> list[Unproved]:
    """Fill the temporary table ``columns_differ`` with the events of the run at hand whose columns say something else.

    Needs the views of ``run_scope.sql``. About 4 CPU seconds for a million events of ``customer_events``.

    :return: what could not be compared: schemas that only the row-by-row encoder writes, or columns that hold more
        than the schema has.
    """
    with warehouse.errors():
        warehouse.connection.execute(_CREATE)
    unproved = []
    for schema_id, events, text in warehouse.rows(_SCHEMAS):
        why = "its schema is not kept" if text is None else _prove(warehouse, int(schema_id), str(text))
        if why:
            unproved.append(Unproved(int(schema_id), int(events), why))
    return unproved


def _prove(warehouse: Warehouse, schema_id: int, text: str) -> str:
    """Compare the events of one schema; return why it cannot be done, empty if it was."""
    try:
        encoder = Encoder(text, schema_id)
    except Misconfigured:
        return "its schema cannot be encoded"
    if encoder.slow_types:
        return f"its schema has {', '.join(encoder.slow_types)}"
    column_of = columns_of_fields(warehouse)
    fields = encoder.arrow_schema.names
    if not column_of.keys() >= set(fields):
        return "a field has no column"
    wanted = ", ".join(f"{quote(column_of[name])} AS {quote(f'f{place}')}" for place, name in enumerate(fields))
    query = f"SELECT {wanted}, {_PLACE} FROM run_events WHERE _schema_id = {schema_id}"  # noqa: S608 - names are quoted
    with warehouse.errors():
        reader = warehouse.connection.sql(query).to_arrow_reader(_CHUNK_ROWS)
        kinds = dict(zip(fields, reader.schema.types, strict=False))
        strange = [name for name in fields if not _holds(kinds[name], encoder.arrow_schema.field(name).type)]
        if strange:
            return f"column {strange[0]} holds more than its schema does"
        odd = _odd_rows(encoder, iter(reader))
        if odd:
            warehouse.connection.register("odd", pa.Table.from_batches(odd))
            warehouse.connection.execute("INSERT INTO columns_differ BY NAME FROM odd")
            warehouse.connection.unregister("odd")
    return ""


def _odd_rows(encoder: Encoder, chunks: Iterator[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Return the places of the rows that do not give their bytes: shard, sequence, partition, offset."""
    found: list[pa.RecordBatch] = []
    waiting: deque[Future[pa.RecordBatch]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(_odd_rows_of, encoder, chunk))
            if len(waiting) > _THREADS:
                found.append(waiting.popleft().result())
        found += [each.result() for each in waiting]
    return [rows for rows in found if len(rows)]


def _odd_rows_of(encoder: Encoder, chunk: pa.RecordBatch) -> pa.RecordBatch:
    names = encoder.arrow_schema.names
    rows = pa.RecordBatch.from_arrays(chunk.columns[: len(names)], names=names)
    stored = chunk.column("crc32").to_numpy().astype(np.int64)
    odd = np.flatnonzero(_checksums(encoder, rows) != stored)
    return chunk.select(["shard", "sequence", "partition", "offset"]).take(pa.array(odd, pa.int64()))


def _checksums(encoder: Encoder, rows: pa.RecordBatch) -> NDArray[np.int64]:
    """Return the CRC-32 of each row's value, -1 for a row that the schema does not allow."""
    try:
        values: list[Any] = encoder.encode(rows).to_pylist()
        return np.fromiter(map(zlib.crc32, values), dtype=np.int64, count=len(values))
    except ValueError:
        if len(rows) == 1:
            return np.array([-1], dtype=np.int64)
    half = len(rows) // 2
    return np.concatenate([_checksums(encoder, rows.slice(0, half)), _checksums(encoder, rows.slice(half))])


def _holds(stored: pa.DataType, wanted: pa.DataType) -> bool:
    """Return whether a column of one type gives back every value of another that was put into it."""
    kinds = pa.types
    if stored == wanted:
        return True
    if kinds.is_struct(wanted) and kinds.is_struct(stored):
        return all(
            stored.get_field_index(field.name) >= 0 and _holds(stored.field(field.name).type, field.type)
            for field in wanted.fields
        )
    if kinds.is_list(wanted) and kinds.is_list(stored):
        return _holds(stored.value_type, wanted.value_type)
    if kinds.is_map(wanted) and kinds.is_map(stored):
        return _holds(stored.item_type, wanted.item_type)
    if kinds.is_timestamp(wanted) and kinds.is_timestamp(stored):
        return (stored.tz is None) == (wanted.tz is None)
    return any(is_one(stored) and is_one(wanted) for is_one in (_is_number, kinds.is_time))


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)
