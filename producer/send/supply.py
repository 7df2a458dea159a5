"""Generating and encoding ahead of sending, in a thread of its own: NumPy, Arrow and the codec let go of the GIL."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.errors import DataRejected
from producer.faults import SLICE_ROWS, Injected, Injector
from producer.plan.mixing import MixedEncoder, Mixing
from producer.resume.resume import Landed
from producer.scenarios import EventStream, Identity
from producer.scenarios.foreign import blaming
from producer.send.checksums import crc32s
from producer.send.event_log import EventLog
from producer.toolkit.arrays import plain, taken
from producer.toolkit.ids import event_ids
from schemas.formats import RowEncoder
from schemas.identity import IDENTITY_FIELD, event_id

_AHEAD = 3
_PUT_TIMEOUT_S = 0.1


@dataclass(frozen=True, slots=True)
class Special:
    """A record that is more, or less, than its event: its value, and the identity that it carries in a header."""

    value: bytes | None
    identity: bytes | None


@dataclass(frozen=True, slots=True)
class Marks:
    """What a part has beside plain events, when faults are injected.

    Once record ``i`` is handed over, every sequence below ``reach[i]`` is settled or follows within the part;
    ``until`` is where the whole part reaches. ``copies`` marks second records of an event. ``special``, by
    place, are the copies and the records without a readable value.
    """

    reach: NDArray[np.int64]
    until: int
    copies: NDArray[np.bool_]
    special: dict[int, Special]
    truth: dict[str, NDArray[np.int64]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """Events that are ready to be sent, in order of sequence unless ``marks`` say otherwise.

    ``ids`` are those that travel in a header.
    """

    sequences: NDArray[np.int64]
    keys: list[bytes | None]
    values: list[bytes]
    ids: list[bytes] | None = None
    marks: Marks | None = None

    def cut(self, first: int, end: int) -> Part:
        """Return the events in ``[first, end)``, to be sent without regard to marks; the whole is not copied."""
        if first == 0 and end >= len(self.values):
            return self
        ids = None if self.ids is None else self.ids[first:end]
        return Part(self.sequences[first:end], self.keys[first:end], self.values[first:end], ids)

    def ordered(self, sequences: NDArray[np.int64], places: NDArray[np.intp]) -> Part:
        """Return the events at ``places``, whose sequences those are: in another order, or more than once."""
        if len(places) == len(self.values) and bool((np.diff(places) == 1).all()):
            return self
        chosen = places.tolist()
        ids = None if self.ids is None else list(map(self.ids.__getitem__, chosen))
        keys, values = list(map(self.keys.__getitem__, chosen)), list(map(self.values.__getitem__, chosen))
        return Part(sequences, keys, values, ids)


class Supply:
    """The events of ``[0, end)`` that have not landed yet, in order.

    Use as a context manager; leaving it ends the thread. Whole blocks that landed are not generated again. Before the
    first event leaves, a sample is encoded by both Avro libraries and compared.

    :param key: column whose text is the key of the records; ``None`` leaves them without one.
    :param end: sequence after the last, at most ``stream.limit``.
    :param log: takes every row that is about to be sent.
    :param faults: what is injected on purpose. Blocks that landed are then generated again, for the truth about them.
    :param newer: encoder of the next version of the schema, and ``mixing`` which events it writes.
    """

    def __init__(
        self,
        stream: EventStream,
        encoder: RowEncoder,
        *,
        run_id: str,
        shard: int,
        key: str | None,
        end: int,
        landed: Landed,
        identity: Identity = "field",
        log: EventLog | None = None,
        faults: Injector | None = None,
        newer: RowEncoder | None = None,
        mixing: Mixing | None = None,
    ) -> None:
        self._stream = stream
        self._encoder = MixedEncoder(encoder, newer, mixing, self._identified)
        self._faults = faults
        self._run_id = run_id
        self._shard = shard
        self._key = key
        self._end = min(end, stream.limit)
        self._landed = landed
        self._identity: Identity = identity
        self._log = log
        self._parts: queue.Queue[Part | BaseException | None] = queue.Queue(maxsize=_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supply", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join(timeout=5)

    def __iter__(self) -> Iterator[Part]:
        while True:
            part = self._parts.get()
            if part is None:
                return
            if isinstance(part, BaseException):
                raise part
            yield part

    def _run(self) -> None:
        try:
            with blaming(self._stream):
                for part in self._make():
                    if not self._put(part):
                        return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - raised again in the sending thread
            self._put(error)

    def _put(self, part: Part | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._parts.put(part, timeout=_PUT_TIMEOUT_S)
                return True
            except queue.Full:
                continue
        return False

    def _make(self) -> Iterator[Part]:
        size, verified = self._stream.block_events, False
        for number in range(-(-self._end // size)):
            first, end = number * size, min((number + 1) * size, self._end)
            missing = self._landed.missing(first, end)
            if not len(missing) and self._faults is None:
                continue
            block = with_later_columns(self._stream, number, self._encoder.fields)
            if not verified:
                self._encoder.verify(block, np.arange(first, first + len(block), dtype=np.int64))
                verified = True
            if self._faults is not None:
                yield from self._faulty_parts(self._faults, block, first, end)
            else:
                self._same_as_landed(block, first, end)
                for start in range(0, len(missing), SLICE_ROWS):
                    sequences = missing[start : start + SLICE_ROWS]
                    part = self._part(block, first, sequences)
                    self._logged(block, first, sequences)
                    yield part
            del block  # while the next one is made there is no room for two

    def _part(self, block: pa.RecordBatch, first: int, sequences: NDArray[np.int64]) -> Part:
        """Return the events of sequences that ascend."""
        batch = _rows(block, sequences - first)
        values = self._encoder.encode(batch, sequences)
        keys: list[bytes | None] = [None] * len(batch) if self._key is None else keys_of(batch.column(self._key))
        ids = None
        if self._identity == "header":
            ids = plain(event_ids(self._run_id, self._shard, sequences).cast(pa.binary()))
        return Part(sequences, keys, values, ids)

    def _logged(self, block: pa.RecordBatch, first: int, sequences: NDArray[np.int64]) -> None:
        if self._log is not None and len(sequences):
            self._log.write(_rows(block, sequences - first), event_ids(self._run_id, self._shard, sequences))

    def _faulty_parts(self, faults: Injector, block: pa.RecordBatch, first: int, end: int) -> Iterator[Part]:
        """Yield the parts of a block with faults in it. What landed already is left out, and told all the same."""
        injected = faults.inject(block, first, end - first)
        self._same_as_landed(injected.block, first, end, injected)
        for start in range(0, end - first, SLICE_ROWS):
            until = min(start + SLICE_ROWS, end - first)
            own = injected.within(start, until)
            sequences = injected.rows[own] + first
            copies = injected.copies[own]
            wanted = ~np.where(copies, self._landed.twice(sequences), self._landed.has(sequences))
            sequences, copies = sequences[wanted], copies[wanted]
            truth = {
                kind: found[(found >= first + start) & (found < first + until)]
                for kind, found in injected.truth.items()
            }
            part = Part(sequences, [], [])
            if len(sequences):
                # Nested columns are slow to put into another order, values are not.
                once, places = np.unique(sequences, return_inverse=True)
                part = self._part(injected.block, first, once).ordered(sequences, places)
                self._logged(injected.block, first, sequences)
            special: dict[int, Special] = {}
            for place in np.flatnonzero(copies | np.isin(sequences - first, list(injected.broken))).tolist():
                sequence = int(sequences[place])
                kind, value = injected.broken.get(sequence - first), part.values[place]
                if kind is None:
                    special[place] = Special(value, part.ids[place] if part.ids is not None else None)
                else:
                    identity = event_id(self._run_id, self._shard, sequence).encode()
                    special[place] = Special(faults.broken_value(kind, value, sequence), identity)
            marks = Marks(injected.reach[own][wanted] + first, first + until, copies, special, truth)
            yield replace(part, marks=marks)

    def _identified(self, batch: pa.RecordBatch, encoder: RowEncoder, sequences: NDArray[np.int64]) -> pa.RecordBatch:
        return identified(batch, encoder, self._run_id, self._shard, sequences, identity=self._identity)

    def _same_as_landed(self, block: pa.RecordBatch, first: int, end: int, injected: Injected | None = None) -> None:
        """Compare what the block holds with what landed of it: a resumed run must write the same bytes.

        :raises DataRejected: they differ, so that this program would continue another run.
        """
        there = np.flatnonzero(self._landed.there[first:end])
        if not len(there):
            return
        batch = taken(block, there)
        values = self._encoder.encode(batch, there + first)
        if injected is not None and self._faults is not None:
            for place, row in enumerate(there.tolist()):
                if row in injected.broken:
                    kind = injected.broken[row]
                    values[place] = self._faults.broken_value(kind, values[place], first + row) or b""
        if not np.array_equal(crc32s(values), self._landed.checksums[there + first]):
            raise DataRejected(
                f"run {self._run_id} cannot be continued: events already in the topic differ from those generated now",
                where=f"shard {self._shard}, sequences {first} to {end}",
                hint="The program or the schema changed since; start a new run",
            )


def _rows(block: pa.RecordBatch, rows: NDArray[np.int64]) -> pa.RecordBatch:
    """Return rows of a block, without copying where they follow each other."""
    in_order = bool((np.diff(rows) == 1).all())
    found: pa.RecordBatch = block.slice(int(rows[0]), len(rows)) if in_order else taken(block, rows)
    return found


def with_later_columns(stream: EventStream, number: int, fields: set[str]) -> pa.RecordBatch:
    """Return a block, with what later versions of the schema add if one of them is written."""
    block = stream.block(number)
    if not fields - {IDENTITY_FIELD} <= set(block.schema.names):
        for name, values in stream.later_columns(number, block).items():
            block = block.append_column(name, values)
    return block


def keys_of(column: Any) -> list[bytes | None]:
    """Return the keys of records: each value of a column as text; a null is not a key."""
    if not pa.types.is_binary(column.type):
        column = column.cast(pa.string()).cast(pa.binary())
    return plain(column)


def identified(
    batch: pa.RecordBatch,
    encoder: RowEncoder,
    run_id: str,
    shard: int,
    sequences: NDArray[np.int64],
    *,
    identity: Identity = "field",
) -> pa.RecordBatch:
    """Return the rows with their ``event_id``, and null for what the scenario does not know of a newer schema.

    With identities in headers, a field ``event_id`` that the scenario leaves out holds the identity as well.
    """
    columns: dict[str, Any] = {}
    left_out = IDENTITY_FIELD in encoder.arrow_schema.names and IDENTITY_FIELD not in batch.schema.names
    if identity == "field" or left_out:
        columns[IDENTITY_FIELD] = event_ids(run_id, shard, sequences)
    columns |= {name: batch.column(name) for name in batch.schema.names}
    for wanted in encoder.arrow_schema:
        if wanted.name not in columns:
            columns[wanted.name] = pa.nulls(len(batch), wanted.type)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
