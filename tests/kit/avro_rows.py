"""Schemas of any shape for hypothesis, rows of them, and their Avro bytes as fastavro writes them."""

from __future__ import annotations

import datetime as dt
import decimal
import io
from operator import itemgetter
from typing import Any

import fastavro
from hypothesis import strategies as st

INT = st.integers(-(1 << 31), (1 << 31) - 1)
LONG = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(max_size=8)
MOMENT = st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": INT,
    "long": LONG,
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "string": TEXT,
    "bytes": st.binary(max_size=8),
}
LOGICAL: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("int", "date"): st.dates(),
    ("int", "time-millis"): st.times().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)),
    ("long", "time-micros"): st.times(),
    ("long", "timestamp-millis"): MOMENT.map(
        lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000, tzinfo=dt.UTC)
    ),
    ("long", "timestamp-micros"): MOMENT.map(lambda t: t.replace(tzinfo=dt.UTC)),
    ("long", "local-timestamp-micros"): MOMENT,
    ("string", "uuid"): st.uuids().map(str),
}
FAST_PRIMITIVES = [{"type": name} for name in VALUES if name != "bytes"]
FAST_LOGICAL = [{"type": kind, "logicalType": logical} for kind, logical in LOGICAL]
SLOW = [
    {"type": "bytes"},
    {"type": "fixed", "size": 5},
    {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3},
    {"type": "fixed", "size": 9, "logicalType": "decimal", "precision": 20, "scale": 0},
]


def weightless(schema: Any) -> bool:
    """True for an unnamed type (its fields are types) that takes no bytes: arrays of it are refused."""
    if isinstance(schema, list):
        return False
    return schema["type"] == "null" or (schema["type"] == "record" and all(map(weightless, schema["fields"])))


def _branch(schema: Any) -> str:
    """Return what a union has once, so that fastavro takes the branch that a value was drawn for."""
    kind: str = schema["type"]
    if kind in ("int", "long", "float", "double"):
        return "number"
    if kind in ("record", "map"):
        return "members"
    if kind in ("bytes", "fixed", "array"):
        return "items"
    return str(schema) if kind == "enum" else kind


def _is_plain(schema: Any) -> bool:
    """True for what a union may have: fastavro takes texts for dates."""
    return not isinstance(schema, list) and schema.get("logicalType") in (None, "decimal")


@st.composite
def types(draw: st.DrawFn, depth: int, leaves: list[Any], *, unions: bool) -> Any:
    kinds = ["leaf", "leaf", "leaf", "enum"]
    if depth:
        kinds += ["record", "array", "map", "optional"] + (["union"] if unions else [])
    kind = draw(st.sampled_from(kinds))
    below = types(depth - 1, leaves, unions=unions)
    if kind == "leaf":
        return dict(draw(st.sampled_from(leaves)))
    if kind == "enum":
        return {"type": "enum", "symbols": ["RED", "GREEN", "BLUE"][: draw(st.integers(1, 3))]}
    if kind == "record":
        return {"type": "record", "fields": draw(st.lists(below, min_size=1, max_size=3))}
    if kind == "array":
        return {
            "type": "array",
            "items": draw(below.filter(lambda item: not weightless(item) or isinstance(item, list))),
        }
    if kind == "map":
        return {"type": "map", "values": draw(below)}
    if kind == "union":
        plain = [{"type": kind} for kind in ("null", "long", "string", "boolean", "bytes")]
        branch = st.one_of(st.sampled_from(plain), below.filter(_is_plain))
        return draw(st.lists(branch, min_size=1, max_size=4, unique_by=_branch))
    other = draw(below.filter(lambda item: not isinstance(item, list) and item["type"] != "null"))
    return draw(st.permutations([{"type": "null"}, other]))


def named(schema: Any, counter: list[int]) -> Any:
    """Give every named type and field a name of its own."""
    if isinstance(schema, list):
        return [named(branch, counter) for branch in schema]
    schema = dict(schema)
    if schema["type"] in ("record", "enum", "fixed"):
        counter[0] += 1
        schema["name"] = f"T{counter[0]}"
    if schema["type"] == "record":
        schema["fields"] = [{"name": f"f{i}", "type": named(t, counter)} for i, t in enumerate(schema["fields"])]
    for key in ("items", "values"):
        if key in schema:
            schema[key] = named(schema[key], counter)
    return schema


def values_of(schema: Any) -> st.SearchStrategy[Any]:
    """Return a strategy of Python values, in the form that both fastavro writes and Arrow gives back."""
    if isinstance(schema, list):
        return st.one_of([values_of(branch) for branch in schema])
    kind = schema["type"]
    if isinstance(kind, dict | list):
        return values_of(kind)
    if (kind, schema.get("logicalType")) in LOGICAL:
        return LOGICAL[kind, schema["logicalType"]]
    if schema.get("logicalType") == "decimal":
        limit = 10 ** schema["precision"] - 1
        return st.integers(-limit, limit).map(lambda n: decimal.Decimal(n).scaleb(-schema["scale"]))
    if kind == "record":
        return st.fixed_dictionaries({f["name"]: values_of(as_dict(f["type"])) for f in schema["fields"]})
    if kind == "enum":
        return st.sampled_from(schema["symbols"])
    if kind == "fixed":
        return st.binary(min_size=schema["size"], max_size=schema["size"])
    if kind == "array":
        return st.lists(values_of(as_dict(schema["items"])), max_size=3)
    if kind == "map":
        return st.dictionaries(TEXT, values_of(as_dict(schema["values"])), max_size=3)
    return VALUES[kind]


def as_dict(schema: Any) -> Any:
    if isinstance(schema, str):
        return {"type": schema}
    return [as_dict(branch) for branch in schema] if isinstance(schema, list) else schema


def pairs(value: Any, schema: Any) -> Any:
    """Return a value as Arrow gives it back: maps as lists of pairs. Not for unions of more than one type."""
    if isinstance(schema, list):
        matching = [b for b in schema if b["type"] != "null"]
        return value if value is None else pairs(value, *matching)
    if schema["type"] == "record":
        return {f["name"]: pairs(value[f["name"]], f["type"]) for f in schema["fields"]}
    if schema["type"] == "array":
        return [pairs(item, schema["items"]) for item in value]
    if schema["type"] == "map":
        return [(key, pairs(item, schema["values"])) for key, item in value.items()]
    return value


def unlabelled(value: Any) -> Any:
    """Return a value with records and maps alike as lists of pairs, which is what can be said of any union's value."""
    if isinstance(value, dict):
        return sorted(((key, unlabelled(item)) for key, item in value.items()), key=itemgetter(0))
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        return sorted(map(unlabelled, value), key=itemgetter(0))
    if isinstance(value, list | tuple):
        return type(value)(map(unlabelled, value))
    return value


@st.composite
def records(draw: st.DrawFn, leaves: list[Any], *, unions: bool = False) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    fields = draw(st.lists(types(2, leaves, unions=unions), min_size=1, max_size=4))
    schema = named({"type": "record", "fields": fields}, [0])
    return schema, draw(st.lists(values_of(schema), min_size=2, max_size=5))


def write(schema: Any, row: Any) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), row)
    return buffer.getvalue()
