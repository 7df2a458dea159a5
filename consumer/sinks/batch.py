"""Records on their way from Kafka into the warehouse: what a fetch gave, and what became of each record.

A *chunk* is what one fetch gave. A *batch* is what one transaction stores: several chunks.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.identity import IDENTITY_HEADER
from schemas.places import LAST_TIMESTAMP_MS
from schemas.undecodable import UndecodableValue

# confluent_kafka.Message, which has no types of its own.
Message = Any


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
    """The records of a chunk, in the order of arrival, their common properties as columns."""

    messages: Sequence[Message]
    values: Sequence[bytes | None]
    partitions: NDArray[np.int32]
    offsets: NDArray[np.int64]
    crcs: NDArray[np.uint32]
    sizes: NDArray[np.int64]
    fetch_s: float = 0.0

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Records:
        """Read the properties out of Kafka's messages; these are the loader's only loops per record."""
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

    def payloads(self, rows: NDArray[np.int64], header_bytes: int) -> list[bytes]:
        """Return the values of ``rows``, which are no tombstones, without their header."""
        if len(rows) == len(self):
            return [value[header_bytes:] for value in self.values]  # type: ignore[index]
        return [self.values[row][header_bytes:] for row in rows.tolist()]

    def metadata(self, rows: NDArray[np.int64], schema_id: int) -> dict[str, pa.Array[Any]]:
        """Return the metadata columns of ``rows``, without ``_batch``: the store knows its number."""
        messages = self.messages if len(rows) == len(self) else [self.messages[row] for row in rows]
        return {
            "_partition": pa.array(self.partitions[rows]),
            "_offset": pa.array(self.offsets[rows]),
            "_timestamp": timestamps(messages),
            "_key": pa.array([message.key() for message in messages], pa.binary()),
            "_schema_id": pa.repeat(pa.scalar(schema_id, pa.int32()), len(rows)),
            "_crc32": pa.array(self.crcs[rows]),
        }

    def ids_in_headers(self, rows: NDArray[np.int64]) -> pa.Array[Any]:
        """Return the identities that ``rows`` carry in a header; null where there is none."""
        return pa.array([_id_in_header(self.messages[row].headers()) for row in rows], pa.string())


def _id_in_header(headers: Any) -> str | None:
    for name, value in headers or ():
        if name == IDENTITY_HEADER and value is not None:
            return bytes(value).decode(errors="replace")
    return None


def timestamps(messages: Sequence[Message]) -> pa.Array[Any]:
    """Return the records' timestamps; null where a record carries none, or one that no calendar knows."""
    at_ms = np.fromiter([message.timestamp()[1] for message in messages], np.int64, len(messages))
    return pa.array(at_ms, pa.timestamp("ms", tz="UTC"), mask=(at_ms < 0) | (at_ms > LAST_TIMESTAMP_MS))


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Decoded events of one schema: row ``i`` of ``table`` is record ``rows[i]`` of the chunk."""

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

    def plus(self, later: Tally) -> Tally:
        """Return the tally of both spans; ``later`` begins where this one ends."""
        if later.span.start != self.span.end:
            raise ValueError(f"{later.span} does not follow {self.span}")
        return Tally(
            Span(self.span.partition, self.span.start, later.span.end),
            self.events + later.events,
            self.quarantined + later.quarantined,
            self.tombstones + later.tombstones,
            self.expired + later.expired,
            self.crc_sum + later.crc_sum,
            self.value_bytes + later.value_bytes,
            sorted({*self.schema_ids, *later.schema_ids}),
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """Decoded records, ready to be stored. Every row is in one group, in ``rejects``, or a tombstone.

    :ivar left: how many offsets the load still has to read after this chunk; ``None`` when nobody knows.
    """

    spans: list[Span]
    records: Records
    groups: list[EventGroup]
    rejects: list[Reject]
    decode_s: float = 0.0
    left: int | None = None

    def lean(self) -> Chunk:
        """Return the chunk without what only rejects and tombstones are stored from, if it has neither."""
        events = sum(len(group.rows) for group in self.groups)
        return replace(self, records=self.records.lean()) if events == len(self.records) else self

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
