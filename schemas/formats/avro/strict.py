"""A strict reader of one Avro payload, which names what is wrong and at which byte.

The fast path gives up on a whole group of values; this reader says which value it was and why. It is also the way
in for the types that the fast path lacks. It is ours because the usual one is lenient where a proof must not be:
fastavro takes a negative enum or union index (and counts from the end), any byte as a boolean, an int beyond 32 bits,
a map with one key twice, and bytes after the end.

Values come back raw: logical types as the number or the bytes beneath, maps as lists of pairs, unions as
``(branch, value)``. ``schemas/types/arrow.py`` gives them their types.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.types.node import Node
from schemas.undecodable import UndecodableValue

# (payload, position) -> (value, next position)
Reader = Callable[[bytes, int], tuple[Any, int]]

MAX_VARINT_BYTES = 10
# Items that take no bytes, in one value: a few bytes could claim a billion.
MAX_WEIGHTLESS = 100_000
_64_BITS = (1 << 64) - 1
_FLOAT = struct.Struct("<f")
_DOUBLE = struct.Struct("<d")


def compile_reader(root: Node) -> Callable[[bytes], dict[str, Any]]:
    """Return a function that reads one payload, all of it, or raises :class:`UndecodableValue`."""
    allowance = _Allowance()
    read = _reader(root, allowance)

    def read_all(payload: bytes) -> dict[str, Any]:
        allowance.left = MAX_WEIGHTLESS
        value, end = read(payload, 0)
        if end != len(payload):
            raise UndecodableValue("trailing_bytes", f"{len(payload) - end} bytes follow the end at byte {end}")
        record: dict[str, Any] = value
        return record

    return read_all


@dataclass(slots=True)
class _Allowance:
    """How many more items without bytes one value may claim."""

    left: int = MAX_WEIGHTLESS


def _reader(node: Node, allowance: _Allowance) -> Reader:
    plain = _plain_reader(node, allowance)
    null = node.null_branch
    if null is None:
        return plain

    def read(payload: bytes, at: int) -> tuple[Any, int]:
        branch, start = _varint(payload, at)
        if branch not in (0, 1):
            raise _bad_branch(branch, 2, at)
        return (None, start) if branch == null else plain(payload, start)

    return read


def _plain_reader(node: Node, allowance: _Allowance) -> Reader:
    if node.kind in _PRIMITIVE:
        return _PRIMITIVE[node.kind]
    return _COMPOSITE[node.kind](node, allowance)


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    end = at
    while True:
        try:
            byte = payload[end]
        except IndexError:
            raise _truncated(payload, at, "a number") from None
        end += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift >= 7 * MAX_VARINT_BYTES:
            raise UndecodableValue("bad_number", f"the number at byte {at} has more than {MAX_VARINT_BYTES} bytes")
    result &= _64_BITS  # bits beyond are dropped, as by every reader
    return (result >> 1) ^ -(result & 1), end


def _read_null(_payload: bytes, at: int) -> tuple[None, int]:
    return None, at


def _read_boolean(payload: bytes, at: int) -> tuple[bool, int]:
    byte = _take(payload, at, 1, "a boolean")[0]
    if byte > 1:
        raise UndecodableValue("bad_boolean", f"the boolean at byte {at} is 0x{byte:02x}, not 0x00 or 0x01")
    return byte == 1, at + 1


def _read_int(payload: bytes, at: int) -> tuple[int, int]:
    value, end = _varint(payload, at)
    if not -(1 << 31) <= value < 1 << 31:
        raise UndecodableValue("bad_number", f"the int at byte {at} has more than 32 bits")
    return value, end


def _read_float(payload: bytes, at: int) -> tuple[float, int]:
    return _FLOAT.unpack(_take(payload, at, 4, "a float"))[0], at + 4


def _read_double(payload: bytes, at: int) -> tuple[float, int]:
    return _DOUBLE.unpack(_take(payload, at, 8, "a double"))[0], at + 8


def _read_bytes(payload: bytes, at: int) -> tuple[bytes, int]:
    length, start = _varint(payload, at)
    if length < 0:
        raise UndecodableValue("bad_length", f"the length at byte {at} is negative")
    return _take(payload, start, length, "bytes"), start + length


def _read_string(payload: bytes, at: int) -> tuple[str, int]:
    raw, end = _read_bytes(payload, at)
    try:
        return raw.decode(), end
    except UnicodeDecodeError as error:
        first = end - len(raw) + error.start
        raise UndecodableValue("invalid_utf8", f"the string at byte {at} is not UTF-8 at byte {first}") from None


def _enum(node: Node, _: _Allowance) -> Reader:
    symbols = node.symbols

    def read(payload: bytes, at: int) -> tuple[str, int]:
        index, end = _varint(payload, at)
        if not 0 <= index < len(symbols):
            raise UndecodableValue("bad_enum", f"the enum at byte {at} has index {index} of {len(symbols)} symbols")
        return symbols[index], end

    return read


def _fixed(node: Node, _: _Allowance) -> Reader:
    size = node.size
    return lambda payload, at: (_take(payload, at, size, "a fixed"), at + size)


def _record(node: Node, allowance: _Allowance) -> Reader:
    readers = [(name, _reader(child, allowance)) for name, child in node.fields]

    def read(payload: bytes, at: int) -> tuple[dict[str, Any], int]:
        record = {}
        for name, reader in readers:
            record[name], at = reader(payload, at)
        return record, at

    return read


def _array(node: Node, allowance: _Allowance) -> Reader:
    item = _reader(node.element(), allowance)
    weightless = node.element().weightless()

    def read(payload: bytes, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        while True:
            start = at
            count, at = _block(payload, at)
            if count == 0:
                return items, at
            if weightless:
                allowance.left -= count
            if allowance.left < 0:
                raise UndecodableValue("bad_length", f"the block at byte {start} claims {count} items without bytes")
            for _ in range(count):
                value, at = item(payload, at)
                items.append(value)

    return read


def _map(node: Node, allowance: _Allowance) -> Reader:
    item = _reader(node.element(), allowance)

    def read(payload: bytes, at: int) -> tuple[list[tuple[str, Any]], int]:
        items: dict[str, Any] = {}
        while True:
            count, at = _block(payload, at)
            if count == 0:
                return list(items.items()), at
            for _ in range(count):
                start = at
                key, at = _read_string(payload, at)
                if key in items:
                    raise UndecodableValue("duplicate_key", f"the map key at byte {start} stands there twice")
                items[key], at = item(payload, at)

    return read


def _union(node: Node, allowance: _Allowance) -> Reader:
    readers = [_reader(branch, allowance) for branch in node.branches]

    def read(payload: bytes, at: int) -> tuple[tuple[int, Any], int]:
        branch, start = _varint(payload, at)
        if not 0 <= branch < len(readers):
            raise _bad_branch(branch, len(readers), at)
        value, end = readers[branch](payload, start)
        return (branch, value), end

    return read


def _block(payload: bytes, at: int) -> tuple[int, int]:
    """Read a block's item count; a negative count is followed by the block's size, which is checked for bounds."""
    count, end = _varint(payload, at)
    if count < 0:
        size, end = _varint(payload, end)
        if not 0 <= size <= len(payload) - end:
            raise UndecodableValue("bad_length", f"the block at byte {at} claims {size} bytes")
        count = -count
    return count, end


def _take(payload: bytes, at: int, length: int, what: str) -> bytes:
    taken = payload[at : at + length]
    if len(taken) != length:
        raise _truncated(payload, at, what)
    return taken


def _truncated(payload: bytes, at: int, what: str) -> UndecodableValue:
    return UndecodableValue("truncated", f"the payload ends at byte {len(payload)}, inside {what} that starts at {at}")


def _bad_branch(branch: int, branches: int, at: int) -> UndecodableValue:
    return UndecodableValue("bad_union", f"the union at byte {at} has index {branch} of {branches} branches")


_PRIMITIVE: dict[str, Reader] = {
    "null": _read_null,
    "boolean": _read_boolean,
    "int": _read_int,
    "long": _varint,
    "float": _read_float,
    "double": _read_double,
    "bytes": _read_bytes,
    "string": _read_string,
}
_COMPOSITE: dict[str, Callable[[Node, _Allowance], Reader]] = {
    "enum": _enum,
    "fixed": _fixed,
    "record": _record,
    "array": _array,
    "map": _map,
    "union": _union,
}
