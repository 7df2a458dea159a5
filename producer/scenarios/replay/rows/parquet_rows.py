"""Rows of Parquet: values have types already, and what of them the schema does not hold is set aside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from cluster.errors import Misconfigured, StoreFailed
from producer.scenarios.replay.files import unreadable
from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows import MOST_ROW_BYTES, Rows, SetAside
from producer.scenarios.replay.rows.csv_strict import ENCODING, NUL
from producer.scenarios.replay.rows.lines import CHUNK_BYTES, TOO_LONG
from producer.scenarios.replay.rows.opening import Opened
from producer.scenarios.replay.rows.parquet_values import EMPTY, WRONG_TYPE, Mask, family, fitted, plainly
from producer.toolkit.arrays import taken
from schemas.types.arrow import arrow_schema
from schemas.types.tree import Node

pc: Any = pyarrow.compute
_AT_ONCE = 16_384
# Read of a column at once, so that memory does not grow with the groups of a file.
_BUFFER_BYTES = 1 << 20
# Of several reasons, the one that says most.
_FIRST = (TOO_LONG, ENCODING, NUL, EMPTY)


def parquet_rows(
    stream: Opened, reading: Reading, root: Node, in_order: Callable[[Sequence[str]], list[int]]
) -> Iterator[Rows]:
    """Yield the rows of a file. The line of a row is its number, from 1.

    :param in_order: gives the places of the schema's fields among names, or refuses the names.
    :raises Misconfigured: it is no Parquet.
    :raises StoreFailed: it cannot be read.
    """
    schema, first = arrow_schema(root), 1
    with open_parquet(stream.path) as file:
        places = in_order(reading.fields_of(file.names, stream.path))
        for batch, finer in file.batches():
            faults: list[tuple[str, str, Mask]] = [
                (TOO_LONG, f"longer than {MOST_ROW_BYTES:,} bytes", _too_long(batch))
            ]
            columns: list[Any] = []
            for (name, node), place in zip(root.fields, places, strict=True):
                said = file.names[place]
                found = fitted(batch.column(place), node, name, instants=said in file.instants)
                columns.append(found.values)
                faults += found.faults
                if said in finer:
                    faults.append((WRONG_TYPE, f"{name} has nanoseconds", finer[said]))
            yield _taken(batch, columns, schema, faults, first)
            first += len(batch)


def _taken(
    batch: pa.RecordBatch, columns: list[Any], schema: pa.Schema, faults: list[tuple[str, str, Mask]], first: int
) -> Rows:
    """Return the rows without a fault, and the others as they are set aside."""
    why: dict[int, list[tuple[str, str]]] = {}
    for reason, detail, rows in faults:
        for row in np.flatnonzero(rows).tolist():
            why.setdefault(row, []).append((reason, detail))
    aside = []
    for row, told in sorted(why.items()):
        reasons = [reason for reason, _ in told]
        reason = next((each for each in _FIRST if each in reasons), reasons[0])
        details = list(dict.fromkeys(detail for _, detail in told))
        aside.append(SetAside(first + row, reason, "; ".join(details), _row_text(batch, row)))
    if why:
        kept = np.setdiff1d(np.arange(len(batch)), np.array(list(why)))
        columns = [taken(column, kept) for column in columns]
    return Rows(pa.RecordBatch.from_arrays(columns, schema=schema), aside)


class ParquetFile:
    """One file of Parquet.

    :ivar instants: columns of ``INT96``, which are moments of UTC and say no zone.
    """

    def __init__(self, path: Path, file: pq.ParquetFile, finer: pq.ParquetFile | None) -> None:
        self.schema: pa.Schema = file.schema_arrow
        self.names: list[str] = self.schema.names
        self.instants = _int96(file)
        self.size = path.stat().st_size
        self._path = path
        self._file = file
        self._finer = finer

    def batches(self) -> Iterator[tuple[pa.RecordBatch, dict[str, Mask]]]:
        """Yield the rows, and by column where an ``INT96`` says more than microseconds."""
        at_once = _rows_at_once(self._file)
        try:
            other = None if self._finer is None else self._finer.iter_batches(batch_size=at_once, columns=self.instants)
            for batch in self._file.iter_batches(batch_size=at_once):
                fine = None if other is None else next(other)
                yield (
                    batch,
                    {} if fine is None else {n: _is_finer(batch.column(n), fine.column(n)) for n in self.instants},
                )
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise StoreFailed(
                f"the file is damaged: {_said(error)}", where=str(self._path), hint="Bring the file again"
            ) from None


@contextmanager
def open_parquet(path: Path) -> Iterator[ParquetFile]:
    """Open a file.

    :raises Misconfigured: it is no Parquet, or has a column twice.
    :raises StoreFailed: it cannot be read.
    """
    with ExitStack() as stack:
        try:
            # Nanoseconds of 64 bits end in 2262, and are counted on from 1677 without a word.
            file = pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, coerce_int96_timestamp_unit="us")
            stack.enter_context(file)
            finer = stack.enter_context(pq.ParquetFile(path, buffer_size=_BUFFER_BYTES)) if _int96(file) else None
            found = ParquetFile(path, file, finer)
        except (pa.ArrowException, UnicodeDecodeError) as error:  # of a name
            raise Misconfigured(f"the file is not Parquet: {_said(error)}", where=str(path)) from None
        except OSError as error:
            raise unreadable(path, error) from None
        if twice := sorted({name for name in found.names if found.names.count(name) > 1}):
            raise Misconfigured(f"the file has the column {', '.join(map(repr, twice))} twice", where=str(path))
        yield found


def _int96(file: pq.ParquetFile) -> list[str]:
    """Return the columns that are ``INT96``, which are called as their fields where nothing is around them."""
    columns = [file.schema.column(place) for place in range(len(file.schema))]
    return [column.path for column in columns if column.physical_type == "INT96" and "." not in column.path]


def _rows_at_once(file: pq.ParquetFile) -> int:
    """Return how many rows take about as much as a piece of any other file."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    most = max((group.total_byte_size / group.num_rows for group in groups if group.num_rows), default=1.0)
    return max(1, min(_AT_ONCE, int(CHUNK_BYTES / max(1.0, most))))


