"""Arrow columns into Avro payloads, a column at a time: every type, no loop over rows.

Each type has a writer that turns a column into *pieces*: binary columns (or one text for all rows) with as many rows
as the column, which give the payloads when they are put one behind the other. A record is the pieces of its fields, a
text is its length and itself; only what stands behind a choice or in a list is put together before its parent is. So
most bytes are copied once.

=====================  ==============================================================================
nullable               the rows that hold something are written alone and dealt out to their places
union                  the same for each branch
array, map             the items of all rows are one column; a list is a stretch of its bytes
decimal                Arrow's 128 bits, the other way round, without the bytes that only repeat the sign
type inside itself     JSON text, each by itself: what is in it has no columns
=====================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.formats.avro.json_text import text_writer
from schemas.types.arrow import Column
from schemas.types.node import RECURSION, Node

# Binary columns of equal length, or scalars that stand for such a column. One behind the other they are the payloads.
Pieces = list[Any]
Writer = Callable[[Column], Pieces]

_NOTHING = pa.scalar(b"", pa.binary())
_SHIFTS = np.arange(0, 70, 7, dtype=np.uint64)
_DECIMAL_BYTES, _WORD_BITS = 16, 64


def compile_writer(root: Node) -> Callable[[pa.RecordBatch, bytes], pa.BinaryArray]:
    """Return a function of a batch in ``arrow_schema``'s layout and of bytes that begin every payload.

    It gives one payload for each row, and raises ``ValueError`` for what the schema does not allow: a null, a text that
    is no symbol of its enum, a decimal that is too long for its fixed.
    """
    writers = [_writer(node, name) for name, node in root.fields]

    def write(batch: pa.RecordBatch, head: bytes = b"") -> pa.BinaryArray:
        pieces: Pieces = [pa.scalar(head, pa.binary())] if head else []
        for writer, column in zip(writers, batch.columns, strict=True):
            pieces += writer(column)
        return _joined(pieces, len(batch))

    return write


def _writer(node: Node, path: str) -> Writer:
    plain = _plain_writer(node, path)
    if node.null_branch is None:
        return plain if node.kind in ("null", "union") else _without_nulls(plain, path)
    null, other = (pa.scalar(_varint(branch), pa.binary()) for branch in (node.null_branch, 1 - node.null_branch))

    def write(array: Column) -> Pieces:
        if not array.null_count:
            return [other, *plain(array)]
        there = array.is_valid()
        found = array.filter(there)
        written = _joined([other, *plain(found)], len(found))
        rows = there.to_numpy(zero_copy_only=False)
        places = np.where(rows, np.cumsum(rows) - 1, len(found))
        return [_dealt_out([written, pa.array([null])], places)]

    return write


def _plain_writer(node: Node, path: str) -> Writer:
    if node.logical == "decimal":
        return _decimal(node, path)
    return _PRIMITIVE[node.kind] if node.kind in _PRIMITIVE else _COMPOSITE[node.kind](node, path)


def _without_nulls(plain: Writer, path: str) -> Writer:
    def write(array: Column) -> Pieces:
        if array.null_count:
            raise ValueError(f"column {path} has a null; the schema allows none")
        return plain(array)

    return write


def _text(array: Column) -> Pieces:
    lengths: Any = pc.binary_length(array)
    return [_varints(lengths.to_numpy().astype(np.int64)), array.view(pa.binary())]


def _enum(node: Node, path: str) -> Writer:
    symbols = pa.array(node.symbols, pa.string())

    def write(array: Column) -> Pieces:
        found: Any = pc.index_in(array, value_set=symbols)
        if found.null_count:
            raise ValueError(f"column {path} has a text that is no symbol of its enum")
        return [_varints(found.to_numpy().astype(np.int64))]

    return write


def _record(node: Node, path: str) -> Writer:
    writers = [_writer(child, f"{path}.{name}") for name, child in node.fields]

    def write(array: Column) -> Pieces:
        pieces: Pieces = []
        for place, writer in enumerate(writers):
            pieces += writer(array.field(place))
        return pieces

    return write


def _array(node: Node, path: str) -> Writer:
    item = _writer(node.element(), f"{path}[]")

    def write(array: Column) -> Pieces:
        ends = array.offsets.to_numpy()
        return _blocks(ends, item(array.values.slice(ends[0], ends[-1] - ends[0])))

    return write


def _map(node: Node, path: str) -> Writer:
    item = _writer(node.element(), f"{path}{{}}")

    def write(array: Column) -> Pieces:
        ends = array.offsets.to_numpy()
        first, count = ends[0], ends[-1] - ends[0]
        return _blocks(ends, [*_text(array.keys.slice(first, count)), *item(array.items.slice(first, count))])

    return write


def _blocks(ends: NDArray[np.int32], items: Pieces) -> Pieces:
    """Return lists as one block each: the number of items, the items, and a zero, which is all of an empty list."""
    ends = ends - ends[0]
    counts = np.diff(ends).astype(np.int64)
    written: Column = _joined(items, int(ends[-1]))
    bounds = np.frombuffer(written.buffers()[1], np.int32)[written.offset : written.offset + len(written) + 1]
    return [
        _varints(counts),
        _binary(bounds[ends], written.buffers()[2]),
        _binary(_bounds(counts > 0), bytes(np.count_nonzero(counts))),
    ]


def _union(node: Node, path: str) -> Writer:
    writers = [_writer(branch, path) for branch in node.branches]
    tags = [pa.scalar(_varint(branch), pa.binary()) for branch in range(len(node.branches))]

    def write(array: Column) -> Pieces:
        if not len(array):
            return [_joined([], 0)]
        # Of a slice, PyArrow's type_codes are those of the whole.
        codes = np.frombuffer(array.buffers()[1], np.int8)[array.offset : array.offset + len(array)]
        written, places, dealt = [], np.empty(len(array), dtype=np.int64), 0
        for code in np.unique(codes).tolist():
            rows = np.flatnonzero(codes == code)
            found = array.field(code)
            if len(rows) == len(array):
                return [tags[code], *writers[code](found)]
            written.append(_joined([tags[code], *writers[code](found.take(pa.array(rows)))], len(rows)))
            places[rows] = np.arange(dealt, dealt + len(rows))
            dealt += len(rows)
        return [_dealt_out(written, places)]

    return write


def _json_text(node: Node, path: str) -> Writer:
    write_text = text_writer(node)

    def write(array: Column) -> Pieces:
        try:
            return [pa.array([write_text(text) for text in array.to_pylist()], pa.binary())]
        except ValueError as error:
            raise ValueError(f"column {path}: {error}") from None

    return write


def _decimal(node: Node, path: str) -> Writer:
    """Return the writer of a decimal: big-endian two's complement, as short as it goes, or as long as the fixed."""

    def as_bytes(array: Column) -> Pieces:
        lengths = _needed(array)
        width = int(lengths.max(initial=1))
        inside = np.arange(width) >= (width - lengths)[:, None]
        return [_varints(lengths), _binary(_bounds(lengths), _last_bytes(array, width)[inside])]

    def as_fixed(array: Column) -> Pieces:
        if int(_needed(array).max(initial=1)) > node.size:
            raise ValueError(f"column {path} has a decimal that is too long for {node.size} bytes")
        return [_fixed_width(np.ascontiguousarray(_last_bytes(array, node.size)))]

    return as_bytes if node.kind == "bytes" else as_fixed


