"""Reading a staged copy: any block of a shard, in any order and by any thread, and the times of its events."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from producer.scenarios.replay.staged.aside import SetAsideOf, read_aside
from producer.scenarios.replay.staged.index import INDEX, Groups, damaged, read_index
from producer.scenarios.replay.staged.times import milliseconds
from producer.toolkit.arrays import taken
from schemas.types.arrow import arrow_schema
from schemas.types.tree import parse

_OPEN_PARTS = 4
_KEPT_GROUPS = 2


class Staged:
    """A copy. File i belongs to shard ``i % shards``, and the events of a shard are the rows of its files in order.

    :ivar index: what it holds, and what was set aside of it.
    :raises WarehouseDamaged: it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index, self._groups = read_index(folder)
        self.schema = arrow_schema(parse(self.index.contract))
        self.used()

    def used(self) -> None:
        """Note that it is used: copies that nobody uses are swept."""
        with suppress(OSError):
            os.utime(self.folder / INDEX)

    @property
    def content(self) -> str:
        """What it is known by."""
        return self.index.content

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return self.index.rows

    @property
    def set_aside(self) -> int:
        """Rows of all files that were not taken."""
        return sum(self.index.set_aside.values())

    def read_aside(self) -> Iterator[SetAsideOf]:
        """Yield what was set aside."""
        return read_aside(self.folder)

    def shard(self, shard: int, shards: int) -> StagedShard:
        """Return the rows of one shard."""
        mine = np.arange(len(self.index.files)) % shards == shard
        return StagedShard(self, self._groups.of_files(mine))

    @property
    def whole(self) -> StagedShard:
        """The rows of all files."""
        return self.shard(0, 1)


