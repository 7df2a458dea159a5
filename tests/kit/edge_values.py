"""Values at the edges of their types, as Avro bytes and as Python values: what a writer that is not ours may send.

The bytes are made here, value by value, by the words of Avro's specification and nothing of the product's.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import struct
from decimal import Context, Decimal
from typing import Any

from schemas.types.node import RECURSION, Node, member_names

TEXTS = ["", "a", "nul\0inside", "é😀", "x" * 130, '"\\', "\ufeff"]
INTS = [0, 1, -1, 63, 64, -64, -65, (1 << 31) - 1, -(1 << 31)]
LONGS = [*INTS, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63)]
DOUBLES = [0.0, -0.0, 0.1, 1.7976931348623157e308, 5e-324, math.inf, -math.inf, math.nan]
FLOATS = [0.0, -0.0, 0.10000000149011612, 3.4028234663852886e38, 1.401298464324817e-45, math.inf, math.nan]
MICROS = [0, 1, -1, 1_790_000_000_123_456, -62_135_596_800_000_000, 253_402_300_799_999_999]
_EXACT = Context(prec=80)
_EPOCH = dt.datetime(1970, 1, 1)
# The text of a type inside itself is compared by its bytes alone.
ANY = object()


def number(value: int) -> bytes:
    """Return a number of up to 64 bits."""
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left >= 0x80:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*out, left])


class Edges:
    """Draws rows of a record; row ``n`` is a function of ``n``."""

    def __init__(self, root: Node) -> None:
        self._root = root

    def row(self, turn: int) -> tuple[bytes, dict[str, Any]]:
        """Return a payload, and the row that it is."""
        chance = random.Random(turn)
        raw, found = b"", {}
        for name, node in self._root.fields:
            part, found[name] = self._drawn(node, chance, 0)
            raw += part
        return raw, found

    def _drawn(self, node: Node, chance: random.Random, depth: int) -> tuple[bytes, Any]:
        if node.null_branch is None:
            return self._plain(node, chance, depth)
        if chance.random() < (0.3 if depth < 8 else 1):
            return number(node.null_branch), None
        raw, value = self._plain(node, chance, depth)
        return number(1 - node.null_branch) + raw, value

    def _plain(self, node: Node, chance: random.Random, depth: int) -> tuple[bytes, Any]:
        if node.logical:
            return self._logical(node, chance)
        return getattr(self, f"_{node.kind}")(node, chance, depth)  # type: ignore[no-any-return]

    def _logical(self, node: Node, chance: random.Random) -> tuple[bytes, Any]:
        if node.logical == "decimal":
            most = 10**node.precision - 1
            unscaled = chance.choice([0, 1, -1, most, -most, chance.randint(-most, most)])
            size = node.size if node.kind == "fixed" else (unscaled + (unscaled < 0)).bit_length() // 8 + 1
            raw = unscaled.to_bytes(size, "big", signed=True)
            value = Decimal(unscaled).scaleb(-node.scale, _EXACT)
            return raw if node.kind == "fixed" else number(size) + raw, value
        if node.logical == "date":
            days = chance.choice([0, -1, 20_000, -719_162, 2_932_896])
            return number(days), dt.date(1970, 1, 1) + dt.timedelta(days)
        family, _, unit = node.logical.rpartition("-")
        per = 1000 if unit == "millis" else 1
        if family == "time":
            micros = chance.choice([0, 1000, 86_399_999_000])
            return number(micros // per), (_EPOCH + dt.timedelta(microseconds=micros)).time()
        micros = chance.choice(MICROS) // per * per
        moment = _EPOCH + dt.timedelta(microseconds=micros)
        return number(micros // per), moment.replace(tzinfo=dt.UTC) if family == "timestamp" else moment

    def _null(self, *_: Any) -> tuple[bytes, Any]:
        return b"", None

    def _boolean(self, _: Node, chance: random.Random, __: int) -> tuple[bytes, Any]:
        value = chance.random() < 0.5
        return bytes([value]), value

    def _int(self, _: Node, chance: random.Random, __: int) -> tuple[bytes, Any]:
        value = chance.choice(INTS)
        return number(value), value

    def _long(self, _: Node, chance: random.Random, __: int) -> tuple[bytes, Any]:
        value = chance.choice(LONGS)
        return number(value), value

    def _float(self, _: Node, chance: random.Random, __: int) -> tuple[bytes, Any]:
        value = chance.choice(FLOATS)
        return struct.pack("<f", value), value

    def _double(self, _: Node, chance: random.Random, __: int) -> tuple[bytes, Any]:
        value = chance.choice(DOUBLES)
        return struct.pack("<d", value), value

    def _string(self, _: Node, chance: random.Random, __: int) -> tuple[bytes, Any]:
        value = chance.choice(TEXTS)
        return number(len(value.encode())) + value.encode(), value

    def _bytes(self, _: Node, chance: random.Random, __: int) -> tuple[bytes, Any]:
        value = chance.choice([b"", b"\0", b"\xff\xfe\\x41", bytes(range(256))])
        return number(len(value)) + value, value

    def _fixed(self, node: Node, chance: random.Random, _: int) -> tuple[bytes, Any]:
        value = chance.choice([bytes(node.size), b"\xff" * node.size, chance.randbytes(node.size)])
        return value, value

    def _enum(self, node: Node, chance: random.Random, _: int) -> tuple[bytes, Any]:
        place = chance.choice([0, len(node.symbols) - 1, chance.randrange(len(node.symbols))])
        return number(place), node.symbols[place]

    def _record(self, node: Node, chance: random.Random, depth: int) -> tuple[bytes, Any]:
        if not node.fields:
            return b"", True
        raw, found = b"", {}
        for name, child in zip(member_names(node), node.below(), strict=True):
            part, found[name] = self._drawn(child, chance, depth + 1)
            raw += part
        return raw, found

    def _array(self, node: Node, chance: random.Random, depth: int) -> tuple[bytes, Any]:
        count = 0 if depth > 6 else chance.choice([0, 1, 1, 2, 5 if depth < 2 else 1])
        items = [self._drawn(node.element(), chance, depth + 1) for _ in range(count)]
        if not items:
            return b"\0", []
        return number(count) + b"".join(raw for raw, _ in items) + b"\0", [value for _, value in items]

    def _map(self, node: Node, chance: random.Random, depth: int) -> tuple[bytes, Any]:
        keys = [] if depth > 6 else chance.sample(TEXTS, chance.choice([0, 1, 2]))
        items = [(key, *self._drawn(node.element(), chance, depth + 1)) for key in keys]
        if not items:
            return b"\0", []
        raw = b"".join(number(len(key.encode())) + key.encode() + part for key, part, _ in items)
        return number(len(items)) + raw + b"\0", [(key, value) for key, _, value in items]

    def _union(self, node: Node, chance: random.Random, depth: int) -> tuple[bytes, Any]:
        place = chance.randrange(len(node.branches))
        if depth > 8:
            place = next((at for at, branch in enumerate(node.branches) if not _goes_on(branch)), place)
        raw, value = self._drawn(node.branches[place], chance, depth + 1)
        return number(place) + raw, value

    def _recursion(self, node: Node, chance: random.Random, depth: int) -> tuple[bytes, Any]:
        raw, _ = self._record(node.definition, chance, depth + 3)
        return raw, ANY


def _goes_on(node: Node) -> bool:
    return any(below.kind == RECURSION for below in node.walk())


assert RECURSION == "recursion", "the name of a function above"


def same(found: Any, right: Any) -> bool:
    """Tell whether two values are the same down to their leaves; a NaN is one, and -0.0 is not 0.0."""
    if right is ANY:
        return isinstance(found, str)
    if isinstance(right, dict):
        return isinstance(found, dict) and list(found) == list(right) and all(same(found[k], right[k]) for k in right)
    if isinstance(right, list | tuple):
        return isinstance(found, list | tuple) and len(found) == len(right) and all(map(same, found, right))
    if isinstance(right, float):
        return isinstance(found, float) and repr(found) == repr(right)
    return type(found) is type(right) and bool(found == right)
