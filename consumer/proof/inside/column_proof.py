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
from consumer.load.unforeseen import barrier
from consumer.proof.found import Unproved
from consumer.proof.inside.fitting import fitted
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.warehouse import Warehouse
from schemas.columns.column_type import quote
from schemas.formats import RowEncoder, WrittenSchema
from schemas.formats.headers import VALUE_SCHEMA
from schemas.types.tree import parse
from schemas.undecodable import UndecodableValue, UnsupportedSchema

_CHUNK_ROWS = 20_480
_THREADS = 2  # the encoders let go of the GIL
_NAMES = "list_transform(_headers, lambda header: struct_extract(header, 'name'))"
_IN_HEADER = f"coalesce(list_contains({_NAMES}, '{VALUE_SCHEMA}'), FALSE) AS in_header"
_PLACE = '_crc32 AS crc32, _shard AS shard, _sequence AS sequence, _partition AS partition, _offset AS "offset"'

_SCHEMAS = """
    SELECT run._schema_id, run.events, kept.text, kept.format
    FROM (SELECT _schema_id, count(*) AS events FROM run_events GROUP BY 1) AS run
    LEFT JOIN (
        SELECT schema_id, min(schema) AS text, arg_min(format, schema) AS format FROM schema_versions GROUP BY 1
    ) AS kept ON schema_id = _schema_id
    ORDER BY 1
"""
_CREATE = """
    CREATE OR REPLACE TEMP TABLE columns_differ (shard INTEGER, sequence BIGINT, partition INTEGER, "offset" BIGINT)
"""


def prove_columns(warehouse: Warehouse) -> list[Unproved]:
    """Fill the temporary table ``columns_differ`` with the events of the run at hand whose columns say something else.

    Needs the views of ``run_scope.sql``. About 4 CPU seconds for a million events of 480 bytes.

    :return: what could not be compared, and why; contradictions of the file are ``contradictions.py``'s to tell.
    """
    with warehouse.errors():
        warehouse.connection.execute(_CREATE)
    unproved = []
    for schema_id, events, text, format_ in warehouse.rows(_SCHEMAS):
        schema = None if text is None else WrittenSchema(str(text), str(format_))
        why = "its schema is not kept" if schema is None else _prove(warehouse, int(schema_id), schema)
        if why:
            fields = [] if schema is None else _fields(schema)
            unproved.append(Unproved(-1 if schema_id is None else int(schema_id), int(events), why, fields))
    return unproved


def _fields(schema: WrittenSchema) -> list[str]:
    try:
        return list(schema.written.encoder(schema.text, 0).arrow_schema.names)
    except (Misconfigured, UnsupportedSchema):
        return []


def _prove(warehouse: Warehouse, schema_id: int, schema: WrittenSchema) -> str:
    """Compare the events of one schema; return why it cannot be done, empty if it was."""
    try:
        encoder = schema.written.encoder(schema.text, schema_id)
    except (Misconfigured, UnsupportedSchema):
        return "its schema cannot be encoded"
    columns, root = EventColumns(warehouse), parse(schema.text)
    wrong = columns.misfits(schema_id, root)
    if wrong:
        return next(iter(wrong.values()))
    values = columns.values_of(schema_id, root)
    wanted = [f"{values[name]} AS {quote(f'f{place}')}" for place, name in enumerate(encoder.arrow_schema.names)]
    select = ", ".join([*wanted, _PLACE, f"{columns.odd_values(schema_id, root)} AS holds_more", _IN_HEADER])
    query = f"SELECT {select} FROM run_events WHERE _schema_id = {schema_id}"  # noqa: S608 - names are quoted
    with warehouse.errors():
        reader = warehouse.connection.sql(query).to_arrow_reader(warehouse.rows_at_once(_CHUNK_ROWS))
        odd = _odd_rows(encoder, schema.written.head_bytes, iter(reader))
        if odd:
            warehouse.connection.register("odd", pa.Table.from_batches(odd))
            warehouse.connection.execute("INSERT INTO columns_differ BY NAME FROM odd")
            warehouse.connection.unregister("odd")
    return ""


def _odd_rows(encoder: RowEncoder, head_bytes: int, chunks: Iterator[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Return the places of the rows that do not give their bytes: shard, sequence, partition, offset.

    :param head_bytes: what stands before the payload, but for records that name their schema in a header.
    """
    found: list[pa.RecordBatch] = []
    waiting: deque[Future[pa.RecordBatch]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(_odd_rows_of, encoder, head_bytes, chunk))
            if len(waiting) > _THREADS:
                found.append(waiting.popleft().result())
        found += [each.result() for each in waiting]
    return [rows for rows in found if len(rows)]


def _odd_rows_of(encoder: RowEncoder, head_bytes: int, chunk: pa.RecordBatch) -> pa.RecordBatch:
    names = encoder.arrow_schema.names
    rows = pa.RecordBatch.from_arrays(chunk.columns[: len(names)], names=names)
    more = chunk.column("holds_more").to_numpy(zero_copy_only=False).astype(np.bool_)
    stored = chunk.column("crc32").to_numpy(zero_copy_only=False).astype(np.float64)
    left_out = np.where(chunk.column("in_header").to_numpy(zero_copy_only=False), head_bytes, 0)
    odd = np.flatnonzero((_checksums(encoder, rows, left_out) != stored) | more)
    return chunk.select(["shard", "sequence", "partition", "offset"]).take(pa.array(odd, pa.int64()))


def _checksums(encoder: RowEncoder, rows: pa.RecordBatch, left_out: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the CRC-32 of each row's value, -1 for a row that the schema does not allow.

    :param left_out: how many bytes its record does not have of what the encoder writes first.
    """
    try:
        with barrier("decode"):
            columns = [fitted(rows.column(field.name), field.type) for field in encoder.arrow_schema]
            fitting = pa.RecordBatch.from_arrays(columns, names=rows.schema.names)
            values: list[Any] = encoder.encode(fitting).to_pylist()
            if left_out.any():
                values = [value[head:] for value, head in zip(values, left_out.tolist(), strict=True)]
        return np.fromiter(map(zlib.crc32, values), dtype=np.int64, count=len(values))
    except UndecodableValue:
        if len(rows) == 1:
            return np.array([-1], dtype=np.int64)
    half = len(rows) // 2
    # Taken, not sliced: the tags of a sliced union are those of the whole (PyArrow 26).
    parts = [range(half), range(half, len(rows))]
    return np.concatenate(
        [_checksums(encoder, rows.take(pa.array(part)), left_out[part.start : part.stop]) for part in parts]
    )
