"""What an honest pipeline would store of a run: the events made again, and written by nothing of the loader's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import duckdb
import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from cluster.connection import Connection
from cluster.reading import TopicReader
from producer.regenerate import regenerated
from producer.toolkit.ids import event_ids
from schemas.identity import IDENTITY_FIELD
from schemas.manifest import Manifest

TABLE = "stored"
# Each file is one row group, as pyarrow writes a table of that size; a writer in Spark or DuckDB has smaller ones.
_FILE_ROWS = 1_000_000
_READ_ROWS = 100_000


def events_of(manifest: Manifest, scenario: str) -> Iterator[pa.RecordBatch]:
    """Yield a shard's events, a few thousand at a time, each with its id."""
    again = regenerated([manifest], scenario=scenario)
    for batch in again.events(manifest.shard, manifest.first_sequence, manifest.next_sequence):
        sequences = batch.column(0).to_numpy()
        columns = {name: batch.column(name) for name in again.schema.names}
        columns.setdefault(IDENTITY_FIELD, event_ids(manifest.run_id, manifest.shard, sequences))
        yield pa.RecordBatch.from_pydict(columns)


def positions_of(connection: Connection, topic: str) -> Iterator[pa.RecordBatch]:
    """Yield what a consumer keeps that knows nothing of the values: partition, offset and size of every record."""
    with TopicReader(connection.kafka, topic) as source:
        marks = source.watermarks(range(source.identify().partitions))
        source.assign({p: mark.low for p, mark in marks.items()}, {p: mark.high for p, mark in marks.items()})
        while not source.finished:
            records, _ = source.fetch(_READ_ROWS, threading.Event())
            yield pa.RecordBatch.from_pydict(
                {
                    "kafka_partition": pa.array(records.partitions),
                    "kafka_offset": pa.array(records.offsets),
                    "size_bytes": pa.array(records.sizes.astype(np.int32)),
                }
            )


def into_parquet(batches: Iterator[pa.RecordBatch], folder: Path) -> Path:
    """Write a folder of files."""
    folder.mkdir(parents=True)
    for number, table in enumerate(_tables(batches, _FILE_ROWS)):
        pq.write_table(table, folder / f"part-{number}.parquet")
    return folder


def into_postgres(rows: Path, address: str, primary_key: str = IDENTITY_FIELD) -> None:
    """Fill a new table of PostgreSQL from Parquet files, by COPY; the columns are flat."""
    with psycopg.connect(address) as connection, duckdb.connect() as reading:
        reader = reading.sql(f"FROM '{rows}/*.parquet'").to_arrow_reader(_READ_ROWS)
        columns = ", ".join(f'"{field.name}" {_type(field.type)}' for field in reader.schema)
        connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
        connection.execute(f"CREATE TABLE {TABLE} ({columns})")
        with connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT csv)") as copy:
            for batch in reader:
                text = BytesIO()
                csv.write_csv(batch, text, csv.WriteOptions(include_header=False))
                copy.write(text.getvalue())
        connection.execute(f'ALTER TABLE {TABLE} ADD PRIMARY KEY ("{primary_key}")')


def into_duckdb(rows: Path, file: Path) -> None:
    """Fill a new table of a DuckDB file from Parquet files."""
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE TABLE {TABLE} AS FROM '{rows}/*.parquet'")


def into_text(rows: Path, file: Path, form: str) -> None:
    """Write a file of CSV or of JSON lines from Parquet files."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM '{rows}/*.parquet') TO '{file}' (FORMAT {form})")


def _tables(batches: Iterator[pa.RecordBatch], size: int) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += len(batch)
        if rows >= size:
            yield pa.Table.from_batches(held)
            held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamptz"
    if pa.types.is_floating(kind):
        return "double precision"
    return "bigint" if pa.types.is_integer(kind) else "text"
