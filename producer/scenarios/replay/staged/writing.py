"""Writing the rows of a copy: Parquet in groups of a block, of which none holds rows of two files."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from producer.scenarios.replay.staged.copy import part_name
from producer.scenarios.replay.staged.index import GROUP_COLUMNS, GROUPS
from producer.scenarios.replay.staged.times import milliseconds

pc: Any = pyarrow.compute

BLOCK_EVENTS = 16_384
# A block of long rows has fewer of them; a group of them is written earlier.
_BLOCK_BYTES = 64 << 20
_GROUP_BYTES = 16 << 20
_PART_GROUPS = 256


class PartsWriter:
    """Writes rows in groups, and where each lies.

    :param event_time: column of which the range is noted for each group.
    :ivar never_negative: columns of numbers of which none was null, or below zero, so far.
    """

    def __init__(self, folder: Path, schema: pa.Schema, event_time: str | None) -> None:
        self._folder = folder
        self._schema = schema
        self._event_time = event_time
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._file = -1
        self._part = -1
        self._groups_of_part = 0
        self._rows: dict[str, list[Any]] = {name: [] for name in GROUP_COLUMNS.names}
        self.never_negative = [field.name for field in schema if _is_number(field.type)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, file: int, batch: pa.RecordBatch) -> None:
        """Take rows of a file."""
        self._file = file
        at = 0
        while at < len(batch):
            piece = batch.slice(at, BLOCK_EVENTS - self._waiting_rows)
            self._waiting.append(piece)
            self._waiting_rows += len(piece)
            self._waiting_bytes += piece.nbytes
            at += len(piece)
            if self._waiting_rows >= BLOCK_EVENTS or self._waiting_bytes >= _GROUP_BYTES:
                self.end_file()

    def end_file(self) -> None:
        """Write what waits as a group: the next one begins with what comes."""
        if not self._waiting_rows:
            return
        if self._writer is None or self._groups_of_part >= _PART_GROUPS:
            self._next_part()
        table = pa.Table.from_batches(self._waiting, self._schema).combine_chunks()
        if self._writer is not None:
            self._writer.write_table(table, row_group_size=len(table))
        self._note(table)
        self._groups_of_part += 1
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0

    def finish(self) -> None:
        """Write where the groups lie."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        pq.write_table(pa.table(self._rows, schema=GROUP_COLUMNS), self._folder / GROUPS)

    @property
    def block_events(self) -> int:
        """How many events a block has, so that one of the longest rows fits into memory."""
        most = max((size / rows for size, rows in zip(self._rows["bytes"], self._rows["rows"], strict=True)), default=1)
        block = BLOCK_EVENTS
        while block > 16 and block * most > _BLOCK_BYTES:
            block //= 2
        return block

    def _next_part(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._part += 1
        self._groups_of_part = 0
        self._writer = pq.ParquetWriter(
            self._folder / part_name(self._part), self._schema, compression="zstd", compression_level=1
        )

    def _note(self, table: pa.Table) -> None:
        noted = {
            "file": self._file,
            "part": self._part,
            "group": self._groups_of_part,
            "rows": len(table),
            "bytes": table.nbytes,
            # Upside down where no event has a time.
            "time_min": 1,
            "time_max": 0,
            "time_first": 0,
            "time_last": 0,
            "in_order": True,
            "late_ms": 0,
        }
        if self._event_time is not None:
            times, missing = milliseconds(table.column(self._event_time).combine_chunks())
            times = times[~missing]
            if len(times):
                noted |= {
                    "time_min": int(times.min()),
                    "time_max": int(times.max()),
                    "time_first": int(times[0]),
                    "time_last": int(times[-1]),
                    "in_order": bool((np.diff(times) >= 0).all()),
                    "late_ms": int((np.maximum.accumulate(times) - times).max()),
                }
        for name, value in noted.items():
            self._rows[name].append(value)
        self.never_negative = [name for name in self.never_negative if _is_never_negative(table.column(name))]


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _is_never_negative(column: Any) -> bool:
    least = pc.min(column, skip_nulls=False).as_py()
    return least is not None and least >= 0
