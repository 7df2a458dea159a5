"""Records into rows: grouped by the schema that each value names; what cannot be decoded is set apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.records import Records, Span
from consumer.load.keys import KeyReader
from consumer.load.naming import InHeader, heads_of, named_by
from consumer.load.unforeseen import barrier
from consumer.sinks.batch import ID_COLUMN, Chunk, EventGroup, Reject, has_identity, ids_in_headers, metadata
from schemas.formats import Naming, ValueDecoder, ValueFormat
from schemas.undecodable import UndecodableValue

# The columns that the fields of a schema go to, or what makes room for them and returns them.
Columns = Sequence[str] | Callable[[], Sequence[str]]


class Reader:
    """A decoder together with the columns that its rows go to.

    :param columns: in the order of the fields. What makes room for them is called once a first value was decoded: a
        schema of which nothing can be read changes no table.
    :param written: the format of the values: it says how much stands before what the decoder takes.
    """

    def __init__(self, schema_id: int, decoder: ValueDecoder, columns: Columns, written: ValueFormat) -> None:
        self.schema_id = schema_id
        self._head_bytes = written.head_bytes
        self._decoder = decoder
        self._columns = columns
        self._refusal: UndecodableValue | None = None
        self._id_in_header = decoder.root is None or not has_identity(decoder.root)

    def placed(self) -> Sequence[str]:
        """Return the columns of its fields, made where they are not there yet.

        :raises UndecodableValue: no table can hold the schema beside what it holds; asked again, it is the same.
        """
        if self._refusal is not None:
            raise self._refusal
        if callable(self._columns):
            try:
                self._columns = self._columns()
            except UndecodableValue as fault:
                self._refusal = fault
                raise
        return self._columns

    def read(
        self, records: Records, rows: NDArray[np.int64], head_bytes: int | None = None
    ) -> tuple[EventGroup | None, list[Reject]]:
        """Decode ``rows``, all written with this schema, into one group and the faults of the rest.

        :param head_bytes: how much stands before what the decoder takes, where it is not as in the format.

        A group about which a library raises what nobody foresaw is halved until the records at fault stand alone.
        """
        read: list[EventGroup] = []
        rejects: list[Reject] = []
        pending = [rows]  # a stack: the leftmost rows are on top
        while pending:
            part = pending.pop()
            try:
                with barrier("decode"):
                    group, faulty = self._read(records, part, self._head_bytes if head_bytes is None else head_bytes)
            except UndecodableValue as fault:
                if len(part) == 1:
                    rejects.append(Reject.of(int(part[0]), self.schema_id, fault))
                else:
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
                continue
            read += [group] if group is not None else []
            rejects += faulty
        group = _joined(read)
        if group is None:
            return None, rejects
        try:
            columns = self.placed()
        except UndecodableValue as fault:
            return None, rejects + [Reject.of(int(row), self.schema_id, fault) for row in group.rows]
        names = [*columns, *group.table.column_names[len(columns) :]]
        return replace(group, table=group.table.rename_columns(names)), rejects

    def _read(
        self, records: Records, rows: NDArray[np.int64], head_bytes: int
    ) -> tuple[EventGroup | None, list[Reject]]:
        """Decode rows. The columns of their fields have numbers for names."""
        salvaged = self._decoder.salvage(records.payloads(rows, head_bytes))
        rejects = [Reject.of(int(rows[i]), self.schema_id, fault) for i, fault in salvaged.faults.items()]
        if not salvaged.kept:
            return None, rejects
        kept = rows if not rejects else rows[salvaged.kept]
        columns = {str(place): column for place, column in enumerate(salvaged.batch.columns)}
        ids = {ID_COLUMN: ids_in_headers(records, kept)} if self._id_in_header else {}
        table = pa.table(columns | metadata(records, kept, self.schema_id) | ids)
        return EventGroup(self.schema_id, kept, table), rejects


def _joined(groups: list[EventGroup]) -> EventGroup | None:
    """Return the parts of one group as one. Joined tables are copied: DuckDB must never see a slice of nested Arrow."""
    if len(groups) <= 1:
        return groups[0] if groups else None
    # A part of which no record has headers has no column for them.
    table = pa.concat_tables([group.table for group in groups], promote_options="default").combine_chunks()
    return EventGroup(groups[0].schema_id, np.concatenate([group.rows for group in groups]), table)


# Returns the reader of a schema id, or raises UndecodableValue when the id cannot be used at all.
ReaderOf = Callable[[int], Reader]


def decode(
    records: Records, spans: list[Span], reader_of: ReaderOf, naming: Naming, keys: KeyReader | None = None
) -> Chunk:
    """Turn fetched records into a chunk: groups of events, rejects, and (what is in neither) tombstones.

    :param naming: how the values name their schemas; each schema has a format of its own.
    :param keys: decodes keys that Avro wrote, where anybody wants them.
    :raises RegistryUnreachable: a schema is not known yet and the registry does not answer; nothing is rejected for it.
    """
    began = time.perf_counter()
    groups: list[EventGroup] = []
    rows_of, rejects = _by_schema(records, naming)
    for (schema_id, head_bytes), rows in rows_of.items():
        try:
            reader = reader_of(schema_id)
        except UndecodableValue as fault:
            rejects += [Reject.of(int(row), schema_id, fault) for row in rows]
            continue
        group, faulty = reader.read(records, rows, head_bytes)
        rejects += faulty
        if group is not None:
            groups.append(group)
    if keys is not None:
        groups = [keys.added(records, group, naming) for group in groups]
    rejects.sort(key=lambda reject: reject.row)
    return Chunk(spans, records, groups, rejects, decode_s=time.perf_counter() - began)


# A schema, and how many bytes stand before its values where it is not as in their format.
_Named = tuple[int, int | None]


def _by_schema(records: Records, naming: Naming) -> tuple[dict[_Named, NDArray[np.int64]], list[Reject]]:
    """Return the rows of each schema id, and the rejects that name none. Tombstones are in neither."""
    heads = heads_of(records, naming.head_bytes)
    # In the order of arrival: a table takes its schemas one by one, and the order decides what it looks like.
    distinct = list(dict.fromkeys(heads))
    if len(distinct) == 1:  # the usual batch: one writer schema, no tombstones
        numbers = np.zeros(len(heads), np.int64)
    else:
        number_of = {head: number for number, head in enumerate(distinct)}
        numbers = np.fromiter([number_of[head] for head in heads], np.int64, len(heads))
    rows_of: dict[_Named, NDArray[np.int64]] = {}
    rejects: list[Reject] = []
    for number, head in enumerate(distinct):
        if head is None:
            continue
        rows = np.flatnonzero(numbers == number)
        try:
            named = named_by(naming, head)
        except UndecodableValue as fault:
            rejects += [Reject.of(int(row), None, fault) for row in rows]
            continue
        # Values without a frame are of one schema, and begin in more than one way.
        key = (named, 0 if isinstance(head, InHeader) else None)
        rows_of[key] = np.sort(np.concatenate([rows_of[key], rows])) if key in rows_of else rows
    return rows_of, rejects
