"""A group of Avro payloads read by columns, all rows in lockstep: for the types that pyruhvro does not read.

All payloads are one text of bytes, and each row has a place in it. A reader takes one value of every row at once, with
NumPy, and moves the places behind it. A union is read branch by branch: the rows of a branch go on alone and join the
others behind it. A list is read in rounds: in round ``k`` go the rows that have an item ``k``.

It accepts what the strict reader accepts, and says no more of a fault than that there is one: ``strict.py`` names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.formats.avro.json_text import text_reader
from schemas.formats.avro.wire import MAX_VARINT_BYTES
from schemas.types.arrow import Column, raw_type
from schemas.types.node import RECURSION, Node, member_names
from schemas.undecodable import UndecodableValue

Ints = NDArray[np.int64]

# Bytes behind the last payload, for what is read before it is seen that it ends too early.
_PAD = bytes(16)
# A round takes as long as the strict reader takes for so many bytes; a few rounds are always worth a try.
_ROUND_BYTES, _FREE_ROUNDS = 256, 256


class UnevenLists(Exception):
    """The lists of a group are so different in length that reading value by value is faster."""


@dataclass(slots=True)
class Rounds:
    """How many rounds are worth their time in a group."""

    left: int

    def take(self, rounds: int) -> None:
        """Take some of them.

        :raises UnevenLists: there are fewer.
        """
        self.left -= rounds
        if self.left < 0:
            raise UnevenLists


@dataclass(slots=True)
class Cursor:
    """Rows on their way: ``at`` is where each of them is in ``data``, ``end`` where it ends; rows are in order.

    ``payloads`` and ``data`` are the same bytes.
    """

    payloads: bytes
    data: NDArray[np.uint8]
    at: Ints
    end: Ints
    rounds: Rounds

    def of(self, rows: Ints) -> Cursor:
        """Return some of the rows, to go on alone."""
        return Cursor(self.payloads, self.data, self.at[rows], self.end[rows], self.rounds)

    def moved(self, size: Any) -> Ints:
        """Move each row by so many bytes and return where it was.

        :raises UndecodableValue: a row has fewer.
        """
        if np.any(size > self.end - self.at):
            raise _fault()
        before = self.at
        self.at = before + size
        return before


Reader = Callable[[Cursor], Column]


def compile_columns(root: Node) -> Callable[[list[bytes]], list[Column]]:
    """Return a function that reads payloads into the columns of a record, in the raw layout.

    It raises :class:`UndecodableValue` if there is a fault in any of them, and :class:`UnevenLists`.
    """
    readers = [_reader(node) for _, node in root.fields]

    def read_all(values: list[bytes]) -> list[Column]:
        payloads = b"".join(values) + _PAD
        ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
        begins, rounds = ends - np.diff(ends, prepend=0), Rounds(_FREE_ROUNDS + len(payloads) // _ROUND_BYTES)
        cursor = Cursor(payloads, np.frombuffer(payloads, np.uint8), begins, ends, rounds)
        columns = [reader(cursor) for reader in readers]
        if not np.array_equal(cursor.at, ends):
            raise _fault()
        return columns

    return read_all


def can_read(root: Node) -> bool:
    """True if the types are read here. A list of items without bytes is not: a few bytes may claim any number."""
    return not any(node.kind == "array" and node.element().weightless() for node in root.walk())


def _reader(node: Node) -> Reader:
    plain = _PRIMITIVE[node.kind] if node.kind in _PRIMITIVE else _COMPOSITE[node.kind](node)
    null = node.null_branch
    if null is None:
        return plain

    def read(cursor: Cursor) -> Column:
        branch = _varints(cursor)
        if np.any((branch != 0) & (branch != 1)):
            raise _fault()
        rows = np.flatnonzero(branch != null)
        return plain(cursor) if len(rows) == len(branch) else _spread(_some(cursor, rows, plain), rows, len(branch))

    return read


def _some(cursor: Cursor, rows: Ints, reader: Reader) -> Column:
    """Read a value of some of the rows."""
    part = cursor.of(rows)
    found = reader(part)
    cursor.at[rows] = part.at
    return found


def _spread(found: Column, rows: Ints, size: int) -> Column:
    """Return the values of some rows as a column of all, null in the others."""
    places = np.full(size, -1, dtype=np.int64)
    places[rows] = np.arange(len(rows))
    return found.take(_column(places, mask=places < 0))


def _varints(cursor: Cursor) -> Ints:
    """Read a number of each row: zigzag, seven bits a byte. Bits beyond 64 are dropped, as by every reader."""
    data, at = cursor.data, cursor.at
    byte = data[at]
    number = (byte & 0x7F).astype(np.uint64)
    size: Any = 1
    more = np.flatnonzero(byte >= 0x80)
    if len(more):
        size = np.ones(len(at), dtype=np.int64)
        for place in range(1, MAX_VARINT_BYTES + 1):
            if not len(more):
                break
            if place == MAX_VARINT_BYTES:
                raise _fault()
            # Beyond the last payload there is nothing to read.
            byte = data[np.minimum(at[more] + place, len(data) - 1)]
            number[more] |= (byte & 0x7F).astype(np.uint64) << np.uint64(7 * place)
            size[more] += 1
            more = more[byte >= 0x80]
    cursor.moved(size)
    found: Ints = (number >> np.uint64(1)).view(np.int64) ^ -(number & np.uint64(1)).view(np.int64)
    return found


def _boolean(cursor: Cursor) -> Column:
    byte = cursor.data[cursor.moved(1)]
    if np.any(byte > 1):
        raise _fault()
    return _column(byte.astype(np.bool_))


def _int(cursor: Cursor) -> Column:
    found = _varints(cursor)
    if len(found) and not -(1 << 31) <= found.min() <= found.max() < 1 << 31:
        raise _fault()
    return _column(found)


def _numbers(cursor: Cursor, kind: type[np.float32 | np.float64]) -> Column:
    size = np.dtype(kind).itemsize
    raw = cursor.data[cursor.moved(size)[:, None] + np.arange(size)]
    return _column(np.ascontiguousarray(raw).view(kind).reshape(-1))


def _stretches(cursor: Cursor, lengths: Any) -> Column:
    """Read so many bytes of each row."""
    first = cursor.moved(lengths)
    data: Any = cursor.data
    bounds: Any = np.empty(2 * len(first) + 1, dtype=np.int64)
    bounds[:-1:2], bounds[1::2], bounds[-1] = first, cursor.at, len(data)
    buffers: Any = [None, pa.py_buffer(bounds), pa.py_buffer(data)]
    # Every other one is what lies between one row's value and the next one's.
    whole: Any = pa.Array.from_buffers(pa.large_binary(), 2 * len(first), buffers)
    return whole.take(_column(np.arange(0, 2 * len(first), 2)))


def _bytes(cursor: Cursor) -> Column:
    lengths = _varints(cursor)
    if np.any(lengths < 0):
        raise _fault()
    return _stretches(cursor, lengths).cast(pa.binary())


def _string(cursor: Cursor) -> Column:
    try:
        return _bytes(cursor).cast(pa.string())
    except pa.ArrowInvalid:
        raise _fault() from None


def _fixed(node: Node) -> Reader:
    kind = raw_type(node)

    def read(cursor: Cursor) -> Column:
        found = _stretches(cursor, node.size).cast(pa.binary())
        return found.cast(kind) if found.type != kind else found

    return read


def _enum(node: Node) -> Reader:
    symbols = pa.array(node.symbols, pa.string())

    def read(cursor: Cursor) -> Column:
        index = _varints(cursor)
        if np.any((index < 0) | (index >= len(symbols))):
            raise _fault()
        return symbols.take(_column(index))

    return read


def _record(node: Node) -> Reader:
    if not node.fields:
        return lambda cursor: _column(np.ones(len(cursor.at), dtype=np.bool_))
    readers = [_reader(child) for _, child in node.fields]
    kind: Any = raw_type(node)
    members = [kind.field(place) for place in range(kind.num_fields)]
    return lambda cursor: pa.StructArray.from_arrays([reader(cursor) for reader in readers], fields=members)


def _array(node: Node) -> Reader:
    read_items = _blocks(_reader(node.element()))
    kind = raw_type(node)

    def read(cursor: Cursor) -> Column:
        ends, items = read_items(cursor)
        return pa.ListArray.from_arrays(_column(ends), items, type=kind)

    return read


def _map(node: Node) -> Reader:
    value = _reader(node.element())
    kind = raw_type(node)
    pair = [pa.field("key", pa.string(), nullable=False), pa.field("value", raw_type(node.element()))]
    read_items = _blocks(lambda cursor: pa.StructArray.from_arrays([_string(cursor), value(cursor)], fields=pair))

    def read(cursor: Cursor) -> Column:
        ends, items = read_items(cursor)
        maps: Any = pa.MapArray  # the stubs miss this form
        return maps.from_arrays(_column(ends), items.field(0), items.field(1), type=kind)

    return read


def _blocks(item: Reader) -> Callable[[Cursor], tuple[NDArray[np.int32], Column]]:
    """Return what reads the lists of all rows: where each ends among the items, and the items."""

    def read(cursor: Cursor) -> tuple[NDArray[np.int32], Column]:
        size = len(cursor.at)
        rows = np.arange(size)
        pieces: list[Column] = []
        owners: list[Ints] = []
        while len(rows):
            part = cursor.of(rows)
            counts = _counts(part)
            # An item takes a byte at least.
            if np.any(counts > part.end - part.at):
                raise _fault()
            most = int(counts.max(initial=0))
            part.rounds.take(most)
            for number in range(most):
                going = np.flatnonzero(counts > number)
                pieces.append(_some(part, going, item))
                owners.append(rows[going])
            cursor.at[rows] = part.at
            rows = rows[counts > 0]
        ends = np.zeros(size + 1, dtype=np.int32)
        if not pieces:
            return ends, item(cursor.of(np.arange(0)))
        owner = np.concatenate(owners)
        np.cumsum(np.bincount(owner, minlength=size), out=ends[1:])
        items = pa.concat_arrays(pieces)
        return ends, items if len(pieces) == 1 else items.take(_column(np.argsort(owner, kind="stable")))

    return read


def _counts(cursor: Cursor) -> Ints:
    """Read how many items the next block of each row has; a negative number is followed by the block's size."""
    counts = _varints(cursor)
    rows = np.flatnonzero(counts < 0)
    if len(rows):
        part = cursor.of(rows)
        sizes = _varints(part)
        if np.any((sizes < 0) | (sizes > part.end - part.at)):
            raise _fault()
        cursor.at[rows] = part.at
        counts[rows] = -counts[rows]
        if np.any(counts < 0):  # -2**63 has no opposite
            raise _fault()
    return counts


