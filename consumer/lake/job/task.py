"""What a worker of Spark does with its share of a batch: decode by the loader's code, write files, tell how it adds up.

One pass: rows never go back into the JVM, and the files hold exactly the loader's values. The only thing that Spark
hears is one line of JSON for each task.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cluster.machine.disk import is_full
from cluster.records import Span
from consumer.lake.job.columns import METADATA, UTC_US, LakeColumns, fitted
from consumer.lake.job.files import HourlyFiles, open_parquet
from consumer.lake.job.records import SparkRecords
from consumer.lake.job.shelf import Judged
from consumer.load.decode import Reader, decode
from consumer.load.keys import KeyReader
from consumer.load.naming import TopicNaming, heads_of, named_by
from consumer.sinks.batch import ID_COLUMN, KEY_COLUMN, Chunk, EventGroup, Fate, ids_in_headers
from consumer.sinks.rows import quarantine_rows
from schemas.formats import WrittenSchema
from schemas.formats.headers import UnknownGuid
from schemas.identity import IDENTITY_FIELD

# The one column of what a task says.
SAID = "said"
_VALUE = "value "  # before the number of a field
_NO_TIME = np.iinfo(np.int64).min
_READERS_CACHED = 64
# Columns of the record that are there only where one has something in them.
_MORE = {
    ID_COLUMN: "event_id",
    "_headers": "kafka_headers",
    "_timestamp_ms": "kafka_timestamp_ms",
    KEY_COLUMN: "kafka_key_json",
}

QUARANTINE = pa.schema(
    [
        ("kafka_partition", pa.int32()),
        ("kafka_offset", pa.int64()),
        ("kafka_timestamp", UTC_US),
        ("kafka_key", pa.binary()),
        ("value", pa.binary()),
        ("headers", pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))),
        ("schema_id", pa.int32()),
        ("phase", pa.string()),
        ("error_class", pa.string()),
        ("error", pa.string()),
        ("value_crc", pa.int64()),
        ("event_id", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What the driver tells every task of a batch.

    :ivar folder: where to write: of this attempt at the batch alone.
    :ivar columns: of every file of the batch.
    :ivar judged: what is known of each schema.
    :ivar plain: the number of the schema of values without a frame.
    :ivar plain_asked: nobody needs to look for it any more.
    :ivar guids: the ids of schemas that records name by a GUID in a header, or why nobody knows one.
    :ivar keys: the texts of schemas of keys, by id and whether a header names it; ``None`` for one of no key.
    :ivar keys_asked: all others are of none.
    """

    folder: str
    batch_id: int
    columns: LakeColumns
    judged: Mapping[int, Judged]
    plain: int | None = None
    plain_asked: bool = False
    guids: Mapping[UUID, int | UnknownGuid] = field(default_factory=dict)
    keys: Mapping[tuple[int, bool], str | None] = field(default_factory=dict)
    keys_asked: bool = False


@dataclass(slots=True)
class Counts:
    """What became of the records of one partition in a task, as the driver adds them up."""

    rows: int = 0
    quarantined: int = 0
    tombstones: int = 0
    crc_sum: int = 0
    first: int = -1
    last: int = -1


class _PlainNotKnown(Exception):
    """A value names no schema, and nobody has looked yet which one those have."""


class _GuidNotKnown(Exception):
    """A record names a GUID of which nobody has asked yet."""

    def __init__(self, guid: UUID) -> None:
        super().__init__(guid)
        self.guid = guid


class _FirstValue(Exception):
    """The first value of a schema was decoded, for which no columns were made yet."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(schema_id)
        self.schema_id = schema_id


def run_task(plan: BatchPlan, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Do the share of one task, and yield one row: what it says.

    It says ``files`` and ``quarantine`` with what stands in them; or what the driver has to find out before the batch
    is done again: ``unknown`` schemas, those that were ``read`` first, ``guids``, ``keys``, the ``plain`` schema; or
    ``failed``: what the disk had against it.
    """
    from pyspark import TaskContext

    context = TaskContext.get()
    name = "part-00000-0" if context is None else f"part-{context.partitionId():05d}-{context.taskAttemptId()}"
    share = Share(plan, f"{name}.parquet")
    try:
        for batch in batches:
            if len(batch):
                share.take(batch)
        said = share.end()
    except OSError as error:
        share.abandon()
        said = {"failed": {"full": is_full(error), "why": error.strerror or type(error).__name__}}
    yield pa.RecordBatch.from_pydict({SAID: [json.dumps(said)]})


