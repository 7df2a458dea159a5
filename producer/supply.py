"""Generating and encoding ahead of sending, in a thread of its own: NumPy, Arrow and the codec let go of the GIL."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.errors import DataRejected
from producer.arrays import plain, taken
from producer.checksums import crc32s
from producer.event_log import EventLog
from producer.ids import event_ids
from producer.resume import Landed
from producer.scenarios import EventStream, Identity
from schemas.codec import Encoder
from schemas.identity import IDENTITY_FIELD

# Rows that are encoded at once: large enough to be quick, small enough that the first event leaves soon.
_SLICE_ROWS = 8192
_AHEAD = 3
_PUT_TIMEOUT_S = 0.1


@dataclass(frozen=True, slots=True)
class Part:
    """Events that are ready to be sent, in order of sequence. ``ids`` are those that travel in a header."""

    sequences: NDArray[np.int64]
    keys: list[bytes | None]
    values: list[bytes]
    ids: list[bytes] | None = None


class Supply:
    """The events of ``[0, end)`` that have not landed yet, in order.

    Use as a context manager; leaving it ends the thread. Whole blocks that landed are not generated again. Before the
    first event leaves, a sample is encoded by both Avro libraries and compared.

    :param key: column whose text is the key of the records; ``None`` leaves them without one.
    :param end: sequence after the last, at most ``stream.limit``.
    :param log: takes every row that is about to be sent.
    """

    def __init__(
        self,
        stream: EventStream,
        encoder: Encoder,
        *,
        run_id: str,
        shard: int,
        key: str | None,
        end: int,
        landed: Landed,
        identity: Identity = "field",
        log: EventLog | None = None,
    ) -> None:
        self._stream = stream
        self._encoder = encoder
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
            if not len(missing):
                continue
            block = self._stream.block(number)
            if not verified:
                sequences = np.arange(first, first + len(block), dtype=np.int64)
                self._encoder.verify(self._identified(block, sequences))
                verified = True
            self._same_as_landed(block, first, end)
            for start in range(0, len(missing), _SLICE_ROWS):
                yield self._part(block, first, missing[start : start + _SLICE_ROWS])

    def _part(self, block: pa.RecordBatch, first: int, sequences: NDArray[np.int64]) -> Part:
        rows = sequences - first
        whole = len(rows) == rows[-1] - rows[0] + 1
        batch = block.slice(int(rows[0]), len(rows)) if whole else taken(block, rows)
        values = plain(self._encode(batch, sequences))
        keys: list[bytes | None] = [None] * len(batch) if self._key is None else keys_of(batch.column(self._key))
        ids = None
        if self._identity == "header":
            ids = plain(event_ids(self._run_id, self._shard, sequences).cast(pa.binary()))
        if self._log is not None:
            self._log.write(batch, event_ids(self._run_id, self._shard, sequences))
        return Part(sequences, keys, values, ids)

    def _encode(self, batch: pa.RecordBatch, sequences: NDArray[np.int64]) -> pa.BinaryArray:
        return self._encoder.encode(self._identified(batch, sequences))

    def _identified(self, batch: pa.RecordBatch, sequences: NDArray[np.int64]) -> pa.RecordBatch:
        return identified(batch, self._encoder, self._run_id, self._shard, sequences, identity=self._identity)

    def _same_as_landed(self, block: pa.RecordBatch, first: int, end: int) -> None:
        """Compare what the block holds with what landed of it: a resumed run must write the same bytes.

        :raises DataRejected: they differ, so that this program would continue another run.
        """
        there = np.flatnonzero(self._landed.there[first:end])
        if not len(there):
            return
        batch = taken(block, there)
        values = plain(self._encode(batch, there + first))
        if not np.array_equal(crc32s(values), self._landed.checksums[there + first]):
            raise DataRejected(
                f"run {self._run_id} cannot be continued: events already in the topic differ from those generated now",
                where=f"shard {self._shard}, sequences {first} to {end}",
                hint="The program or the schema changed since; start a new run",
            )


def keys_of(column: Any) -> list[bytes | None]:
    """Return the keys of records: each value of a column as text; a null is no key."""
    if not pa.types.is_binary(column.type):
        column = column.cast(pa.string()).cast(pa.binary())
    return plain(column)


def identified(
    batch: pa.RecordBatch,
    encoder: Encoder,
    run_id: str,
    shard: int,
    sequences: NDArray[np.int64],
    *,
    identity: Identity = "field",
) -> pa.RecordBatch:
    """Return the rows with their ``event_id``, and null for what the scenario does not know of a newer schema."""
    columns: dict[str, Any] = {IDENTITY_FIELD: event_ids(run_id, shard, sequences)} if identity == "field" else {}
    columns |= {name: batch.column(name) for name in batch.schema.names}
    for field in encoder.arrow_schema:
        if field.name not in columns:
            columns[field.name] = pa.nulls(len(batch), field.type)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
