"""Reads a lake as its users do, with the lake's Python: ``python -m tests.lake.reading FOLDER JARS READER...``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from consumer.lake.published import event_files

WANTED = ["kafka_partition", "kafka_offset", "value_crc"]


def polars(folder: Path, files: list[str]) -> Any:
    """As docs/lake.md says."""
    import polars as pl

    schema = pl.read_parquet_schema(folder / "schemas" / "columns.parquet")
    rows = pl.scan_parquet(
        files,
        schema=schema,
        missing_columns="insert",
        cast_options=pl.ScanCastOptions(
            integer_cast=["upcast", "allow-float"], float_cast="upcast", missing_struct_fields="insert"
        ),
    )
    assert rows.collect().width == len(schema)  # every column, not only those that are counted
    return rows.select(WANTED).collect().rows()


def spark(folder: Path, files: list[str], jars: str) -> Any:
    """As docs/lake.md says."""
    session = _session(jars, {})
    columns = session.read.parquet(str(folder / "schemas" / "columns.parquet")).schema
    rows = session.read.schema(columns).option("basePath", str(folder / "events")).parquet(*files)
    rows.write.format("noop").mode("overwrite").save()  # every column is read
    return rows.select(*WANTED).collect()


def spark_delta(folder: Path, jars: str) -> Any:
    """Return the rows of a Delta table."""
    from consumer.lake.job.delta import CONF

    return _session(jars, CONF).read.format("delta").load(str(folder / "events")).select(*WANTED).collect()


def deltalake(folder: Path) -> Any:
    """Return them without Spark."""
    from deltalake import DeltaTable

    table = DeltaTable(str(folder / "events")).to_pyarrow_dataset().to_table(columns=WANTED)
    return zip(*(table[name].to_pylist() for name in WANTED), strict=True)


def _session(jars: str, conf: dict[str, str]) -> Any:
    from consumer.lake.job.session import open_session

    return open_session(
        "local[1]", "500m", jars.split(","), conf, work=Path.cwd(), java_options="-XX:TieredStopAtLevel=1"
    )


def main() -> None:
    """Print what each reader sees as one line of JSON."""
    folder, jars, readers = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    files = [str(path) for path in event_files(folder)]
    assert all(pq.read_metadata(file).num_rows for file in files), "a listed file without rows"
    ways = {
        "polars": lambda: polars(folder, files),
        "spark": lambda: spark(folder, files, jars),
        "delta": lambda: spark_delta(folder, jars),
        "deltalake": lambda: deltalake(folder),
    }
    found = {reader: sorted([int(value) for value in row] for row in ways[reader]()) for reader in readers}
    print(json.dumps(found), flush=True)
    # It was seen that a library's threads abort the process while the interpreter takes them down.
    os._exit(0)


if __name__ == "__main__":
    main()
