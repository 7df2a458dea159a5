"""A strict reader of one Avro payload, which names what is wrong and at which byte.

The fast path gives up on a whole group of values; this reader says which value it was and why. It is also the way
in for the types that the fast path lacks. It is ours because the usual one is lenient where a proof must not be:
fastavro takes a negative enum or union index (and counts from the end), any byte as a boolean, an int beyond 32 bits,
a map with one key twice, and bytes after the end.

Values come back raw: logical types as the number or the bytes beneath, maps as lists of pairs, unions as
``(branch, value)``. ``schemas/types/arrow.py`` gives them their types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.formats.avro.json_text import text_reader
from schemas.formats.avro.wire import MAX_WEIGHTLESS, Allowance, Reader, bad_branch, block, leaf, string, varint
from schemas.types.node import RECURSION, Node
from schemas.undecodable import UndecodableValue


def compile_reader(root: Node) -> Callable[[bytes], dict[str, Any]]:
    """Return a function that reads one payload, all of it, or raises :class:`UndecodableValue`."""
    allowance = Allowance()
    read = _reader(root, allowance)

    def read_all(payload: bytes) -> dict[str, Any]:
        allowance.left = MAX_WEIGHTLESS
        value, end = read(payload, 0)
        if end != len(payload):
            raise UndecodableValue("trailing_bytes", f"{len(payload) - end} bytes follow the end at byte {end}")
        record: dict[str, Any] = value
        return record

    return read_all


def compile_finder(root: Node, name: str) -> Callable[[bytes, int], int]:
    """Return a function that reads the fields before one: from where a payload begins to where the field begins."""
    allowance = Allowance()
    names = [field for field, _ in root.fields]
    readers = [_reader(child, allowance) for _, child in root.fields[: names.index(name)]]

    def find(payload: bytes, at: int) -> int:
        allowance.left = MAX_WEIGHTLESS
        for read in readers:
            _, at = read(payload, at)
        return at

    return find


def _reader(node: Node, allowance: Allowance) -> Reader:
    plain = _plain_reader(node, allowance)
    null = node.null_branch
    if null is None:
        return plain

    def read(payload: bytes, at: int) -> tuple[Any, int]:
        branch, start = varint(payload, at)
        if branch not in (0, 1):
            raise bad_branch(branch, 2, at)
        return (None, start) if branch == null else plain(payload, start)

    return read


def _plain_reader(node: Node, allowance: Allowance) -> Reader:
    return _COMPOSITE[node.kind](node, allowance) if node.kind in _COMPOSITE else leaf(node)


def _record(node: Node, allowance: Allowance) -> Reader:
    readers = [(name, _reader(child, allowance)) for name, child in node.fields]

    def read(payload: bytes, at: int) -> tuple[dict[str, Any], int]:
        record = {}
        for name, reader in readers:
            record[name], at = reader(payload, at)
        return record, at

    return read


def _array(node: Node, allowance: Allowance) -> Reader:
    item = _reader(node.element(), allowance)
    weightless = node.element().weightless()

    def read(payload: bytes, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        while True:
            start = at
            count, at = block(payload, at)
            if count == 0:
                return items, at
            if weightless:
                allowance.take(count, start)
            for _ in range(count):
                value, at = item(payload, at)
                items.append(value)

    return read


def _map(node: Node, allowance: Allowance) -> Reader:
    item = _reader(node.element(), allowance)

    def read(payload: bytes, at: int) -> tuple[list[tuple[str, Any]], int]:
        items: dict[str, Any] = {}
        while True:
            count, at = block(payload, at)
            if count == 0:
                return list(items.items()), at
            for _ in range(count):
                start = at
                key, at = string(payload, at)
                if key in items:
                    raise UndecodableValue("duplicate_key", f"the map key at byte {start} stands there twice")
                items[key], at = item(payload, at)

    return read


def _union(node: Node, allowance: Allowance) -> Reader:
    readers = [_reader(branch, allowance) for branch in node.branches]

    def read(payload: bytes, at: int) -> tuple[tuple[int, Any], int]:
        branch, start = varint(payload, at)
        if not 0 <= branch < len(readers):
            raise bad_branch(branch, len(readers), at)
        value, end = readers[branch](payload, start)
        return (branch, value), end

    return read


_COMPOSITE: dict[str, Callable[[Node, Allowance], Reader]] = {
    "record": _record,
    "array": _array,
    "map": _map,
    "union": _union,
    RECURSION: text_reader,
}
