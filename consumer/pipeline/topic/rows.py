"""The records of any topic as rows: whatever their format, in one set of columns.

:func:`open_topic` fixes the ends, so that whatever is read is of one moment. Columns of a record, before those of its
value:

==============  ================  ==========================================================================
``_partition``  int32
``_offset``     int64
``_timestamp``  timestamp[ms]     UTC; null where a record carries none
``_key``        binary
``_schema_id``  int32             null where the value names none that is known
``_crc32``      uint32            of the whole value; 0 of a tombstone
``_fate``       int8              :class:`consumer.sinks.batch.Fate`: the columns of the value are null unless 0
==============  ================  ==========================================================================

The columns of a value are those of all schemas that its topic holds: a first look at every record says which, before
the first row is given. A field with several types has one that holds the values of all, or is text.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from cluster.connection import Connection
from cluster.errors import Interrupted, StreamproofError
from cluster.reading import TopicReader, Watermarks
from cluster.records import Records
from cluster.topics import TopicInfo
from consumer.load.decode import Reader, decode
from consumer.load.naming import Head, InHeader, TopicNaming, heads_of, named_by
from consumer.load.readers import Readers, SchemaSource, Unregistered, source_of_schemas
from consumer.pipeline.topic.columns import TopicColumns
from consumer.pipeline.topic.json_members import MemberDecoder, Members, read_object
from consumer.pipeline.topic.naming import WITHOUT_A_CONTRACT, AnyNaming, plain_schema
from consumer.sinks.batch import ID_COLUMN, Chunk, Fate, ids_in_headers, metadata
from schemas.formats import WrittenSchema, value_format
from schemas.formats.frame import HEADER_BYTES, MAGIC
from schemas.types.node import Node
from schemas.undecodable import UndecodableValue

FATE = "_fate"
_ABOUT: dict[str, pa.DataType] = {
    "_partition": pa.int32(),
    "_offset": pa.int64(),
    "_timestamp": pa.timestamp("ms", tz="UTC"),
    "_key": pa.binary(),
    "_schema_id": pa.int32(),
    "_crc32": pa.uint32(),
    FATE: pa.int8(),
}
ABOUT = pa.schema(_ABOUT)
_ROWS = 10_000
_NEVER = threading.Event()


@contextmanager
def open_topic(
    connection: Connection,
    topic: str,
    *,
    plain: WrittenSchema | None = None,
    stored: Mapping[str, str] | None = None,
    stop: threading.Event = _NEVER,
) -> Iterator[TopicRows]:
    """Open a topic as it is now; no record is read yet.

    :param plain: the schema of values that name none; that of the topic's newest manifest unless given. Where there is
        none either, such values are JSON objects of texts.
    :param stored: the columns of the place that the values are held against, with their types of DuckDB.
    :param stop: ends the reading.
    :raises TopicMissing: there is no such topic.
    :raises BrokerUnreachable: no broker answers.
    """
    with (
        TopicReader(connection.kafka, topic, purpose="audit") as source,
        source_of_schemas(connection, needed=False) as registry,
        duckdb.connect(config={"threads": 1}) as types,
    ):
        types.execute("SET TimeZone = 'UTC'")
        info = source.identify()
        marks = source.watermarks(range(info.partitions))
        naming = TopicNaming(partial(plain_schema, connection.kafka, topic, plain), registry.id_of)
        yield TopicRows(
            connection,
            source,
            registry=registry,
            info=info,
            marks=marks,
            naming=naming,
            columns=TopicColumns(types, stored),
            stop=stop,
        )


class TopicRows:
    """An open topic.

    :ivar info: the topic's identity.
    :ivar marks: where each partition begins and ends for this reading.
    :ivar faults: how many values that were read so far could not be decoded, by the class of the fault.
    """

    def __init__(
        self,
        connection: Connection,
        source: TopicReader,
        *,
        registry: SchemaSource,
        info: TopicInfo,
        marks: Mapping[int, Watermarks],
        naming: TopicNaming,
        columns: TopicColumns,
        stop: threading.Event,
    ) -> None:
        self.info = info
        self.marks = marks
        self.faults: Counter[str] = Counter()
        self._connection = connection
        self._source = source
        self._registry = registry
        self._stop = stop
        self._naming = AnyNaming(naming)
        self._columns = columns
        self._readers = Readers(registry, {}, self._adopt, lambda: self._naming.known.plain)
        self._members = Members()
        self._reading = 0

    @cached_property
    def schema(self) -> pa.Schema:
        """Return the columns that :meth:`batches` gives; the first call reads the whole topic once.

        :raises Misconfigured: values name schemas, and nobody told the address of a registry.
        :raises StreamproofError: the topic cannot be read.
        """
        self._survey()
        return pa.unify_schemas([ABOUT, self._columns.schema])

    @property
    def identity(self) -> str | None:
        """Return the column that holds the identity of our own events, from values or headers; ``None`` for none."""
        _ = self.schema
        return self._columns.identity

    def declared(self, column: str) -> str:
        """Return what is known of a column beyond its type: which kinds of JSON values it had."""
        members = {name: member for member, name in self._columns.members.items()}
        return self._members.declared(members[column]) if column in members else ""

    def batches(self, partition: int, first: int, end: int) -> Iterator[pa.RecordBatch]:
        """Yield the records ``[first, end)`` of a partition in their order, a few thousand at a time.

        One range is read at a time: asking for another one ends this one.

        :raises ValueError: the range goes beyond the end that was fixed.
        :raises TopicRecreated: records of it were deleted before they were read.
        :raises BrokerSilent: records are there, and do not arrive.
        """
        if end > self.marks[partition].high:
            raise ValueError(f"offset {end} of partition {partition} is beyond {self.marks[partition].high}")
        _ = self.schema
        for records, spans in self._fetched({partition: first}, {partition: end}):
            chunk = decode(records, spans, self._reader_of, self._naming)
            self.faults.update(reject.kind for reject in chunk.rejects)
            if len(records):
                yield self._batch(chunk)

    def _fetched(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[tuple[Records, list[Any]]]:
        self._reading += 1
        mine = self._reading
        self._source.assign(starts, ends)
        while not self._source.finished:
            if self._stop.is_set():
                raise Interrupted("stopped while the topic was read", where=self.info.name)
            yield self._source.fetch(_ROWS, self._stop)
            if mine != self._reading:
                raise RuntimeError("another range of the topic is being read")

    def _survey(self) -> None:
        """Look at every record once: which schemas and members there are, and whether headers carry identities."""
        starts = {partition: marks.low for partition, marks in self.marks.items()}
        ends = {partition: marks.high for partition, marks in self.marks.items()}
        looked_at: set[Head] = set()
        for records, _ in self._fetched(starts, ends):
            for head in dict.fromkeys(heads_of(records, HEADER_BYTES)):
                if head is not None and head not in looked_at:
                    self._meet(head)
                    if isinstance(head, InHeader) or head[:1] == MAGIC:
                        looked_at.add(head)
            if self._naming.any_without_contract:
                self._meet_members(records)
            if self._columns.wants_headers:
                found = ids_in_headers(records, np.arange(len(records)))
                self._columns.headers_met |= found.null_count < len(found)
        # Beside values that follow a contract, one that names none is damaged, whatever it looks like.
        self._naming.takes_any = not self._columns.met
        self._columns.settle(self._members.names if self._naming.takes_any else ())

    def _meet(self, head: Head) -> None:
        try:
            schema_id = named_by(self._naming, head)
            if schema_id != WITHOUT_A_CONTRACT:
                self._readers(schema_id).placed()
        except UndecodableValue as fault:
            if fault.phase == "schema" and isinstance(self._registry, Unregistered):
                _ = self._connection.registry  # says that its address is missing

    def _meet_members(self, records: Records) -> None:
        for value in records.values:
            if value is not None and value[:1] != MAGIC:
                try:
                    self._members.look_at(read_object(value))
                except UndecodableValue:
                    continue
                except StreamproofError as error:
                    error.where = f"topic {self.info.name}"
                    raise

    def _adopt(self, schema_id: int, written: WrittenSchema, root: Node) -> list[str]:  # noqa: ARG002
        return self._columns.adopt(schema_id, root)

    def _reader_of(self, schema_id: int) -> Reader:
        return self._loose if schema_id == WITHOUT_A_CONTRACT else self._readers(schema_id)

    @cached_property
    def _loose(self) -> Reader:
        names = self._members.names
        written = value_format("plain-json")
        return Reader(WITHOUT_A_CONTRACT, MemberDecoder(names), [str(number) for number in range(len(names))], written)

    def _batch(self, chunk: Chunk) -> pa.RecordBatch:
        """Return every record of a chunk as a row, in their order."""
        fates = chunk.fates()
        blank = np.flatnonzero(fates != Fate.EVENT)
        names = [name for name in self.schema.names if name != FATE]
        tables = [self._columns.fitted(group.table, group.schema_id).select(names) for group in chunk.groups]
        order = [group.rows for group in chunk.groups]
        if len(blank):
            about = metadata(chunk.records, blank, 0)
            about["_schema_id"] = pa.nulls(len(blank), pa.int32())
            ids = {ID_COLUMN: ids_in_headers(chunk.records, blank)}
            tables.append(self._columns.fitted(pa.table(about | ids), None).select(names))
            order.append(blank)
        whole = pa.concat_tables(tables) if len(tables) > 1 else tables[0]
        if len(tables) > 1:
            # Taken, which copies: DuckDB must never see a slice of nested Arrow.
            whole = whole.take(np.argsort(np.concatenate(order), kind="stable"))
        whole = whole.append_column(pa.field(FATE, pa.int8()), pa.array(fates)).select(self.schema.names)
        whole = whole.cast(self.schema) if whole.schema != self.schema else whole
        return whole.combine_chunks().to_batches()[0]
