"""Schemas of any kind that somebody may bring, for hypothesis: legal, odd, and sometimes more than a table holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "string", "bytes"]
# Words of SQL, of Avro and of our own tables; names of one letter that differ in case; names with a meaning.
FIELD_NAMES = [
    *("a", "A", "b", "B", "value", "key", "type", "null", "select", "group", "order", "order_id", "event_id"),
    *("_offset", "_timestamp", "_headers", "_2", "a_2", "A_2", "tag", "k", "createdAt", "price", "country", "count"),
    *("x" * 130, "x" * 130 + "y", "email", "status", "lat", "duration_ms", "Map", "map", "string", "long"),
]
TYPE_NAMES = ["Item", "item", "ITEM", "Order", "string_", "Kind", "Map", "Event"]
SPACES = ["com.a", "com.b", "com.A"]
LOGICAL = [
    *(("int", name) for name in ("date", "time-millis")),
    *(("long", name) for name in ("time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos")),
    *(("long", name) for name in ("local-timestamp-millis", "local-timestamp-micros")),
    *(("string", name) for name in ("uuid", "date", "no-such-type")),
    ("bytes", "uuid"),
]


@dataclass
class _Names:
    """Types that were named, and the records that are being written."""

    known: list[str] = field(default_factory=list)
    around: list[str] = field(default_factory=list)


@st.composite
def any_schema(draw: st.DrawFn) -> dict[str, Any]:
    """Return the schema of a record."""
    return _record(draw, _Names(), 3)


def _kind(draw: st.DrawFn, names: _Names, depth: int, *, in_union: bool = False) -> Any:
    ways = [_primitive, _primitive, _logical, _decimal, _named, _again]
    if depth:
        ways += [_array, _map, _inner] + ([] if in_union else [_nullable, _nullable, _union])
    return draw(st.sampled_from(ways))(draw, names, depth - 1)


def _primitive(draw: st.DrawFn, _: _Names, __: int) -> Any:
    return draw(st.sampled_from(PRIMITIVES))


def _logical(draw: st.DrawFn, _: _Names, __: int) -> Any:
    kind, logical = draw(st.sampled_from(LOGICAL))
    return {"type": kind, "logicalType": logical}


def _decimal(draw: st.DrawFn, names: _Names, _: int) -> Any:
    size = draw(st.sampled_from([0, 1, 9, 16, 17]))
    base = {"type": "fixed", "size": size, **_name(draw, names)} if size else {"type": "bytes"}
    decimal = {"logicalType": "decimal", "precision": draw(st.sampled_from([1, 9, 18, 19, 38, 39, 77]))}
    if draw(st.booleans()):
        decimal["scale"] = draw(st.integers(0, decimal["precision"] + 1))
    return base | decimal


def _named(draw: st.DrawFn, names: _Names, _: int) -> Any:
    if draw(st.booleans()):
        symbols = ["RED", "red", "B", "_c"][: draw(st.integers(1, 4))]
        return {"type": "enum", **_name(draw, names), "symbols": symbols}
    return {"type": "fixed", **_name(draw, names), "size": draw(st.sampled_from([0, 1, 2, 300]))}


def _again(draw: st.DrawFn, names: _Names, _: int) -> Any:
    return draw(st.sampled_from([*names.known, *names.around, "string"]))


def _inner(draw: st.DrawFn, names: _Names, depth: int) -> Any:
    return _record(draw, names, depth)


def _array(draw: st.DrawFn, names: _Names, depth: int) -> Any:
    return {"type": "array", "items": _kind(draw, names, depth)}


def _map(draw: st.DrawFn, names: _Names, depth: int) -> Any:
    return {"type": "map", "values": _kind(draw, names, depth)}


def _nullable(draw: st.DrawFn, names: _Names, depth: int) -> Any:
    other = _kind(draw, names, depth, in_union=True)
    return other if other == "null" else draw(st.permutations(["null", other]))


def _union(draw: st.DrawFn, names: _Names, depth: int) -> Any:
    branches = [_kind(draw, names, depth, in_union=True) for _ in range(draw(st.integers(1, 4)))]
    return list({_called(branch): branch for branch in branches}.values())


def _called(branch: Any) -> str:
    """Return what a union has once."""
    if isinstance(branch, str):
        return branch
    return branch["name"] if "name" in branch else branch["type"]


def _record(draw: st.DrawFn, names: _Names, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "record", **_name(draw, names, around=True), "fields": []}
    for name in draw(st.lists(st.sampled_from(FIELD_NAMES), max_size=4, unique=True)):
        found["fields"].append({"name": name, "type": _kind(draw, names, depth)})
    names.around.remove(found["name"])
    names.known.append(found["name"])
    return found


def _name(draw: st.DrawFn, names: _Names, *, around: bool = False) -> dict[str, str]:
    taken = {*names.known, *names.around}
    name = f"{draw(st.sampled_from(SPACES))}.{draw(st.sampled_from(TYPE_NAMES))}"
    while name in taken:
        name += "x"
    (names.around if around else names.known).append(name)
    return {"name": name}
