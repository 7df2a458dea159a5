"""Records on their way out of Kafka, as columns: what a reader hands on, so that nothing above it loops over messages.

A record without a value is a *tombstone*. A *span* is a range of offsets, whether or not each of them holds a record.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

# confluent_kafka.Message, which has no types of its own.
Message = Any
Headers = list[tuple[str, bytes | None]]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of offsets of one partition."""

    partition: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Records:
    """Records in the order of arrival. Columns that everybody needs are there; the others are read for some rows.

    :ivar messages: the client's own objects, one for each record.
    :ivar values: ``None`` for a tombstone.
    :ivar crcs: the CRC-32 of each value; a tombstone counts as empty.
    :ivar sizes: bytes of each value.
    :ivar fetch_s: seconds that it took to fetch them.
    """

    messages: Sequence[Message]
    values: Sequence[bytes | None]
    partitions: NDArray[np.int32]
    offsets: NDArray[np.int64]
    crcs: NDArray[np.uint32]
    sizes: NDArray[np.int64]
    fetch_s: float = 0.0

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Records:
        """Read the properties out of Kafka's messages; with those below, the only loops per record."""
        values = [message.value() for message in messages]
        solid = [value or b"" for value in values] if None in values else values
        count = len(messages)
        return cls(
            messages,
            values,
            np.fromiter([message.partition() for message in messages], np.int32, count),
            np.fromiter([message.offset() for message in messages], np.int64, count),
            np.fromiter(map(zlib.crc32, solid), np.uint32, count),
            np.fromiter(map(len, solid), np.int64, count),
        )

    @classmethod
    def joined(cls, parts: Sequence[Records], fetch_s: float) -> Records:
        """Return the records of several fetches as one."""
        if not parts:
            return cls.of([])
        if len(parts) == 1:
            return replace(parts[0], fetch_s=fetch_s)
        return cls(
            [message for part in parts for message in part.messages],
            [value for part in parts for value in part.values],
            np.concatenate([part.partitions for part in parts]),
            np.concatenate([part.offsets for part in parts]),
            np.concatenate([part.crcs for part in parts]),
            np.concatenate([part.sizes for part in parts]),
            fetch_s,
        )

    def only(self, keep: NDArray[np.bool_]) -> Records:
        """Return some of the records."""
        rows = np.flatnonzero(keep).tolist()
        return Records(
            [self.messages[row] for row in rows],
            [self.values[row] for row in rows],
            self.partitions[keep],
            self.offsets[keep],
            self.crcs[keep],
            self.sizes[keep],
        )

    def lean(self) -> Records:
        """Return the records without Kafka's messages and their values, which are most of their memory."""
        return replace(self, messages=(), values=())

    def __len__(self) -> int:
        return len(self.offsets)

    def payloads(self, rows: Rows, header_bytes: int) -> list[bytes]:
        """Return the values of ``rows``, none of them tombstones, without their header."""
        if len(rows) == len(self):
            return [value[header_bytes:] for value in self.values]  # type: ignore[index]
        return [self.values[row][header_bytes:] for row in rows.tolist()]

    def keys(self, rows: Rows) -> list[bytes | None]:
        """Return the keys of ``rows``."""
        return [message.key() for message in self._at(rows)]

    def times_ms(self, rows: Rows) -> NDArray[np.int64]:
        """Return the timestamps of ``rows`` in milliseconds since 1970; below 0 where a record carries none."""
        return np.fromiter([message.timestamp()[1] for message in self._at(rows)], np.int64, len(rows))

    def headers(self, rows: Rows) -> list[Headers | None]:
        """Return the headers of ``rows``; ``None`` or nothing where a record has none."""
        return [message.headers() for message in self._at(rows)]

    def _at(self, rows: Rows) -> Sequence[Message]:
        return self.messages if len(rows) == len(self) else [self.messages[row] for row in rows.tolist()]
