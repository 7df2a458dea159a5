"""Any two versions of a record schema, and values of each: drawn by hypothesis.

Fields grow, shrink, get another name, another type, or one that has nothing to do with the one before, at any depth.
Values are what fastavro takes: branches of unions by their names, numbers of times as they are in the bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

_MOST_DAYS, _LEAST_DAYS = 2_932_896, -719_162  # the years 1 to 9999
_DAY_MS = 86_400_000
# Pairs that have a rule, and some that have none.
_PROMOTED: list[tuple[Any, Any]] = [
    ("int", "long"),
    ("int", "float"),
    ("int", "double"),
    ("long", "double"),
    ("float", "double"),
    ("string", "bytes"),
    ("bytes", "string"),
    ("long", {"type": "long", "logicalType": "timestamp-millis"}),
    ({"type": "long", "logicalType": "timestamp-millis"}, {"type": "long", "logicalType": "timestamp-micros"}),
    (
        {"type": "long", "logicalType": "local-timestamp-millis"},
        {"type": "long", "logicalType": "local-timestamp-micros"},
    ),
    ("int", {"type": "int", "logicalType": "date"}),
    ({"type": "int", "logicalType": "time-millis"}, {"type": "long", "logicalType": "time-micros"}),
    ("string", {"type": "string", "logicalType": "uuid"}),
    ("null", "string"),
]
_LEAVES: list[Any] = ["boolean", *(kind for pair in _PROMOTED for kind in pair)]


class Pairs:
    """Draws pairs of types; names of types are used once."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._numbers = itertools.count()

    def record(self, name: str, depth: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Draw a record and its next version: kept, changed, renamed, removed and added fields."""
        old, new = [], []
        for number in range(self._draw(st.integers(1, 3))):
            was, now = self.pair(depth - 1)
            fate = self._draw(st.sampled_from(["kept", "kept", "kept", "renamed", "removed", "added", "moved"]))
            field = f"{self._draw(st.sampled_from(['f', 'F', 'value']))}{number}"
            if fate != "added":
                old.append({"name": field, "type": was})
            if fate == "renamed":
                new.append({"name": f"new_{field}", "type": now, "aliases": [field]})
            elif fate == "moved":
                new.insert(0, {"name": field, "type": now})
            elif fate != "removed":
                new.append({"name": field, "type": now})
        kept = {"name": "kept", "type": "int"}
        return (
            {"type": "record", "name": name, "fields": [*old, kept]},
            {"type": "record", "name": name, "fields": [*new, kept]},
        )

    def pair(self, depth: int) -> tuple[Any, Any]:
        """Draw a type and what becomes of it."""
        flat = [self._same, self._promoted, self._decimals, self._enums, self._unions, self._others]
        around = [self._array, self._map, self._record, self._record, self._nullable] if depth > 0 else []
        choice = self._draw(st.integers(0, len(flat) + len(around) - 1))
        return flat[choice]() if choice < len(flat) else around[choice - len(flat)](depth)

    def _same(self) -> tuple[Any, Any]:
        kind = self._leaf()
        return kind, kind

    def _promoted(self) -> tuple[Any, Any]:
        was, now = self._draw(st.sampled_from(_PROMOTED))
        return (was, now) if self._draw(st.booleans()) else (now, was)

    def _decimals(self) -> tuple[Any, Any]:
        return self._decimal(), self._decimal()

    def _enums(self) -> tuple[Any, Any]:
        was = {"type": "enum", "name": self._name("E"), "symbols": ["A", "B"]}
        return was, self._draw(st.sampled_from(["string", was | {"symbols": ["B", "A", "C"]}]))

    def _unions(self) -> tuple[Any, Any]:
        branches = self._branches()
        return self._some(branches), self._some(branches)

    def _others(self) -> tuple[Any, Any]:
        return self._leaf(), self._leaf()

    def _array(self, depth: int) -> tuple[Any, Any]:
        was, now = self.pair(depth - 1)
        return {"type": "array", "items": was}, {"type": "array", "items": now}

    def _map(self, depth: int) -> tuple[Any, Any]:
        was, now = self.pair(depth - 1)
        return {"type": "map", "values": was}, {"type": "map", "values": now}

    def _nullable(self, depth: int) -> tuple[Any, Any]:
        was, now = self.pair(depth - 1)
        return was, self._with_null(now)

    def _record(self, depth: int) -> tuple[Any, Any]:
        return self.record(self._name("R"), depth)

    def _leaf(self) -> Any:
        return self._draw(st.sampled_from(_LEAVES))

    def _name(self, letter: str) -> str:
        return f"{letter}{next(self._numbers)}"

    def _decimal(self) -> dict[str, Any]:
        precision = self._draw(st.integers(1, 38))
        scale = self._draw(st.integers(0, precision))
        return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}

    def _branches(self) -> list[Any]:
        """Draw branches of different kinds, in the order of a union that may have any of them."""
        named = {"type": "record", "name": self._name("B"), "fields": [{"name": "x", "type": "int"}]}
        fixed = {"type": "fixed", "name": self._name("X"), "size": 3}
        listed: list[Any] = ["null", "boolean", "int", "long", "double", "string", "bytes", named, fixed]
        return self._draw(st.permutations(listed))

    def _some(self, branches: list[Any]) -> Any:
        kept = [one for one in branches if self._draw(st.booleans())]
        return kept if len(kept) > 1 else branches[:3]

    @staticmethod
    def _with_null(kind: Any) -> Any:
        if kind == "null" or (isinstance(kind, list) and "null" in kind):
            return kind
        return ["null", *(kind if isinstance(kind, list) else [kind])]


@st.composite
def pairs(draw: Draw, depth: int = 3) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw a record schema and its next version."""
    return Pairs(draw).record("Event", depth)


def value_of(draw: Draw, schema: Any) -> Any:
    """Draw a value of a type, as fastavro writes it."""
    if isinstance(schema, list):
        branch = draw(st.sampled_from(schema))
        return None if branch == "null" else (_branch(branch), value_of(draw, branch))
    kind = schema if isinstance(schema, str) else schema["type"]
    logical = schema.get("logicalType", "") if isinstance(schema, dict) else ""
    match kind, logical:
        case "record", _:
            return {field["name"]: value_of(draw, field["type"]) for field in schema["fields"]}
        case "array", _:
            return [value_of(draw, schema["items"]) for _ in range(draw(st.integers(0, 2)))]
        case "map", _:
            keys = draw(st.lists(st.sampled_from(["", "k", "é\0", "🎈"]), unique=True, max_size=2))
            return {key: value_of(draw, schema["values"]) for key in keys}
        case "enum", _:
            return draw(st.sampled_from(schema["symbols"]))
        case "fixed", _:
            return draw(st.binary(min_size=schema["size"], max_size=schema["size"]))
        case _, "decimal":
            most = 10 ** schema["precision"] - 1
            unscaled = draw(st.sampled_from([0, 1, -1, most, -most]) | st.integers(-most, most))
            return Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -schema["scale"]))
        case _, "uuid":
            return str(draw(st.uuids()))
    return draw(_plain(kind, logical))


