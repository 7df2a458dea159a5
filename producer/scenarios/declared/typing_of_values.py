"""From values to the types of a schema: which kinds a type takes, and how they are laid out in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.errors import Misconfigured
from producer.scenarios.declared.rules import Written
from producer.scenarios.declared.values import Kind, Values
from schemas.types.arrow import typed_type
from schemas.types.node import RECURSION, Node

_DAY_US = 86_400_000_000
_SURE_DIGITS = 12
_UNITS_US = {"seconds": 1_000_000, "milliseconds": 1000, "microseconds": 1, "days": _DAY_US}
# The day on which the epoch begins, of those that astronomers count.
_DAYS_OF_EPOCH = {"julian": 2_440_587.5, "modified_julian": 40_587.0}
_TAKES: dict[str, frozenset[Kind]] = {
    "string": frozenset({"text", "number", "time", "truth"}),
    "enum": frozenset({"text"}),
    "int": frozenset({"number", "time"}),
    "long": frozenset({"number", "time"}),
    "float": frozenset({"number", "time"}),
    "double": frozenset({"number", "time"}),
    "boolean": frozenset({"truth"}),
    "bytes": frozenset({"bytes", "text"}),
    "fixed": frozenset({"bytes", "text"}),
    RECURSION: frozenset({"text"}),
}


def takes(node: Node) -> frozenset[Kind]:
    """Return the kinds of values that a type takes; none for what is made of other fields."""
    return frozenset({"number"}) if node.logical == "decimal" else _TAKES.get(node.kind, frozenset())


def laid_out(values: Values, node: Node, path: str, *, written: Written | None = None) -> Any:
    """Return values as an Arrow array of the type that the schema asks for.

    :param written: how a time is written where the type does not say it.
    :raises Misconfigured: a value does not fit; the field is named.
    """
    try:
        return _laid_out(values, node, written)
    except (pa.ArrowException, ValueError, OverflowError) as error:
        label = node.logical or node.kind
        exact = node.kind == "fixed" and not node.logical
        raise Misconfigured(
            f"field {path}: a value does not fit the type {label}: {str(error).splitlines()[0]}",
            hint=f"Give values of exactly {node.size} bytes"
            if exact
            else "Give the rule a min, a max or a round that fits",
        ) from None


def _laid_out(values: Values, node: Node, written: Written | None) -> Any:
    data: Any = values.data
    target = typed_type(node)
    if values.kind == "time":
        return _time(data, node, target, written)
    if node.kind == "fixed" and node.logical != "decimal":
        return data.cast(pa.binary()).cast(target)
    if values.kind != "number" or node.kind == "string":
        return data.cast(target)
    if node.logical == "decimal":
        digits = min(node.scale, _SURE_DIGITS)  # a float has no more that mean anything
        return pc.round(data.cast(pa.float64()), digits).cast(pa.decimal128(38, digits)).cast(target)
    if node.kind in ("int", "long"):
        numbers = pc.round(data) if pa.types.is_floating(data.type) else data
        return numbers.cast(pa.int32() if node.kind == "int" else pa.int64()).view(target)
    return data.cast(target)


def seen(values: Values, node: Node, written: Written | None) -> Any:
    """Return numbers, or microseconds of times, as who reads the field reads them: what it cuts off is gone."""
    data: Any = values.data
    if values.kind == "time":
        if node.kind == "float":
            return np.asarray(data, dtype=np.float64).astype(np.float32).astype(np.float64)
        return np.asarray(_floored(data, _unit_us(node, written)), dtype=np.int64) * _unit_us(node, written)
    numbers = np.asarray(data, dtype=np.float64)
    if node.logical == "decimal":
        return np.round(numbers, min(node.scale, _SURE_DIGITS))
    if node.kind in ("int", "long"):
        return np.rint(numbers)
    return numbers.astype(np.float32).astype(np.float64) if node.kind == "float" else numbers


def most_of(node: Node) -> float:
    """Return the largest number that a type holds, of those that are said exactly."""
    if node.logical == "decimal":
        return float(10 ** (node.precision - node.scale)) - 10.0 ** -min(node.scale, 6)
    return {"int": 2.0**31 - 1, "long": 2.0**53, "float": 3e38}.get(node.kind, 1e308)


def _unit_us(node: Node, written: Written | None) -> int:
    """Return how many microseconds a written time is exact to."""
    if written in ("date", "yyyymmdd") or node.logical == "date":
        return _DAY_US
    if node.logical:
        return 1 if node.logical.endswith("micros") else 1000
    if node.kind == "string":
        return 1000
    if node.kind in ("float", "double"):
        return 1
    return _UNITS_US.get(written or ("milliseconds" if node.kind == "long" else "seconds"), 1)


def _time(microseconds: Any, node: Node, target: pa.DataType, written: Written | None) -> Any:
    """Lay out times.

    Without a word about it a number is milliseconds in a long, seconds in any other; text is ISO 8601.
    """
    if not node.logical and (written is not None or node.kind in ("float", "double")):
        return _as_written(microseconds, written or "seconds", node, target)
    if node.kind == "string":
        moments = pc.divide(microseconds, 1000).cast(pa.timestamp("ms"))
        return pc.strftime(moments, "%Y-%m-%dT%H:%M:%SZ")
    whole = {"timestamp-micros": 1, "local-timestamp-micros": 1, "time-micros": 1, "date": _DAY_US}
    unit = whole.get(node.logical, 1000 if node.kind == "long" or node.logical else 1_000_000)
    if node.logical.startswith("time-"):
        microseconds = pc.subtract(microseconds, pc.multiply(_floored(microseconds, _DAY_US), _DAY_US))
    numbers = _floored(microseconds, unit)
    return numbers.cast(pa.int32() if node.kind == "int" else pa.int64()).view(target)


def _as_written(microseconds: Any, written: Written, node: Node, target: pa.DataType) -> Any:
    if written in ("date", "yyyymmdd"):
        days = pc.divide(microseconds, 1000).cast(pa.timestamp("ms"))
        text = pc.strftime(days, "%Y-%m-%d" if written == "date" else "%Y%m%d")
        return text if node.kind == "string" else text.cast(pa.int64()).cast(target)
    fine = microseconds.cast(pa.float64())
    if written in _DAYS_OF_EPOCH:
        numbers = pc.add(pc.divide(fine, _DAY_US), _DAYS_OF_EPOCH[written])
    elif written == "nanoseconds":
        numbers = pc.multiply(microseconds, 1000)
    elif node.kind in ("float", "double"):
        numbers = pc.divide(fine, _UNITS_US[written])
    else:
        numbers = _floored(microseconds, _UNITS_US[written])
    if node.kind not in ("int", "long"):
        return numbers.cast(target, safe=False)
    return (pc.floor(numbers).cast(pa.int64()) if pa.types.is_floating(numbers.type) else numbers).cast(target)


def _floored(microseconds: Any, unit: int) -> Any:
    if unit == 1:
        return microseconds
    return pc.floor(pc.divide(microseconds.cast(pa.float64()), unit)).cast(pa.int64())
