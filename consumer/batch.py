"""One batch on its way from Kafka into the warehouse: what was fetched, and what became of each record."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.frame import UndecodableValue

# confluent_kafka.Message, which has no types of its own.
Message = Any
_NO_TIMESTAMP = 0
_LAST_TIMESTAMP_MS = 253_402_300_799_999  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of offsets of one partition."""

    partition: int
    start: int
    end: int


class Fate(IntEnum):
    """What became of a record. Every record of a span has exactly one."""

    EVENT = 0
    QUARANTINED = 1
    TOMBSTONE = 2


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a batch, in the order of arrival, their common properties as columns."""

    messages: Sequence[Message]
    values: Sequence[bytes | None]
    partitions: NDArray[np.int32]
    offsets: NDArray[np.int64]
    crcs: NDArray[np.uint32]
    sizes: NDArray[np.int64]
    fetch_s: float = 0.0

    @classmethod
    def of(cls, messages: Sequence[Message], fetch_s: float = 0.0) -> Records:
        """Read the properties out of Kafka's messages; these comprehensions are the loader's only loops per record."""
        values = [message.value() for message in messages]
        count = len(messages)
        return cls(
            messages,
            values,
            np.fromiter([message.partition() for message in messages], np.int32, count),
            np.fromiter([message.offset() for message in messages], np.int64, count),
            np.fromiter([zlib.crc32(value or b"") for value in values], np.uint32, count),
            np.fromiter([len(value or b"") for value in values], np.int64, count),
            fetch_s,
        )

    def __len__(self) -> int:
        return len(self.messages)

    def metadata(self, rows: NDArray[np.int64], schema_id: int) -> dict[str, pa.Array[Any]]:
        """Return the metadata columns of ``rows``, without ``_batch``: the store knows its number."""
        messages = self.messages if len(rows) == len(self) else [self.messages[row] for row in rows]
        return {
            "_partition": pa.array(self.partitions[rows]),
            "_offset": pa.array(self.offsets[rows]),
            "_timestamp": pa.array([timestamp_ms(m) for m in messages], pa.timestamp("ms", tz="UTC")),
            "_key": pa.array([m.key() for m in messages], pa.binary()),
            "_schema_id": pa.repeat(pa.scalar(schema_id, pa.int32()), len(rows)),
            "_crc32": pa.array(self.crcs[rows]),
        }


def timestamp_ms(message: Message) -> int | None:
    """Return the record's timestamp in milliseconds since the epoch, if it carries one that a calendar knows."""
    kind, at_ms = message.timestamp()
    return at_ms if kind != _NO_TIMESTAMP and 0 <= at_ms <= _LAST_TIMESTAMP_MS else None


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Decoded events of one schema: row ``i`` of ``table`` is record ``rows[i]`` of the batch."""

    schema_id: int
    rows: NDArray[np.int64]
    table: pa.Table


@dataclass(frozen=True, slots=True)
class Reject:
    """One record for the quarantine."""

    row: int
    schema_id: int | None
    phase: str
    kind: str
    message: str

    @classmethod
    def of(cls, row: int, schema_id: int | None, fault: UndecodableValue) -> Reject:
        """Take class, phase and message from the fault."""
        return cls(row, schema_id, fault.phase, fault.kind, fault.message)


@dataclass(frozen=True, slots=True)
class Tally:
    """One ledger row: how the offsets of a span add up."""

    span: Span
    events: int = 0
    quarantined: int = 0
    tombstones: int = 0
    expired: int = 0
    crc_sum: int = 0
    value_bytes: int = 0
    schema_ids: list[int] = field(default_factory=list)

    @property
    def absent(self) -> int:
        """Offsets without a record: compacted away, transaction markers, aborted records."""
        return self.span.end - self.span.start - self.events - self.quarantined - self.tombstones - self.expired


@dataclass(slots=True)
class Batch:
    """A decoded batch, ready to be stored. Every row is in one group, in ``rejects``, or a tombstone."""

    spans: list[Span]
    records: Records
    groups: list[EventGroup]
    rejects: list[Reject]
    decode_s: float = 0.0
    insert_s: float = field(default=0.0)

    def fates(self) -> NDArray[np.int8]:
        """Return the fate of every record."""
        fates = np.full(len(self.records), Fate.TOMBSTONE, np.int8)
        for group in self.groups:
            fates[group.rows] = Fate.EVENT
        fates[[reject.row for reject in self.rejects]] = Fate.QUARANTINED
        return fates

    def tallies(self) -> Iterator[Tally]:
        """Yield the ledger row of every span."""
        fates = self.fates()
        ids = np.full(len(self.records), -1, np.int64)
        for group in self.groups:
            ids[group.rows] = group.schema_id
        for span in self.spans:
            inside = self.records.partitions == span.partition
            counts = np.bincount(fates[inside], minlength=len(Fate))
            yield Tally(
                span,
                events=int(counts[Fate.EVENT]),
                quarantined=int(counts[Fate.QUARANTINED]),
                tombstones=int(counts[Fate.TOMBSTONE]),
                crc_sum=int(self.records.crcs[inside & (fates != Fate.TOMBSTONE)].sum(dtype=np.uint64)),
                value_bytes=int(self.records.sizes[inside].sum()),
                schema_ids=sorted({int(i) for i in np.unique(ids[inside])} - {-1}),
            )
