"""Records on their way from Kafka into the warehouse: what a fetch gave, and what became of each record.

A *chunk* is what one fetch gave. A *batch* is what one transaction stores: several chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.records import Headers, Records, Rows, Span
from schemas.identity import IDENTITY_FIELD, id_in_header
from schemas.places import FIRST_TIMESTAMP_MS, LAST_TIMESTAMP_MS, NO_TIME
from schemas.types.node import Node
from schemas.undecodable import UndecodableValue

# Columns of the record, beside those of its value, that every store has.
RECORD_COLUMNS = (
    "_partition", "_offset", "_timestamp", "_key", "_schema_id", "_crc32", "_batch", "_headers", "_timestamp_ms",
)  # fmt: skip
ID_COLUMN = "_event_id"  # identities from headers; there only where a schema without the field event_id was met
KEY_COLUMN = "_key_json"  # there only where a key was decoded
NAME_COLUMN = "_record_name"  # there only where values of several record types were met
OPTIONAL_COLUMNS = (ID_COLUMN, KEY_COLUMN, NAME_COLUMN)
METADATA_COLUMNS = (*RECORD_COLUMNS, *OPTIONAL_COLUMNS)
# No field's column is called so: a proof and a publication put columns of the last three names beside those of events.
RESERVED_NAMES = (*METADATA_COLUMNS, "_shard", "_sequence", "_run_id")
HEADERS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))


class Fate(IntEnum):
    """What became of a record. Every record of a span has exactly one."""

    EVENT = 0
    QUARANTINED = 1
    TOMBSTONE = 2


def has_identity(root: Node) -> bool:
    """Tell whether events of a schema carry their identity in their value; otherwise it is in a header.

    Only a plain text carries it. A symbol of an enum and a type inside itself are text in a table, and no identity.
    """
    node = dict(root.fields).get(IDENTITY_FIELD)
    return node is not None and node.kind == "string" and not node.nullable


def metadata(records: Records, rows: Rows, schema_id: int) -> dict[str, pa.Array[Any]]:
    """Return the metadata columns of ``rows``, without ``_batch``: the store knows its number.

    Without ``_headers`` and ``_timestamp_ms`` where they would hold nothing but nulls.
    """
    columns: dict[str, pa.Array[Any]] = {
        "_partition": pa.array(records.partitions[rows]),
        "_offset": pa.array(records.offsets[rows]),
        **times(records, rows),
        "_key": pa.array(records.keys(rows), pa.binary()),
        "_schema_id": pa.repeat(pa.scalar(schema_id, pa.int32()), len(rows)),
        "_crc32": pa.array(records.crcs[rows]),
    }
    headers = records.headers(rows)
    return columns | {"_headers": headers_column(headers)} if any(headers) else columns


def headers_column(headers: Sequence[Headers | None]) -> pa.Array[Any]:
    """Return headers as a column of name and value, in their order; null where a record has none."""
    counts = [len(each) if each else 0 for each in headers]
    pairs = [pair for each in headers if each for pair in each]
    names = pa.array([name for name, _ in pairs], pa.string())
    flat = pa.StructArray.from_arrays([names, pa.array([value for _, value in pairs], pa.binary())], ["name", "value"])
    ends = np.cumsum(counts, dtype=np.int32)
    none: Any = pa.array([not count for count in counts], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], ends]), pa.int32()), flat, type=HEADERS, mask=none)


def ids_in_headers(records: Records, rows: Rows) -> pa.Array[Any]:
    """Return the identities that ``rows`` carry in a header; null where there is none."""
    found = [id_in_header(headers) for headers in records.headers(rows)]
    return pa.array([None if each is None else each.decode(errors="replace") for each in found], pa.string())


def times(records: Records, rows: Rows) -> dict[str, pa.Array[Any]]:
    """Return the times of ``rows``: ``_timestamp``, and where one is in no calendar, ``_timestamp_ms`` with that one.

    Both are null where a record carries no time.
    """
    at_ms = records.times_ms(rows)
    strange = ((at_ms < FIRST_TIMESTAMP_MS) | (at_ms > LAST_TIMESTAMP_MS)) & (at_ms != NO_TIME)
    moments = pa.array(at_ms, pa.timestamp("ms", tz="UTC"), mask=strange | (at_ms == NO_TIME))
    return {"_timestamp": moments} | ({"_timestamp_ms": pa.array(at_ms, mask=~strange)} if strange.any() else {})


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