class Share:
    """The share of one task: records in, files and what is said of them out."""

    def __init__(self, plan: BatchPlan, name: str) -> None:
        self._plan = plan
        self._schema = plan.columns.arrow_schema()
        self._events = HourlyFiles(Path(plan.folder), plan.batch_id, name, self._schema)
        self._name = name
        self._rejected: Any = None
        self._counts: dict[int, Counts] = {}
        self._unknown: set[int] = set()
        self._guids: set[UUID] = set()
        self._read: set[int] = set()
        self._keys: set[tuple[int, bool]] = set()
        self._key_reader = KeyReader(self._text_of_key, lambda *_: None)
        self._needs_plain = False
        schema = None if plan.plain is None else plan.judged[plan.plain].written
        self._naming = _Naming(schema, asked=plan.plain_asked, guids=plan.guids)

    def take(self, batch: pa.RecordBatch) -> None:
        """Decode and write some records; once something is not known, only look what else is not."""
        records = SparkRecords.of_batch(batch)
        self._look(records)
        if self._asks:
            return
        try:
            chunk = decode(records, _spans(records), self._reader, self._naming, self._key_reader)
        except _FirstValue as first:
            self._read.add(first.schema_id)
            return
        if self._asks:
            return
        for group in chunk.groups:
            self._write(group)
        if chunk.rejects:
            self._reject(chunk)
        self._count(chunk)

    def end(self) -> dict[str, Any]:
        """Finish the files, and return what is to be said."""
        if self._asks:
            self.abandon()
            others = {"read": sorted(self._read), "guids": sorted(map(str, self._guids)), "keys": sorted(self._keys)}
            said = {"unknown": sorted(self._unknown), "plain": self._needs_plain}
            return said | {what: asked for what, asked in others.items() if asked}
        files = list(self._events.close())
        quarantine = []
        if self._rejected is not None:
            self._rejected.writer.close()
            self._rejected.file.flush()
            self._rejected.file.close()
            quarantine = [self._rejected.path]
        counts = {
            str(p): [c.rows, c.quarantined, c.tombstones, c.crc_sum, c.first, c.last] for p, c in self._counts.items()
        }
        return {"files": files, "quarantine": quarantine, "counts": counts}

    def abandon(self) -> None:
        """Leave what was begun to the sweep."""
        self._events.abandon()
        if self._rejected is not None:
            self._rejected.abandon()

    @property
    def _asks(self) -> bool:
        """Tell whether the driver has to find out something."""
        return bool(self._unknown or self._read or self._guids or self._keys or self._needs_plain)

    def _look(self, records: SparkRecords) -> None:
        """Note which schemas the driver has to judge."""
        for head in {head for head in heads_of(records, self._naming.head_bytes) if head is not None}:
            try:
                schema_id = named_by(self._naming, head)
            except _PlainNotKnown:
                self._needs_plain = True
            except _GuidNotKnown as unknown:
                self._guids.add(unknown.guid)
            except ValueError:  # the frame is broken: a reject
                continue
            else:
                if schema_id not in self._plan.judged:
                    self._unknown.add(schema_id)

    def _reader(self, schema_id: int) -> Reader:
        judged = self._plan.judged[schema_id]
        if judged.written is None:
            raise judged.fault or ValueError("neither read nor judged")
        if judged.places is None:

            def first() -> list[str]:
                raise judged.fault or _FirstValue(schema_id)

            return Reader(schema_id, judged.written.written.decoder(judged.written.text), first, judged.written.written)
        return _reader(schema_id, judged.written)

    def _text_of_key(self, schema_id: int, *, in_header: bool) -> str | None:
        asked = schema_id, in_header
        if asked not in self._plan.keys and not self._plan.keys_asked:
            self._keys.add(asked)
        return self._plan.keys.get(asked)

    def _write(self, group: EventGroup) -> None:
        table, judged = group.table, self._plan.judged[group.schema_id]
        found = {
            "kafka_partition": table["_partition"],
            "kafka_offset": table["_offset"],
            "kafka_timestamp": table["_timestamp"],
            "kafka_key": table["_key"],
            "schema_id": table["_schema_id"],
            "value_crc": table["_crc32"],
        }
        found |= {name: table[ours] for ours, name in _MORE.items() if ours in table.column_names}
        if judged.record_name is not None:
            found["kafka_record_name"] = pa.repeat(pa.scalar(judged.record_name), len(table))  # type: ignore[assignment]
        found = {name: _as(_one(column), METADATA.field(name).type) for name, column in found.items()}
        held = self._plan.columns.held.record.members
        for number, place in enumerate(judged.places or ()):
            value = _one(table[f"{_VALUE}{number}"])
            if place is None:
                found[IDENTITY_FIELD] = value
            else:
                name, kind = held[place.at]
                found[name] = fitted(value, place, kind)
        columns = [found[one.name] if one.name in found else pa.nulls(len(table), one.type) for one in self._schema]
        rows = pa.Table.from_arrays(columns, schema=self._schema)
        self._events.add(rows, _times_us(rows, judged.event_time))

    def _reject(self, chunk: Chunk) -> None:
        if self._rejected is None:
            path = f"quarantine/batch_id={self._plan.batch_id}/{self._name}"
            self._rejected = open_parquet(Path(self._plan.folder), path, QUARANTINE)
        rows = quarantine_rows(chunk.records, chunk.rejects)
        at = np.array([reject.row for reject in chunk.rejects], np.int64)
        found = {name: rows[name] for name in rows.column_names} | {
            "kafka_partition": rows["_partition"],
            "kafka_offset": rows["_offset"],
            "kafka_timestamp": rows["_timestamp"],
            "kafka_key": rows["key"],
            "value_crc": rows["crc32"],
            "event_id": ids_in_headers(chunk.records, at),
        }
        columns = [_as(_one(found[each.name]), each.type) for each in QUARANTINE]
        self._rejected.writer.write_table(pa.Table.from_arrays(columns, schema=QUARANTINE))

    def _count(self, chunk: Chunk) -> None:
        records, fates = chunk.records, chunk.fates()
        for span in chunk.spans:
            inside = records.partitions == span.partition
            kinds = np.bincount(fates[inside], minlength=len(Fate))
            counts = self._counts.setdefault(span.partition, Counts())
            counts.rows += int(kinds[Fate.EVENT])
            counts.quarantined += int(kinds[Fate.QUARANTINED])
            counts.tombstones += int(kinds[Fate.TOMBSTONE])
            counts.crc_sum += int(records.crcs[inside & (fates != Fate.TOMBSTONE)].sum(dtype=np.uint64))
            counts.first = span.start if counts.first < 0 else min(counts.first, span.start)
            counts.last = max(counts.last, span.end - 1)