def _is_finer(micros: Any, nanos: Any) -> Mask:
    """Return where nanoseconds are lost; those that 64 bits do not hold are none."""
    coarse, fine = micros.cast(pa.int64()), nanos.cast(pa.int64())
    held = pc.less(pc.abs(coarse), (1 << 63) // 1000)
    again = pc.multiply(pc.if_else(held, coarse, 0), 1000)
    found: Mask = pc.fill_null(pc.and_(held, pc.not_equal(again, fine)), False).to_numpy(zero_copy_only=False)
    return found


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _too_long(batch: pa.RecordBatch) -> Mask:
    """Return which rows are longer than any row may be, by what texts, bytes and nested values take."""
    sizes = np.zeros(len(batch), dtype=np.int64)
    if batch.nbytes > MOST_ROW_BYTES:
        for column in batch.columns:
            if pa.types.is_nested(column.type):
                sizes += np.array([column.slice(row, 1).nbytes for row in range(len(column))], dtype=np.int64)
                continue
            plain = plainly(column)
            if family(plain.type) in ("text", "bytes"):
                sizes += pc.fill_null(pc.binary_length(plain), 0).to_numpy().astype(np.int64)
    found: Mask = sizes > MOST_ROW_BYTES
    return found


def _row_text(batch: pa.RecordBatch, row: int) -> bytes:
    """Return a row as JSON, whatever it holds: bytes that are no text stand in it as they are."""
    told = {name: _told(batch.column(place)[row]) for place, name in enumerate(batch.schema.names)}
    return json.dumps(told, ensure_ascii=False, default=str).encode("utf-8", "surrogateescape")


def _told(value: Any) -> Any:
    """Return a value of Arrow as one that JSON takes, also where Python has none like it."""
    try:
        return value.as_py()
    except (ValueError, OverflowError):  # texts that are none, nanoseconds, and years beyond 9999
        if pa.types.is_struct(value.type):
            return {field.name: _told(value[place]) for place, field in enumerate(value.type)}
        if pa.types.is_nested(value.type):  # a list; a map is one of pairs
            return [_told(each) for each in value.values]
        if family(value.type) == "text":
            return value.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
        inner = value.value
        return _told(inner) if isinstance(inner, pa.Scalar) else f"{inner} {value.type}"
