"""A published file holds the rows in the order of the table, in groups that fit into memory."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from consumer.publish.snapshot import _export
from consumer.sinks.duckdb.settings import PROVE
from consumer.sinks.duckdb.warehouse import open_warehouse

ROWS = 600_000


@pytest.mark.parametrize(("value_bytes", "most_rows"), [(480, 122_880), (10_000, 2048 * 4)])
def test_a_run_gives_the_same_file_each_time(tmp_path: Path, value_bytes: int, most_rows: int) -> None:
    rows = ROWS if value_bytes == 480 else 20_000
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        PROVE.apply(warehouse.connection, warehouse.path)
        warehouse.rows(f"INSERT INTO events (_offset) SELECT * FROM range({rows})")
        warehouse.rows(
            "INSERT INTO load_batches SELECT 1, 'x', now(), 0, 0, n, n, 0, 0, 0, 0, [], 0, n * ?, 0, 0, 0 "
            "FROM (SELECT CAST(? AS BIGINT) AS n)",
            [value_bytes, rows],
        )
        warehouse.rows("CREATE TEMP VIEW run_events AS SELECT * FROM events")
        hashes = set()
        for name in ("a", "b"):
            (tmp_path / name / "events").mkdir(parents=True)
            hashes.add(_export(warehouse, "run", tmp_path / name).sha256)
        assert len(hashes) == 1
        assert warehouse.rows("SELECT current_setting('preserve_insertion_order')") == [(False,)]
    (file,) = (tmp_path / "a" / "events").iterdir()
    assert pq.read_table(file, columns=["_offset"])["_offset"].to_pylist() == list(range(rows))
    metadata = pq.ParquetFile(file).metadata
    assert max(metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)) <= most_rows