def _needed(array: Column) -> NDArray[np.int64]:
    """Return how many bytes each decimal takes at least: one bit of them is the sign."""
    words = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)[array.offset : array.offset + len(array)]
    sign = words[:, 1] >> 63
    low, high = (words[:, 0] ^ sign).view(np.uint64), (words[:, 1] ^ sign).view(np.uint64)
    lengths = np.ones(len(array), dtype=np.int64)
    most = int(high.max(initial=0)) << _WORD_BITS | int(low.max(initial=0))
    for bits in range(7, most.bit_length(), 8):
        more = high >> (bits - _WORD_BITS) if bits >= _WORD_BITS else (low >> bits) | high
        lengths += more != 0
    return lengths


def _last_bytes(array: Column, width: int) -> NDArray[np.uint8]:
    """Return the last bytes of decimals as big-endian numbers, those beyond Arrow's 16 as the sign says."""
    number = np.frombuffer(array.buffers()[1], np.uint8).reshape(-1, _DECIMAL_BYTES)
    number = number[array.offset : array.offset + len(array), ::-1]
    if width <= _DECIMAL_BYTES:
        return number[:, _DECIMAL_BYTES - width :]
    sign = (number[:, :1].view(np.int8) >> 7).view(np.uint8)
    return np.hstack([np.repeat(sign, width - _DECIMAL_BYTES, axis=1), number])