def _union(node: Node) -> Reader:
    readers = [_reader(branch) for branch in node.branches]
    names = member_names(node)

    def read(cursor: Cursor) -> Column:
        branch = _varints(cursor)
        if np.any((branch < 0) | (branch >= len(readers))):
            raise _fault()
        children = []
        for number, reader in enumerate(readers):
            rows = np.flatnonzero(branch == number)
            children.append(_spread(_some(cursor, rows, reader), rows, len(branch)))
        return pa.UnionArray.from_sparse(_column(branch.astype(np.int8)), children, names)

    return read


def _json_text(node: Node) -> Reader:
    read_text = text_reader(node)

    def read(cursor: Cursor) -> Column:
        found = [read_text(cursor.payloads, at) for at in cursor.at.tolist()]
        cursor.moved(np.array([after for _, after in found], dtype=np.int64) - cursor.at)
        return pa.array([text for text, _ in found], pa.string())

    return read


def _column(values: Any, mask: NDArray[np.bool_] | None = None) -> Column:
    return pa.array(values, mask=mask)


def _fault() -> UndecodableValue:
    return UndecodableValue("group", "a value of the group cannot be decoded")


_PRIMITIVE: dict[str, Reader] = {
    "null": lambda cursor: pa.nulls(len(cursor.at)),
    "boolean": _boolean,
    "int": _int,
    "long": lambda cursor: _column(_varints(cursor)),
    "float": lambda cursor: _numbers(cursor, np.float32),
    "double": lambda cursor: _numbers(cursor, np.float64),
    "bytes": _bytes,
    "string": _string,
}
_COMPOSITE: dict[str, Callable[[Node], Reader]] = {
    "enum": _enum,
    "fixed": _fixed,
    "record": _record,
    "array": _array,
    "map": _map,
    "union": _union,
    RECURSION: _json_text,
}