class StagedShard:
    """The rows of one shard, numbered from 0 without a gap.

    :ivar rows: how many there are.
    """

    def __init__(self, staged: Staged, groups: Groups) -> None:
        self.staged = staged
        self._groups = groups
        self._ends = np.cumsum(groups["rows"])
        self.rows = int(self._ends[-1]) if len(groups) else 0
        self._parts: OrderedDict[int, pq.ParquetFile] = OrderedDict()
        self._kept: OrderedDict[tuple[int, tuple[str, ...] | None], pa.RecordBatch] = OrderedDict()
        self._turn = threading.Lock()

    def read(self, first: int, end: int, columns: tuple[str, ...] | None = None) -> pa.RecordBatch:
        """Return the rows ``[first, end)``, all columns or some.

        :raises WarehouseDamaged: the copy cannot be read.
        """
        end = min(end, self.rows)
        if first >= end:
            schema = (
                self.staged.schema if columns is None else pa.schema([self.staged.schema.field(c) for c in columns])
            )
            return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
        at = int(np.searchsorted(self._ends, first, side="right"))
        parts = []
        while first < end:
            begins = int(self._ends[at]) - int(self._groups["rows"][at])
            until = min(end, int(self._ends[at]))
            parts.append(self._group(at, columns).slice(first - begins, until - first))
            first, at = until, at + 1
        if len(parts) == 1:
            return parts[0]
        joined = [pa.concat_arrays([part.column(i) for part in parts]) for i in range(parts[0].num_columns)]
        return pa.RecordBatch.from_arrays(joined, schema=parts[0].schema)

    def take(self, places: NDArray[np.int64]) -> pa.RecordBatch:
        """Return the rows at some places, in the order of those: they may lie anywhere.

        :raises WarehouseDamaged: the copy cannot be read.
        """
        groups = np.searchsorted(self._ends, places, side="right")
        parts, at = [], np.zeros(len(places), dtype=np.int64)
        number = 0
        for group in np.unique(groups).tolist():
            mine = np.flatnonzero(groups == group)
            begins = int(self._ends[group]) - int(self._groups["rows"][group])
            parts.append(taken(self._group(group, None), places[mine] - begins))
            at[mine] = np.arange(number, number + len(mine))
            number += len(mine)
        if not parts:
            return self.read(0, 0)
        whole = pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
        found: pa.RecordBatch = taken(whole, at)
        return found

    def event_times(self, first: int, end: int) -> NDArray[np.int64]:
        """Return when the events ``[first, end)`` happened, milliseconds since 1970.

        An event without a time has that of the event before it; those before the first time have the earliest.

        :raises ValueError: no field is known to be the event's time.
        """
        name = self.staged.index.event_time
        if name is None:
            raise ValueError("the copy was made without an event time")
        times, missing = milliseconds(self.read(first, end, (name,)).column(0))
        if not missing.any():
            return times
        places = np.where(missing, -1, np.arange(len(times)))
        last = np.maximum.accumulate(places)
        return np.where(last < 0, self._time_before(first, name) if missing[0] else 0, times[np.maximum(last, 0)])

    def _time_before(self, first: int, name: str) -> int:
        """Return the time of the last event before ``first`` that has one, or else the earliest of all."""
        at = int(np.searchsorted(self._ends, first, side="right"))
        begins = int(self._ends[at]) - int(self._groups["rows"][at])
        times, missing = milliseconds(self.read(begins, first, (name,)).column(0))
        if not missing.all():
            return int(times[~missing][-1])
        timed = np.flatnonzero(self._groups["time_min"][:at] <= self._groups["time_max"][:at])
        if len(timed):
            return int(self._groups["time_last"][timed[-1]])
        found = self.event_time_range
        return 0 if found is None else found[0]

    @property
    def event_time_range(self) -> tuple[int, int] | None:
        """The earliest and the latest time of an event, milliseconds since 1970; ``None`` where none has one."""
        timed = self._timed()
        if timed is None or not len(timed):
            return None
        return int(timed["time_min"].min()), int(timed["time_max"].max())

    @property
    def in_order(self) -> bool:
        """Whether no event is earlier than the one before it; ``False`` without an event time."""
        timed = self._timed()
        if timed is None:
            return False
        following = timed["time_first"][1:] >= timed["time_last"][:-1]
        return bool(timed["in_order"].all()) and bool(following.all())

    @property
    def latest_ms(self) -> int | None:
        """By how much an event is behind an earlier one at most, milliseconds; ``None`` where none has a time."""
        timed = self._timed()
        if timed is None or not len(timed):
            return None
        before = np.maximum.accumulate(timed["time_max"])[:-1] - timed["time_min"][1:]
        return max(int(timed["late_ms"].max()), int(before.max(initial=0)))

    def _timed(self) -> Groups | None:
        """Return the groups in which an event has a time; a range that is upside down says that none has."""
        if self.staged.index.event_time is None:
            return None
        some = self._groups["time_min"] <= self._groups["time_max"]
        return Groups({name: values[some] for name, values in self._groups.columns.items()})

    def _group(self, at: int, columns: tuple[str, ...] | None) -> pa.RecordBatch:
        with self._turn:
            key = (at, columns)
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            try:
                part = self._part(int(self._groups["part"][at]))
                wanted: Any = None if columns is None else list(columns)
                table = part.read_row_group(int(self._groups["group"][at]), columns=wanted, use_threads=False)
            except (OSError, pa.ArrowException) as error:
                raise damaged(self.staged.folder, error) from None
            batch = table.combine_chunks().to_batches()[0]
            self._kept[key] = batch
            while len(self._kept) > _KEPT_GROUPS:
                self._kept.popitem(last=False)
            return batch

    def _part(self, number: int) -> pq.ParquetFile:
        if number not in self._parts:
            self.staged.used()
            self._parts[number] = pq.ParquetFile(self.staged.folder / part_name(number))
            while len(self._parts) > _OPEN_PARTS:
                self._parts.popitem(last=False)[1].close()
        self._parts.move_to_end(number)
        return self._parts[number]


def part_name(number: int) -> str:
    """Return the name of a file of rows."""
    return f"rows-{number:05d}.parquet"
