"""Decimals as Avro has them, big-endian two's complement of any length, into Arrow's 128 bits: all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.undecodable import UndecodableValue

_BYTES, _WORD_BITS = 16, 64
_LONGEST = 64  # bytes that all rows are looked at for; longer numbers are read one by one
_LOW = (1 << _WORD_BITS) - 1


def decimals(array: Any, precision: int, target: pa.DataType) -> Any:
    """Return unscaled numbers in a binary column, of one width or of any, as a column of ``target``.

    :param precision: how many digits a number may have.
    :param target: a ``decimal128`` of that precision and any scale.
    :raises UndecodableValue: ``out_of_range``: a number has more digits.
    """
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    content, starts, ends = _stretches(array)
    lengths = np.where(valid, ends - starts, 0)
    if int(lengths.max(initial=0)) > _LONGEST:
        return _one_by_one(array, precision, target)
    first = content[np.where(lengths > 0, starts, 0)] if len(content) else np.zeros(len(array), np.uint8)
    negative = (first >= 0x80) & (lengths > 0)
    fill = np.where(negative, 0xFF, 0).astype(np.uint8)
    numbers = np.repeat(fill[:, None], _BYTES, axis=1)
    inside = np.ones(len(array), dtype=np.bool_)
    for place in range(int(lengths.max(initial=0))):
        there = lengths > place
        digit = np.where(there, content[np.where(there, ends - 1 - place, 0)], fill)
        if place < _BYTES:
            numbers[:, place] = digit
        else:
            inside &= digit == fill
    words = numbers.view("<u8")
    high, low = words[:, 1].view(np.int64), words[:, 0]
    inside &= (high < 0) == negative
    most = 10**precision - 1
    above, below = _compared(high, low, most), _compared(high, low, -most)
    if not np.all(inside & (above <= 0) & (below >= 0)):
        raise _too_long(precision)
    bits: Any = np.packbits(valid, bitorder="little")
    whole: Any = numbers
    buffers = [None if valid.all() else pa.py_buffer(bits), pa.py_buffer(whole)]
    return pa.Array.from_buffers(target, len(array), buffers)


def _stretches(array: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Return the bytes of a column, and where each value begins and ends in them."""
    buffers = array.buffers()
    content = np.frombuffer(buffers[-1], np.uint8) if buffers[-1] is not None else np.zeros(0, np.uint8)
    if pa.types.is_fixed_size_binary(array.type):
        width = array.type.byte_width
        starts = (np.arange(len(array), dtype=np.int64) + array.offset) * width
        return content, starts, starts + width
    if buffers[1] is None:
        nothing = np.zeros(len(array), np.int64)
        return content, nothing, nothing
    ends = np.frombuffer(buffers[1], np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return content, ends[:-1], ends[1:]


def _compared(high: NDArray[np.int64], low: NDArray[np.uint64], bound: int) -> NDArray[np.int64]:
    """Return -1, 0 or 1 for numbers of two words that are less, equal or greater than a bound."""
    over, under = np.int64(bound >> _WORD_BITS), np.uint64(bound & _LOW)
    by_low = (low > under).astype(np.int64) - (low < under)
    return np.where(high == over, by_low, np.where(high > over, 1, -1))


def _one_by_one(array: Any, precision: int, target: pa.DataType) -> Any:
    """Return the same where a number has zeros without end before it, or is far too long."""
    numbers = [None if raw is None else int.from_bytes(raw, "big", signed=True) for raw in array.to_pylist()]
    if any(number is not None and abs(number) >= 10**precision for number in numbers):
        raise _too_long(precision)
    shortest = [None if number is None else number.to_bytes(_BYTES, "big", signed=True) for number in numbers]
    return decimals(pa.array(shortest, pa.binary()), precision, target)


def _too_long(precision: int) -> UndecodableValue:
    return UndecodableValue("out_of_range", f"a decimal has more than {precision} digits")
