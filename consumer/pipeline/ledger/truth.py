"""What was sent, told again by Kafka: the records that a ledger speaks of, as far as they are still there."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.connection import Connection
from cluster.errors import DataRejected, Misconfigured, TopicRecreated
from consumer.pipeline.ledger.partition import MOST_GAPS
from consumer.pipeline.topic.rows import ABOUT, FATE, TopicRows, open_topic
from consumer.pipeline.truth import SEQUENCE
from consumer.sinks.batch import Fate
from schemas.formats import WrittenSchema
from schemas.ledgers import KEYED
from schemas.manifest import Manifest, Range
from schemas.ranges import Ranges

_KEY = "_key"
_NEVER = threading.Event()

Numbers = NDArray[np.int64]


class TopicTruth:
    """The records of a ledger: a :class:`consumer.pipeline.truth.Truth`. Use it as a context manager.

    What Kafka holds has to be what the ledger says. Records that it holds no more are told of, and are not among the
    events: those that retention deleted, and those that compaction took.

    :param manifests: of the partitions of one ledger.
    :param plain: the schema of values that name none; what is known of the topic unless given.
    :param stored: the columns of the place that the events are held against, with their types of DuckDB.
    :param stop: ends the reading.
    :ivar gone: ranges of offsets, by partition, of which Kafka holds no record any more; those that compaction took are
        known once they were asked for.
    """

    def __init__(
        self,
        connection: Connection,
        manifests: Sequence[Manifest],
        *,
        plain: WrittenSchema | None = None,
        stored: Mapping[str, str] | None = None,
        stop: threading.Event = _NEVER,
    ) -> None:
        if not manifests:
            raise Misconfigured("there is no manifest: no ledger says which records there were")
        self._connection = connection
        self._manifests = {manifest.shard: manifest for manifest in manifests}
        self._topic = manifests[0].topic
        self._plain = plain
        self._stored = stored
        self._stop = stop
        self._opened = ExitStack()
        self._open: TopicRows | None = None
        self._schema: pa.Schema | None = None
        self._undecoded: dict[int, int] = {}
        self.gone: dict[int, list[Range]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._open = opening.enter_context(
                open_topic(self._connection, self._topic, plain=self._plain, stored=self._stored, stop=self._stop)
            )
            self.check()
            self._opened = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    @property
    def schema(self) -> pa.Schema:
        """Return the columns of the values, and ``_key`` (binary) where records have one; the topic is read once."""
        if self._schema is None:
            fields = [field for field in self._rows.schema if field.name not in ABOUT.names]
            self._schema = pa.schema([*([] if self.key is None else [ABOUT.field(_KEY)]), *fields])
        return self._schema

    @property
    def key(self) -> str | None:
        """Return ``_key`` where every record has a key."""
        keyed = [
            manifest.settings.get(KEYED) == manifest.acknowledged
            for manifest in self._manifests.values()
            if manifest.acknowledged
        ]
        return _KEY if keyed and all(keyed) else None

    @property
    def undecoded(self) -> int:
        """Return how many records that were asked for have a value that cannot be decoded: they are no events here."""
        return sum(self._undecoded.values())

    def check(self) -> None:
        """Compare topic and bounds with the ledger, and note what retention deleted since.

        :raises TopicRecreated: the topic was made anew, or is shorter than it was.
        """
        rows = self._rows
        for partition, manifest in sorted(self._manifests.items()):
            if manifest.topic_id != rows.info.topic_id:
                raise TopicRecreated(
                    f"topic {self._topic} was deleted and made anew since ledger {manifest.run_id} was taken",
                    where=f"its id is {rows.info.topic_id}, the ledger names {manifest.topic_id}",
                    hint=f"Take another one: `streamproof ledger {self._topic}`",
                )
            mark = rows.marks.get(partition)
            if mark is None or mark.high < manifest.next_sequence:
                ends = "is not there" if mark is None else f"ends at offset {mark.high:,}"
                raise TopicRecreated(
                    f"partition {partition} {ends}, and ledger {manifest.run_id} goes to {manifest.next_sequence:,}",
                    where=f"topic {self._topic}",
                    hint="Kafka lost records, or it is another cluster",
                )
            expired = min(mark.low, manifest.next_sequence)
            self.gone[partition] = [(manifest.first_sequence, expired)] if expired > manifest.first_sequence else []

    def notes(self) -> list[str]:
        """Return what cannot be told of the ledger, a sentence for each partition and reason."""
        sentences = []
        for partition, ranges in sorted(self.gone.items()):
            if ranges:
                lost = Ranges.not_acknowledged(self._manifests[partition]).outside(ranges)
                if lost:
                    bounds = f"from offset {ranges[0][0]:,} to {ranges[-1][1]:,}"
                    sentences.append(
                        f"Kafka holds {lost:,} records of partition {partition} no more, {bounds}: retention or "
                        "compaction took them since the ledger"
                    )
        if self.undecoded:
            sentences.append(f"{self.undecoded:,} records have a value that cannot be decoded: they were not compared")
        return sentences

    def events(self, shard: int, first: int, end: int) -> Iterator[pa.RecordBatch]:
        """Yield the records ``[first, end)`` of a partition in their order, a few thousand at a time.

        Columns: ``_sequence`` (int64, the offset), then those of ``schema``. A record without a value is one of nulls.

        :raises DataRejected: what Kafka holds is not what the ledger says.
        :raises TopicRecreated: records were deleted while they were read.
        """
        manifest = self._manifests.get(shard)
        if manifest is None:
            raise Misconfigured(f"ledger {next(iter(self._manifests.values())).run_id} has no partition {shard}")
        first = max(first, manifest.first_sequence, self._rows.marks[shard].low)
        end = min(end, manifest.next_sequence)
        if first >= end:
            return
        watch, undecoded = _Watch(manifest, first, end), 0
        for batch in self._rows.batches(shard, first, end):
            fates = batch.column(FATE).to_numpy(zero_copy_only=False)
            offsets = batch.column("_offset").to_numpy(zero_copy_only=False).astype(np.int64)
            watch.take(offsets, batch.column("_crc32").to_numpy(zero_copy_only=False), fates)
            readable = (fates == Fate.EVENT) | (fates == Fate.TOMBSTONE)
            undecoded += int(np.count_nonzero(~readable))
            readable &= ~watch.without.has(offsets)
            told = batch if readable.all() else batch.filter(pa.array(readable))
            if len(told):
                columns = [told.column("_offset"), *(told.column(name) for name in self.schema.names)]
                yield pa.RecordBatch.from_arrays(columns, names=[SEQUENCE, *self.schema.names])
        watch.take_end()
        self._note_gone(shard, watch.missing)
        self._undecoded[shard] = max(undecoded, self._undecoded.get(shard, 0))

    @property
    def _rows(self) -> TopicRows:
        if self._open is None:
            raise RuntimeError("the topic is not open: use TopicTruth as a context manager")
        return self._open

    def _note_gone(self, partition: int, missing: list[Range]) -> None:
        ranges = sorted({*self.gone[partition], *missing})
        self.gone[partition] = []
        for start, end in ranges:
            known = self.gone[partition]
            if known and known[-1][1] >= start:
                known[-1] = (known[-1][0], max(known[-1][1], end))
            else:
                known.append((start, end))


class _Watch:
    """Holds the records of a range against the ledger while they pass, window by window.

    :ivar missing: offsets of records that the ledger has and Kafka has not, as ranges.
    """

    def __init__(self, manifest: Manifest, first: int, end: int) -> None:
        self.without = Ranges.not_acknowledged(manifest)
        self.missing: list[Range] = []
        self._manifest = manifest
        self._next = first
        self._end = end
        size = 1 if manifest.crc is None else manifest.crc.size
        windows = 0 if manifest.crc is None else len(manifest.crc.sums)
        self._size = size
        self._sums = np.zeros(windows, dtype=np.int64)
        bounds = np.minimum(manifest.first_sequence + size * np.arange(windows + 1), manifest.next_sequence)
        # A window is compared if all of it is looked at, and every record of it is there.
        self._whole = (bounds[:-1] >= first) & (bounds[1:] <= end)
        self._checked = 0

    def take(self, offsets: Numbers, crcs: NDArray[np.uint32], fates: NDArray[np.int8]) -> None:
        """Take records in their order.

        :raises DataRejected: one is where the ledger has none, or values are not those that it summed.
        """
        if not len(offsets):
            return
        self._skip(np.concatenate([[self._next], offsets[:-1] + 1]), offsets)
        known = ~self.without.has(offsets)
        # A ledger by a field leaves out what has no value.
        if strange := offsets[~known & (fates != Fate.TOMBSTONE)].tolist():
            raise self._differs(f"there is a record at offset {strange[0]:,}, where the ledger has none")
        if len(self._sums):
            windows = (offsets - self._manifest.first_sequence) // self._size
            added = np.bincount(windows[known], weights=crcs[known], minlength=len(self._sums))
            self._sums += added.astype(np.int64)
        self._next = int(offsets[-1]) + 1
        self._compare()

    def take_end(self) -> None:
        """Take the end of the range: what was not met is missing.

        :raises DataRejected: as :meth:`take`.
        """
        self._skip(np.array([self._next]), np.array([self._end]))
        self._next = self._end
        self._compare()

    def _skip(self, firsts: Numbers, ends: Numbers) -> None:
        lost = (ends - firsts) > (self.without.before(ends) - self.without.before(firsts))
        for start, end in zip(firsts[lost].tolist(), ends[lost].tolist(), strict=True):
            self.missing.append((start, end))
            windows = [(at - self._manifest.first_sequence) // self._size for at in (start, end - 1)]
            self._whole[windows[0] : windows[1] + 1] = False
        if len(self.missing) > MOST_GAPS:
            raise self._differs(f"more than {MOST_GAPS:,} stretches of its records were taken by compaction")

    def _compare(self) -> None:
        """Compare the windows that were passed."""
        done = (self._next - self._manifest.first_sequence) // self._size if self._next < self._end else len(self._sums)
        crc = self._manifest.crc
        for window in range(self._checked, min(done, len(self._sums))):
            if crc is not None and self._whole[window] and crc.sums[window] != self._sums[window]:
                start = self._manifest.first_sequence + window * self._size
                until = min(start + self._size, self._manifest.next_sequence)
                raise self._differs(f"the values at offsets {start:,} to {until:,} have another checksum")
        self._checked = max(self._checked, done)

    def _differs(self, how: str) -> DataRejected:
        return DataRejected(
            f"what Kafka holds is not what ledger {self._manifest.run_id} says: {how}",
            where=f"topic {self._manifest.topic}, partition {self._manifest.shard}",
            hint=f"Take another ledger: `streamproof ledger {self._manifest.topic}`",
        )