def _varints(numbers: NDArray[np.int64]) -> Any:
    """Return numbers as Avro writes them: zigzag, seven bits a byte, the lowest first."""
    zigzag = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
    width = max(1, -(-int(zigzag.max(initial=0)).bit_length() // 7))
    if width == 1:
        return _fixed_width(zigzag.astype(np.uint8))
    lengths = np.ones(len(zigzag), dtype=np.int64)
    for shift in _SHIFTS[1:width]:
        lengths += (zigzag >> shift) != 0
    digits = (zigzag[:, None] >> _SHIFTS[:width]).astype(np.uint8) | 0x80
    digits[np.arange(len(zigzag)), lengths - 1] &= 0x7F
    if int(lengths.min()) == width:
        return _fixed_width(digits)
    return _binary(_bounds(lengths), digits[np.arange(width) < lengths[:, None]])


def _varint(number: int) -> bytes:
    return bytes(_varints(np.array([number], dtype=np.int64))[0].as_py())


def _bounds(lengths: NDArray[Any]) -> NDArray[np.int32]:
    bounds = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=bounds[1:])
    return bounds


def _fixed_width(rows: NDArray[Any]) -> Any:
    """Return the bytes of each row of an array as they are in memory."""
    width = rows.itemsize * (rows.shape[1] if rows.ndim > 1 else 1)
    return _binary(np.arange(0, (len(rows) + 1) * width, width, dtype=np.int32), rows)


def _binary(bounds: Any, content: Any) -> Any:
    """Return the stretches of some bytes between one bound and the next."""
    buffers: Any = [None, pa.py_buffer(bounds), content if isinstance(content, pa.Buffer) else pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.binary(), len(bounds) - 1, buffers)


def _joined(pieces: Sequence[Any], rows: int) -> pa.BinaryArray:
    """Return the pieces of each row one behind the other."""
    if not any(isinstance(piece, pa.Array) for piece in pieces):
        pieces = [*pieces, _binary(np.zeros(rows + 1, dtype=np.int32), b"")]
    if len(pieces) == 1:
        only: pa.BinaryArray = pieces[0]
        return only
    joined: pa.BinaryArray = pc.binary_join_element_wise(*pieces, _NOTHING)
    return joined


def _dealt_out(written: list[Any], places: NDArray[np.int64]) -> Any:
    """Return what was written in parts in the order of its rows: ``places`` counts through all parts."""
    return pa.concat_arrays(written).take(pa.array(places))


_PRIMITIVE: dict[str, Writer] = {
    "null": lambda array: [_joined([], len(array))],
    "boolean": lambda array: [_fixed_width(array.cast(pa.uint8()).to_numpy())],
    "int": lambda array: [_varints(array.view(pa.int32()).to_numpy().astype(np.int64))],
    "long": lambda array: [_varints(array.view(pa.int64()).to_numpy())],
    "float": lambda array: [_fixed_width(array.to_numpy())],
    "double": lambda array: [_fixed_width(array.to_numpy())],
    "string": _text,
    "bytes": _text,
    "fixed": lambda array: [array.cast(pa.binary())],
}
_COMPOSITE: dict[str, Callable[[Node, str], Writer]] = {
    "enum": _enum,
    "record": _record,
    "array": _array,
    "map": _map,
    "union": _union,
    RECURSION: _json_text,
}
