"""Events as columns, with faults put into some rows."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from producer.toolkit.arrays import column

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CENTURY_MS = 36_525 * 86_400_000
HOT_TEXT = "hot-key"
HOT_NUMBER = 2_147_483_629  # a prime that no one counts up to
UNKNOWN_TEXT = "teleport"
_DAY_MS = 86_400_000
_PER_MS = {"ms": 1, "us": 1_000, "ns": 1_000_000}
_ISO = "%Y-%m-%dT%H:%M:%SZ"
# Some programs write the zone's name instead, and no fraction: 2026-01-31T12:00:00UTC.
_ZONE_NAME = "UTC"
_NAMED = f"%Y-%m-%dT%H:%M:%S{_ZONE_NAME}"


def milliseconds(block: pa.RecordBatch, path: str) -> Ints:
    """Return an event time as milliseconds; it has no nulls."""
    times: Any = _at(block, path)
    if pa.types.is_string(times.type):
        times = _told(times)
    if pa.types.is_timestamp(times.type):
        times = times.cast(pa.timestamp("ms", tz=times.type.tz), safe=False)
    numbers: Any = times.cast(pa.int64())
    found: Ints = numbers.to_numpy(zero_copy_only=False).copy()
    return found * 1000 if pa.types.is_int32(times.type) else found


def moved(block: pa.RecordBatch, path: str, by_ms: Ints) -> pa.RecordBatch:
    """Return the block with times moved, each by its own; where that is 0 nothing changes.

    A date is moved by whole days, down.
    """
    return _changed(block, path, lambda times: _moved(times, by_ms))


def with_text(block: pa.RecordBatch, path: str, rows: Bools, text: str = UNKNOWN_TEXT) -> pa.RecordBatch:
    """Return the block with another text in some rows."""
    return _changed(block, path, lambda texts: _chosen(rows, text, texts))


def unknown_text(known: tuple[str, ...]) -> str:
    """Return a text that is none of those that occur."""
    text = UNKNOWN_TEXT
    while text in known:
        text += "-" + UNKNOWN_TEXT
    return text


def with_hot_key(block: pa.RecordBatch, name: str, rows: Bools) -> pa.RecordBatch:
    """Return the block with one key for all of ``rows``, in the event as in the record."""
    return _changed(
        block,
        name,
        lambda keys: _chosen(rows, HOT_NUMBER if pa.types.is_integer(keys.type) else HOT_TEXT, keys),
    )


def with_negative(block: pa.RecordBatch, path: str, rows: Bools) -> pa.RecordBatch:
    """Return the block with a number below zero; ``rows`` hold none where it is null."""
    return _changed(block, path, lambda numbers: pc.if_else(column(rows), _below_zero(numbers), numbers))


def has_value(block: pa.RecordBatch, path: str) -> Bools:
    """Return which rows have a value at a path."""
    name, *inside = path.split(".")
    values: Any = block.column(name)
    there: Bools = values.is_valid().to_numpy(zero_copy_only=False)
    for part in inside:
        values = values.field(part)
        there = there & values.is_valid().to_numpy(zero_copy_only=False)
    return there


def has_text(block: pa.RecordBatch, name: str) -> Bools:
    """Return which rows have a text that is not empty; of a column that is filled in later, all have."""
    if name not in block.schema.names:
        return np.ones(len(block), dtype=np.bool_)
    texts: Any = block.column(name)
    lengths: Any = pc.binary_length(texts).fill_null(0)
    long_enough: Bools = lengths.to_numpy(zero_copy_only=False) > 0
    return long_enough


def _at(block: pa.RecordBatch, path: str) -> Any:
    name, *inside = path.split(".")
    values: Any = block.column(name)
    for part in inside:
        values = values.field(part)
    return values


def _changed(block: pa.RecordBatch, path: str, change: Callable[[Any], Any]) -> pa.RecordBatch:
    """Return the block with what is at a path put through ``change``."""
    name, *inside = path.split(".")
    place = block.schema.get_field_index(name)
    return block.set_column(place, name, _inside(block.column(name), inside, change))


def _inside(values: Any, inside: list[str], change: Callable[[Any], Any]) -> Any:
    if not inside:
        return change(values)
    fields = [values.type.field(number) for number in range(values.type.num_fields)]
    parts = [
        _inside(values.field(field.name), inside[1:], change) if field.name == inside[0] else values.field(field.name)
        for field in fields
    ]
    return pa.StructArray.from_arrays(parts, fields=fields, mask=values.is_null())


def _told(texts: Any) -> Any:
    """Return texts as times: ISO 8601 in UTC, or with the zone's name at the end."""
    plain: Any = pc.replace_substring_regex(texts, f"{_ZONE_NAME}$", "Z")
    return plain.cast(pa.timestamp("us", tz="UTC"))


def _moved(times: Any, by_ms: Ints) -> Any:
    kind = times.type
    if pa.types.is_string(kind):
        changed: Any = column(by_ms != 0)
        moments = _moved(_told(times.filter(changed)).cast(pa.timestamp("ms"), safe=False), by_ms[by_ms != 0])
        named = pc.ends_with(times.filter(changed), _ZONE_NAME)
        seconds = moments.cast(pa.timestamp("s"), safe=False)
        later = pc.if_else(named, pc.strftime(seconds, _NAMED), pc.strftime(moments, _ISO))
        return pc.replace_with_mask(times, changed, later)
    if pa.types.is_date32(kind):
        return pc.add(times.cast(pa.int32()), column((by_ms // _DAY_MS).astype(np.int32))).cast(kind)
    if pa.types.is_int32(kind):
        return pc.add(times, column((by_ms // 1000).astype(np.int32)))
    steps = by_ms * _PER_MS[kind.unit] if pa.types.is_timestamp(kind) else by_ms
    return pc.add(times.cast(pa.int64()), column(steps)).cast(kind)


def _below_zero(numbers: Any) -> Any:
    kind = numbers.type
    if pa.types.is_decimal(kind):  # the least step below zero, as any other number may have too many digits
        return pa.scalar(Decimal(-1).scaleb(-kind.scale), kind)
    return pc.subtract(pc.negate(pc.abs(numbers)), pa.scalar(1, kind))


def _chosen(rows: Bools, value: Any, values: Any) -> Any:
    return pc.if_else(column(rows), pa.scalar(value, values.type), values)
