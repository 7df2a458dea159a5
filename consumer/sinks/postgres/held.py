"""Quarantined records, read back: a page at a time, in order of position."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from consumer.sinks import held as records
from consumer.sinks.postgres.warehouse import PostgresWarehouse
from schemas.columns.column_type import quote

PAGE_ROWS = 10_000
PAGE_BYTES = 32 * 1024 * 1024
_SIZES = f"""
    SELECT _partition, _offset, octet_length(value) FROM quarantine
    WHERE (_partition, _offset) > (%s, %s) ORDER BY _partition, _offset LIMIT {PAGE_ROWS}
"""  # noqa: S608 - a constant
_COLUMNS = (
    "_partition",
    "_offset",
    "_timestamp",
    "key",
    "value",
    "headers",
    "schema_id",
    "phase",
    "error_class",
    "crc32",
    "_timestamp_ms",
)
_SUMMARY = """
    SELECT phase, error_class, count(*), (array_agg(error ORDER BY _partition, _offset))[1],
           coalesce(array_agg(DISTINCT schema_id) FILTER (WHERE schema_id IS NOT NULL), '{}'),
           (array_agg(json_build_object('partition', _partition, 'offset', _offset) ORDER BY _partition, _offset))[1:3]
    FROM quarantine GROUP BY phase, error_class ORDER BY count(*) DESC, phase, error_class
"""


def summary(warehouse: PostgresWarehouse) -> list[records.QuarantineClass]:
    """Return what the quarantine holds, by phase and class, most frequent first."""
    return [records.QuarantineClass(*row) for row in warehouse.rows(_SUMMARY)]


def pages(warehouse: PostgresWarehouse) -> Iterator[list[records.HeldRecord]]:
    """Yield the quarantine in pages of bounded size; rows may leave it meanwhile."""
    after: tuple[int, int] = (-1, -1)
    while sizes := warehouse.rows(_SIZES, after):
        last, held = sizes[0][:2], 0
        for partition, offset, size in sizes:
            held += size
            if held > PAGE_BYTES and (partition, offset) != sizes[0][:2]:
                break
            last = (partition, offset)
        yield _page(warehouse, after, last)
        after = last


def _page(warehouse: PostgresWarehouse, after: tuple[int, int], last: tuple[int, int]) -> list[records.HeldRecord]:
    columns = {each.column: each for each in warehouse.columns("quarantine")}
    query = f"""
        SELECT {", ".join(map(quote, _COLUMNS))} FROM quarantine
        WHERE (_partition, _offset) > ({after[0]}, {after[1]}) AND (_partition, _offset) <= ({last[0]}, {last[1]})
        ORDER BY _partition, _offset
    """  # noqa: S608 - names of ours, and whole numbers
    found: list[records.HeldRecord] = []
    for table in warehouse.values(query, [columns[name] for name in _COLUMNS]):
        times = table.column("_timestamp").cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()).to_pylist()
        for row, timestamp_ms in zip(table.to_pylist(), times, strict=True):
            found.append(
                records.HeldRecord(
                    row["_partition"],
                    row["_offset"],
                    timestamp_ms if row["_timestamp_ms"] is None else row["_timestamp_ms"],
                    row["key"],
                    row["value"],
                    row["headers"],
                    row["crc32"],
                    row["schema_id"],
                    row["phase"],
                    row["error_class"],
                )
            )
    return found