class _Naming(TopicNaming):
    """How the values of a batch name their schemas, as far as the driver knows."""

    def __init__(self, plain: WrittenSchema | None, *, asked: bool, guids: Mapping[UUID, int | UnknownGuid]) -> None:
        super().__init__(lambda: plain, self._id_of_guid)
        self._known = plain is not None or asked
        self._guids = guids

    def schema_id(self, head: bytes) -> int:
        if head and head[:1] != b"\x00" and not self._known:
            raise _PlainNotKnown
        return super().schema_id(head)

    def _id_of_guid(self, guid: UUID) -> int:
        if guid not in self._guids:
            raise _GuidNotKnown(guid)
        found = self._guids[guid]
        if isinstance(found, UnknownGuid):
            raise found
        return found


@lru_cache(_READERS_CACHED)
def _reader(schema_id: int, written: WrittenSchema) -> Reader:
    """Return the reader of a schema; a worker keeps it for the tasks to come."""
    decoder = written.written.decoder(written.text)
    named = [f"{_VALUE}{number}" for number in range(len(decoder.arrow_schema))]
    return Reader(schema_id, decoder, named, written.written)


def _spans(records: SparkRecords) -> list[Span]:
    """Return what the records reach over, by partition."""
    spans = []
    for partition in np.unique(records.partitions).tolist():
        offsets = records.offsets[records.partitions == partition]
        spans.append(Span(partition, int(offsets.min()), int(offsets.max()) + 1))
    return spans


def _times_us(rows: pa.Table, column: str | None) -> NDArray[np.int64]:
    """Return the time of each row: of its event, else of its record, else none."""
    times: Any = _one(rows["kafka_timestamp"]).cast(pa.int64())
    if column is not None and column in rows.column_names:
        times = pc.coalesce(_moments(_one(rows[column])), times)
    found: NDArray[np.int64] = pc.fill_null(times, _NO_TIME).to_numpy(zero_copy_only=False)
    return found


def _moments(column: Any) -> Any:
    """Return a column of times as microseconds since 1970; null where it is no moment that a folder can name."""
    if pa.types.is_integer(column.type):
        ask: Any = pc  # its stubs take no number for a scalar
        sane = ask.and_(ask.greater_equal(column, -62_135_596_800_000), ask.less(column, 253_402_300_800_000))
        return ask.multiply(ask.if_else(sane, column, None), 1000)
    return (
        column.cast(pa.timestamp("us")).cast(pa.int64()) if pa.types.is_date(column.type) else column.cast(pa.int64())
    )


def _as(column: Any, kind: pa.DataType) -> Any:
    return column if column.type == kind else column.cast(kind)


def _one(column: Any) -> Any:
    """Return a column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
