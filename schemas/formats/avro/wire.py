"""The parts of an Avro payload, read strictly: each function takes a position and returns the value and the next one.

What is wrong is raised with its place; no message carries the payload.
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


@dataclass(slots=True)
class Allowance:
    """How many more items without bytes one value may claim."""

    left: int = MAX_WEIGHTLESS

    def take(self, count: int, at: int) -> None:
        """Take so many off.

        :raises UndecodableValue: ``bad_length``: there are not so many left.
        """
        self.left -= count
        if self.left < 0:
            raise UndecodableValue("bad_length", f"the block at byte {at} claims {count} items without bytes")


def leaf(node: Node) -> Reader:
    """Return the reader of a type that is not made of others; whether it is nullable does not matter."""
    if node.kind in _PRIMITIVE:
        return _PRIMITIVE[node.kind]
    return _enum(node) if node.kind == "enum" else _fixed(node)


def varint(payload: bytes, at: int) -> tuple[int, int]:
    """Read a number of up to 64 bits."""
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
    byte = take(payload, at, 1, "a boolean")[0]
    if byte > 1:
        raise UndecodableValue("bad_boolean", f"the boolean at byte {at} is 0x{byte:02x}, not 0x00 or 0x01")
    return byte == 1, at + 1


def _read_int(payload: bytes, at: int) -> tuple[int, int]:
    value, end = varint(payload, at)
    if not -(1 << 31) <= value < 1 << 31:
        raise UndecodableValue("bad_number", f"the int at byte {at} has more than 32 bits")
    return value, end


def _read_float(payload: bytes, at: int) -> tuple[float, int]:
    return _FLOAT.unpack(take(payload, at, 4, "a float"))[0], at + 4


def _read_double(payload: bytes, at: int) -> tuple[float, int]:
    return _DOUBLE.unpack(take(payload, at, 8, "a double"))[0], at + 8


def _read_bytes(payload: bytes, at: int) -> tuple[bytes, int]:
    length, start = varint(payload, at)
    if length < 0:
        raise UndecodableValue("bad_length", f"the length at byte {at} is negative")
    return take(payload, start, length, "bytes"), start + length


def string(payload: bytes, at: int) -> tuple[str, int]:
    """Read a text."""
    raw, end = _read_bytes(payload, at)
    try:
        return raw.decode(), end
    except UnicodeDecodeError as error:
        first = end - len(raw) + error.start
        raise UndecodableValue("invalid_utf8", f"the string at byte {at} is not UTF-8 at byte {first}") from None


def _enum(node: Node) -> Reader:
    symbols = node.symbols

    def read(payload: bytes, at: int) -> tuple[str, int]:
        index, end = varint(payload, at)
        if not 0 <= index < len(symbols):
            raise UndecodableValue("bad_enum", f"the enum at byte {at} has index {index} of {len(symbols)} symbols")
        return symbols[index], end

    return read


def _fixed(node: Node) -> Reader:
    size = node.size
    return lambda payload, at: (take(payload, at, size, "a fixed"), at + size)


def block(payload: bytes, at: int) -> tuple[int, int]:
    """Read a block's item count; a negative count is followed by the block's size, which is checked for bounds."""
    count, end = varint(payload, at)
    if count < 0:
        size, end = varint(payload, end)
        if not 0 <= size <= len(payload) - end:
            raise UndecodableValue("bad_length", f"the block at byte {at} claims {size} bytes")
        count = -count
    return count, end


def take(payload: bytes, at: int, length: int, what: str) -> bytes:
    """Return so many bytes of what begins here."""
    taken = payload[at : at + length]
    if len(taken) != length:
        raise _truncated(payload, at, what)
    return taken


def _truncated(payload: bytes, at: int, what: str) -> UndecodableValue:
    return UndecodableValue("truncated", f"the payload ends at byte {len(payload)}, inside {what} that starts at {at}")


def bad_branch(branch: int, branches: int, at: int) -> UndecodableValue:
    """Return the fault of a union whose branch is not one of its own."""
    return UndecodableValue("bad_union", f"the union at byte {at} has index {branch} of {branches} branches")


_PRIMITIVE: dict[str, Reader] = {
    "null": _read_null,
    "boolean": _read_boolean,
    "int": _read_int,
    "long": varint,
    "float": _read_float,
    "double": _read_double,
    "bytes": _read_bytes,
    "string": string,
}
