"""Quarantined records, read back: a page at a time, in order of position."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.sinks.held import HeldRecord

PAGE_ROWS = 10_000
PAGE_BYTES = 32 * 1024 * 1024

_SIZES = f"""
    SELECT _partition, _offset, octet_length(value) FROM quarantine
    WHERE (_partition, _offset) > (?, ?) ORDER BY _partition, _offset LIMIT {PAGE_ROWS}
"""  # noqa: S608 - a constant
# Written out: DuckDB 2.0 makes a BETWEEN of two comparisons of pairs, and then cannot compare pairs.
_PAGE = """
    SELECT _partition, _offset, coalesce(_timestamp_ms, epoch_ms(_timestamp)), key, value, headers, crc32,
           schema_id, phase, error_class
    FROM quarantine
    WHERE (_partition > $1 OR (_partition = $1 AND _offset > $2))
      AND (_partition < $3 OR (_partition = $3 AND _offset <= $4))
    ORDER BY _partition, _offset
"""


def pages(warehouse: Warehouse) -> Iterator[list[HeldRecord]]:
    """Yield the quarantine in pages of bounded size; rows may leave it meanwhile."""
    after: tuple[int, int] = (-1, -1)
    while sizes := warehouse.rows(_SIZES, list(after)):
        last, held = sizes[0][:2], 0
        for partition, offset, size in sizes:
            held += size
            if held > PAGE_BYTES and (partition, offset) != sizes[0][:2]:
                break
            last = (partition, offset)
        yield [HeldRecord(*row) for row in warehouse.rows(_PAGE, [*after, *last])]
        after = last
