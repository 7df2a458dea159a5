"""Quarantined records, read back: a page at a time, in order of position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from consumer.sinks.duckdb.warehouse import Warehouse

PAGE_ROWS = 10_000
PAGE_BYTES = 32 * 1024 * 1024

_SIZES = f"""
    SELECT _partition, _offset, octet_length(value) FROM quarantine
    WHERE (_partition, _offset) > (?, ?) ORDER BY _partition, _offset LIMIT {PAGE_ROWS}
"""  # noqa: S608 - a constant
# Written out: DuckDB 2.0 makes a BETWEEN of two comparisons of pairs, and then cannot compare pairs.
_PAGE = """
    SELECT _partition, _offset, epoch_ms(_timestamp), key, value, headers, crc32, schema_id, phase, error_class
    FROM quarantine
    WHERE (_partition > $1 OR (_partition = $1 AND _offset > $2))
      AND (_partition < $3 OR (_partition = $3 AND _offset <= $4))
    ORDER BY _partition, _offset
"""


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A quarantined record with the interface of Kafka's message, and what the file says of it beside that."""

    held_partition: int
    held_offset: int
    timestamp_ms: int | None
    held_key: bytes | None
    held_value: bytes
    held_headers: list[dict[str, Any]] | None
    held_crc32: int = 0
    held_schema_id: int | None = None
    held_phase: str = ""
    held_class: str = ""

    def partition(self) -> int:
        """Return the partition."""
        return self.held_partition

    def offset(self) -> int:
        """Return the offset."""
        return self.held_offset

    def timestamp(self) -> tuple[int, int]:
        """Return kind and milliseconds, -1 for none."""
        return (0, -1) if self.timestamp_ms is None else (1, self.timestamp_ms)

    def key(self) -> bytes | None:
        """Return the key."""
        return self.held_key

    def value(self) -> bytes:
        """Return the value, as it came."""
        return self.held_value

    def headers(self) -> list[tuple[str, bytes | None]]:
        """Return the headers, as they came: one of them may hold the identity."""
        return [(header["name"], header["value"]) for header in self.held_headers or ()]


def pages(file: Warehouse) -> Iterator[list[HeldRecord]]:
    """Yield the quarantine in pages of bounded size; rows may leave it meanwhile."""
    after: tuple[int, int] = (-1, -1)
    while sizes := file.rows(_SIZES, list(after)):
        last, held = sizes[0][:2], 0
        for partition, offset, size in sizes:
            held += size
            if held > PAGE_BYTES and (partition, offset) != sizes[0][:2]:
                break
            last = (partition, offset)
        yield [HeldRecord(*row) for row in file.rows(_PAGE, [*after, *last])]
        after = last
