"""The files of one task: rows go into a file for each hour, in row groups, with bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

# What waits in memory for a row group, over all hours of a task.
BUFFER_BYTES = 48 << 20
_HOUR_US = 3_600_000_000
_NO_TIME = np.iinfo(np.int64).min
# What Hive, Spark, DuckDB and Polars read as NULL.
_NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"


@dataclass(slots=True)
class _Open:
    writer: pq.ParquetWriter
    file: Any
    path: str
    waiting: list[pa.Table] = field(default_factory=list)
    waiting_bytes: int = 0

    def abandon(self) -> None:
        """Close it; nobody will list it."""
        for each in (self.writer, self.file):
            with suppress(OSError, pa.ArrowException):
                each.close()


class HourlyFiles:
    """Writes rows of events, by the hour that they are in.

    :param folder: where the tree ``events/date=/hour=/batch_id=/`` begins: a folder of this batch alone.
    :param name: of each file, unlike any of another task or attempt.
    """

    def __init__(self, folder: Path, batch_id: int, name: str, schema: pa.Schema) -> None:
        self._folder = folder
        self._batch_id = batch_id
        self._name = name
        self._schema = schema
        self._open: dict[int, _Open] = {}
        self._waiting_bytes = 0

    def add(self, rows: pa.Table, times_us: NDArray[np.int64]) -> None:
        """Take rows, and the time of each in microseconds since 1970; the lowest number where there is none.

        :raises OSError: the disk.
        """
        hours = np.where(times_us == _NO_TIME, _NO_TIME, times_us // _HOUR_US)
        for hour in np.unique(hours).tolist():
            part = rows if (hours == hours[0]).all() else rows.take(np.flatnonzero(hours == hour))
            one = self._of(hour)
            one.waiting.append(part)
            one.waiting_bytes += part.nbytes
            self._waiting_bytes += part.nbytes
        while self._waiting_bytes > BUFFER_BYTES:
            self._flush(max(self._open.values(), key=lambda one: one.waiting_bytes))

    def close(self) -> Iterator[tuple[str, str]]:
        """Finish every file, so that it survives a loss of power; yield its path in the folder, and its hour."""
        for hour, one in sorted(self._open.items()):
            self._flush(one)
            one.writer.close()
            one.file.flush()
            os.fsync(one.file.fileno())
            one.file.close()
            yield one.path, _hour_name(hour)

    def abandon(self) -> None:
        """Close what is open; nobody will list it."""
        for one in self._open.values():
            one.abandon()

    def _flush(self, one: _Open) -> None:
        if one.waiting:
            one.writer.write_table(pa.concat_tables(one.waiting))
            self._waiting_bytes -= one.waiting_bytes
            one.waiting, one.waiting_bytes = [], 0

    def _of(self, hour: int) -> _Open:
        if hour not in self._open:
            date, of_day = _hour_name(hour).split("/")
            path = f"events/date={date}/hour={of_day}/batch_id={self._batch_id}/{self._name}"
            self._open[hour] = open_parquet(self._folder, path, self._schema)
        return self._open[hour]


def open_parquet(folder: Path, path: str, schema: pa.Schema) -> _Open:
    """Begin a file of Parquet."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.open("wb")
    return _Open(pq.ParquetWriter(file, schema, compression="zstd", compression_level=1), file, path)


def _hour_name(hour: int) -> str:
    if hour == _NO_TIME:
        return f"{_NULL_FOLDER}/{_NULL_FOLDER}"
    return str(np.datetime64(hour, "h")).replace("T", "/")[:13]