def _plain(kind: str, logical: str) -> st.SearchStrategy[Any]:
    if logical:
        days = st.sampled_from([_LEAST_DAYS, _MOST_DAYS, -1, 0]) | st.integers(_LEAST_DAYS, _MOST_DAYS)
        per_day = {"date": 1, "time-millis": 0, "time-micros": 0}
        per = per_day.get(logical, _DAY_MS if logical.endswith("millis") else _DAY_MS * 1000)
        inside = 0 if logical == "date" else (_DAY_MS if logical.endswith("millis") else _DAY_MS * 1000) - 1
        return st.builds(lambda day, more: day * per + more, days, st.sampled_from([0, inside]))
    return {
        "null": st.none(),
        "boolean": st.booleans(),
        "int": st.sampled_from([-(2**31), 0, 2**31 - 1]),
        "long": st.sampled_from([-(2**63), -1, 2**53 + 1, 2**63 - 1]),
        "float": st.floats(width=32),
        "double": st.floats(),
        "string": st.sampled_from(["", "a\\x41\\", "é🎈\0", "long " * 20]) | st.text(max_size=5),
        "bytes": st.sampled_from([b"", b"\\x41", bytes(range(256))]) | st.binary(max_size=5),
    }[kind]


def _branch(schema: Any) -> str:
    if isinstance(schema, str):
        return schema
    return str(schema.get("name", schema["type"]))
