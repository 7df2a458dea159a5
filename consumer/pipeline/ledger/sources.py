"""What a ledger reads of a topic: places and checksums alone, or the values of a field as well."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cluster.connection import Connection
from cluster.errors import DataRejected, Interrupted, Misconfigured
from cluster.local import state_dir
from cluster.machine.scratch import scratch_folder
from cluster.reading import TopicReader, Watermarks
from cluster.text.nearest import meant
from cluster.topics import TopicInfo
from consumer.pipeline.ledger.partition import by_partition
from consumer.pipeline.topic.rows import ABOUT, FATE, TopicRows, open_topic
from consumer.sinks.batch import Fate
from consumer.sinks.duckdb.errors import as_store_errors
from consumer.sinks.duckdb.settings import Purpose
from schemas.columns.column_type import quote

_ROWS = 10_000
_SHOWN_FIELDS = 20
# Python, Arrow and Kafka's client take the rest of 1 GB.
_COUNTING = Purpose("400MB")
_NO_ROOM = "the values of the field cannot be counted"
_MET = "met"
_REPEATED = "SELECT count(*) FROM (SELECT id FROM ids GROUP BY id HAVING count(*) > 1)"


@dataclass(frozen=True, slots=True)
class Seen:
    """Some records of a partition, in their order.

    :ivar crcs: CRC-32 of each value.
    :ivar keyed: how many have a key.
    :ivar passed: how many offsets were passed, those without a record included.
    """

    partition: int
    offsets: NDArray[np.int64]
    crcs: NDArray[np.uint32]
    keyed: int
    passed: int


class LedgerSource(Protocol):
    """An open topic, as of one moment.

    :ivar info: its identity.
    :ivar marks: where each partition begins and ends.
    """

    info: TopicInfo
    marks: Mapping[int, Watermarks]

    def seen(self) -> Iterator[Seen]:
        """Yield what every partition holds, partition by partition.

        :raises Interrupted: stopped.
        :raises StreamproofError: the topic cannot be read.
        """
        ...

    def repeated(self) -> int:
        """Return how many values of the field occur more than once; 0 where there is no field."""
        ...


@contextmanager
def opened_source(
    connection: Connection, topic: str, field: str | None, *, stop: threading.Event
) -> Iterator[LedgerSource]:
    """Open a topic.

    :param field: the field whose values are read; none of any, where it is ``None``.
    :raises TopicMissing: there is no such topic.
    :raises StoreFailed: there is no room to count values in.
    """
    if field is None:
        with TopicReader(connection.kafka, topic, purpose="ledger") as reader:
            yield PlacesAlone(reader, stop)
        return
    with (
        open_topic(connection, topic, stop=stop) as rows,
        scratch_folder(state_dir() / "proving", _NO_ROOM) as folder,
    ):
        path = folder / "values.duckdb"
        with as_store_errors(path), duckdb.connect(str(path)) as counting:
            _COUNTING.apply(counting, path)
            yield WithField(rows, field, counting)


class PlacesAlone:
    """Reads no value but its checksum."""

    def __init__(self, reader: TopicReader, stop: threading.Event) -> None:
        self._reader = reader
        self._stop = stop
        self.info = reader.identify()
        self.marks: Mapping[int, Watermarks] = reader.watermarks(range(self.info.partitions))

    def seen(self) -> Iterator[Seen]:
        """Yield what every partition holds."""
        self._reader.assign(
            {partition: mark.low for partition, mark in self.marks.items()},
            {partition: mark.high for partition, mark in self.marks.items()},
        )
        while not self._reader.finished:
            records, spans = self._reader.fetch(_ROWS, self._stop)
            rows_of = dict(by_partition(records.partitions))
            for span in spans:
                rows = rows_of.get(span.partition, np.zeros(0, dtype=np.intp))
                keyed = sum(key is not None for key in records.keys(rows))
                passed = span.end - span.start
                yield Seen(span.partition, records.offsets[rows], records.crcs[rows], keyed, passed)
            if self._stop.is_set():
                raise Interrupted("stopped while the topic was read", where=self.info.name)

    def repeated(self) -> int:
        """Return 0: an offset occurs once."""
        return 0


class WithField:
    """Reads a field of every value, and keeps its values until they are counted.

    A record without a value has no field: it is left out, as if there was none.
    """

    def __init__(self, rows: TopicRows, field: str, counting: duckdb.DuckDBPyConnection) -> None:
        self._rows = rows
        self._field = field
        self._counting = counting
        self._begun = False
        self.info = rows.info
        self.marks: Mapping[int, Watermarks] = rows.marks

    def seen(self) -> Iterator[Seen]:
        """Yield what every partition holds.

        :raises Misconfigured: no value has such a field, or it is none that tells records apart.
        :raises DataRejected: a value cannot be decoded, or has null there.
        """
        if not any(mark.high > mark.low for mark in self.marks.values()):
            return
        _check_field(self._rows.schema, self._field, self.info.name)
        self._begun = True
        self._counting.register(_MET, self._rows.schema.empty_table())
        self._counting.execute(f"CREATE TABLE ids AS SELECT {quote(self._field)} AS id FROM {_MET}")  # noqa: S608
        self._counting.unregister(_MET)
        for partition, mark in self.marks.items():
            at = mark.low
            for batch in self._rows.batches(partition, mark.low, mark.high):
                offsets = batch.column("_offset").to_numpy(zero_copy_only=False)
                fates = batch.column(FATE).to_numpy(zero_copy_only=False)
                self._refuse_undecoded(partition, offsets, fates)
                there = batch.filter(pa.array(fates == Fate.EVENT))
                self._take(partition, there)
                end = int(offsets[-1]) + 1
                yield Seen(
                    partition,
                    there.column("_offset").to_numpy(zero_copy_only=False).astype(np.int64),
                    there.column("_crc32").to_numpy(zero_copy_only=False),
                    len(there) - there.column("_key").null_count,
                    end - at,
                )
                at = end
            if at < mark.high:
                yield Seen(partition, np.zeros(0, np.int64), np.zeros(0, np.uint32), 0, mark.high - at)

    def repeated(self) -> int:
        """Return how many values of the field occur more than once."""
        if not self._begun:  # the topic is empty
            return 0
        return int(self._counting.execute(_REPEATED).fetchall()[0][0])

    def _take(self, partition: int, rows: pa.RecordBatch) -> None:
        values = rows.column(self._field)
        if values.null_count:
            offset = rows.column("_offset").filter(pc.is_null(values))[0].as_py()
            raise DataRejected(
                f"the field {self._field} is null, and does not tell the record apart",
                where=f"topic {self.info.name}, partition {partition}, offset {offset}",
                hint="Leave --id out: then partition and offset tell records apart",
            )
        self._counting.register(_MET, pa.table({"id": values}))
        self._counting.execute(f"INSERT INTO ids SELECT id FROM {_MET}")  # noqa: S608 - a constant
        self._counting.unregister(_MET)

    def _refuse_undecoded(self, partition: int, offsets: NDArray[np.int64], fates: NDArray[np.int8]) -> None:
        undecoded = np.flatnonzero((fates != Fate.EVENT) & (fates != Fate.TOMBSTONE))
        if len(undecoded):
            kinds = ", ".join(sorted(self._rows.faults))
            raise DataRejected(
                f"a value cannot be decoded ({kinds}), so nobody knows its {self._field}",
                where=f"topic {self.info.name}, partition {partition}, offset {int(offsets[undecoded[0]])}",
                hint="Leave --id out: then partition and offset tell records apart",
            )


def _check_field(schema: pa.Schema, field: str, topic: str) -> None:
    names = [name for name in schema.names if name not in ABOUT.names]
    if field not in names:
        shown = ", ".join(names[:_SHOWN_FIELDS]) or "none"
        raise Misconfigured(
            f"no value has a field {field}{meant(field, names)}",
            where=f"topic {topic}",
            hint=f"The fields are: {shown}",
        )
    kind = schema.field(field).type
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        raise Misconfigured(
            f"the field {field} is {kind}, and what tells records apart is one value",
            where=f"topic {topic}",
            hint="Name another field, or leave --id out: then partition and offset tell records apart",
        )
