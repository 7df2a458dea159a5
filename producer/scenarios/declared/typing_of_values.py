"""From values to the types of a schema: which kinds a type takes, and how they are laid out in it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cluster.errors import Misconfigured
from producer.scenarios.declared.values import Kind, Values
from schemas.types.arrow import typed_type
from schemas.types.tree import Node

_DAY_US = 86_400_000_000
_TAKES: dict[str, frozenset[Kind]] = {
    "string": frozenset({"text", "number", "time", "truth"}),
    "enum": frozenset({"text"}),
    "int": frozenset({"number", "time"}),
    "long": frozenset({"number", "time"}),
    "float": frozenset({"number"}),
    "double": frozenset({"number"}),
    "boolean": frozenset({"truth"}),
    "bytes": frozenset({"bytes", "text"}),
    "fixed": frozenset({"bytes", "text"}),
}


def takes(node: Node) -> frozenset[Kind]:
    """Return the kinds of values that a type takes; none for what is made of other fields."""
    return frozenset({"number"}) if node.logical == "decimal" else _TAKES.get(node.kind, frozenset())


def laid_out(values: Values, node: Node, path: str) -> Any:
    """Return values as an Arrow array of the type that the schema asks for.

    :raises Misconfigured: a value does not fit; the field is named.
    """
    try:
        return _laid_out(values, node)
    except (pa.ArrowException, ValueError, OverflowError) as error:
        label = node.logical or node.kind
        exact = node.kind == "fixed" and not node.logical
        raise Misconfigured(
            f"field {path}: a value does not fit the type {label}: {str(error).splitlines()[0]}",
            hint=f"Give values of exactly {node.size} bytes"
            if exact
            else "Give the rule a min, a max or a round that fits",
        ) from None


def _laid_out(values: Values, node: Node) -> Any:
    data: Any = values.data
    target = typed_type(node)
    if values.kind == "time":
        return _time(data, node, target)
    if node.kind == "fixed" and node.logical != "decimal":
        return data.cast(pa.binary()).cast(target)
    if values.kind != "number" or node.kind == "string":
        return data.cast(target)
    if node.logical == "decimal":
        return pc.round(data.cast(pa.float64()), node.scale).cast(target)
    if node.kind in ("int", "long"):
        numbers = pc.round(data) if pa.types.is_floating(data.type) else data
        return numbers.cast(pa.int32() if node.kind == "int" else pa.int64()).view(target)
    return data.cast(target)


def _time(microseconds: Any, node: Node, target: pa.DataType) -> Any:
    """Lay out times. A number without a label is milliseconds in a long, seconds in an int; text is ISO 8601."""
    if node.kind == "string":
        moments = pc.divide(microseconds, 1000).cast(pa.timestamp("ms"))
        return pc.strftime(moments, "%Y-%m-%dT%H:%M:%SZ")
    whole = {"timestamp-micros": 1, "local-timestamp-micros": 1, "time-micros": 1, "date": _DAY_US}
    unit = whole.get(node.logical, 1000 if node.kind == "long" or node.logical else 1_000_000)
    if node.logical.startswith("time-"):
        days = pc.floor(pc.divide(microseconds.cast(pa.float64()), _DAY_US)).cast(pa.int64())
        microseconds = pc.subtract(microseconds, pc.multiply(days, _DAY_US))
    numbers = microseconds if unit == 1 else pc.floor(pc.divide(microseconds.cast(pa.float64()), unit)).cast(pa.int64())
    return numbers.cast(pa.int32() if node.kind == "int" else pa.int64()).view(target)
