"""Quarantined records, as a sink gives them back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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


@dataclass(frozen=True, slots=True)
class QuarantineClass:
    """Records that failed in the same way. ``error`` is one of their messages; it holds no payload."""

    phase: str
    error_class: str
    records: int
    error: str
    schema_ids: list[int | None]  # None: the frame names no schema
    examples: list[dict[str, int]]
