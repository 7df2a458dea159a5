"""Events as columns, with faults put into some rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from producer.arrays import column

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CENTURY_MS = 36_525 * 86_400_000
HOT_TEXT = "hot-key"
HOT_NUMBER = 2_147_483_629  # a prime that no one counts up to
UNKNOWN_TEXT = "teleport"


def milliseconds(block: pa.RecordBatch, name: str) -> Ints:
    """Return an event time column as milliseconds; it has no nulls."""
    times: Any = block.column(name)
    if pa.types.is_timestamp(times.type):
        times = times.cast(pa.timestamp("ms", tz=times.type.tz), safe=False)
    values: Any = times.cast(pa.int64())
    found: Ints = values.to_numpy(zero_copy_only=False).copy()
    return found


def with_times(block: pa.RecordBatch, name: str, times: Ints) -> pa.RecordBatch:
    """Return the block with other event times."""
    kind = block.column(name).type
    values = column(times)
    if pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp("ms", tz=kind.tz))
    return replaced(block, name, values.cast(kind))


def with_text(block: pa.RecordBatch, name: str, rows: Bools) -> pa.RecordBatch:
    """Return the block with a text that is none of those that occur."""
    return replaced(block, name, _chosen(rows, UNKNOWN_TEXT, block.column(name)))


def with_hot_key(block: pa.RecordBatch, name: str, rows: Bools) -> pa.RecordBatch:
    """Return the block with one key for all of ``rows``, in the event as in the record."""
    keys = block.column(name)
    hot = HOT_NUMBER if pa.types.is_integer(keys.type) else HOT_TEXT
    return replaced(block, name, _chosen(rows, hot, keys))


def with_negative(block: pa.RecordBatch, path: str, rows: Bools) -> pa.RecordBatch:
    """Return the block with a number below zero; ``rows`` hold none where it is null."""
    name, *inside = path.split(".")
    return replaced(block, name, _negative(block.column(name), inside, rows))


def has_value(block: pa.RecordBatch, path: str) -> Bools:
    """Return which rows have a value at a path."""
    name, *inside = path.split(".")
    values: Any = block.column(name)
    there: Bools = values.is_valid().to_numpy(zero_copy_only=False)
    for part in inside:
        values = values.field(part)
        there = there & values.is_valid().to_numpy(zero_copy_only=False)
    return there


def replaced(block: pa.RecordBatch, name: str, values: Any) -> pa.RecordBatch:
    """Return the block with another column in the place of one."""
    place = block.schema.get_field_index(name)
    return block.set_column(place, name, values)


def _negative(values: Any, inside: list[str], rows: Bools) -> Any:
    if not inside:
        below: Any = pc.subtract(pc.negate(pc.abs(values)), pa.scalar(1, values.type))
        return pc.if_else(column(rows), below, values)
    fields = [values.type.field(number) for number in range(values.type.num_fields)]
    parts = [
        _negative(values.field(field.name), inside[1:], rows) if field.name == inside[0] else values.field(field.name)
        for field in fields
    ]
    return pa.StructArray.from_arrays(parts, fields=fields, mask=values.is_null())


def _chosen(rows: Bools, value: Any, values: Any) -> Any:
    return pc.if_else(column(rows), pa.scalar(value, values.type), values)
