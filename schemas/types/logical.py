"""Which logical types mean something, and on which types. The specification says to ignore all others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeGuard

from schemas.types.node import Node

MAX_DECIMAL_PRECISION = 38
_MOST_SAID = 1_000_000  # digits: a number beyond is not repeated
# Nanoseconds are not among them: DuckDB keeps no zone with them.
LOGICAL: dict[str, tuple[str, ...]] = {
    "date": ("int",),
    "time-millis": ("int",),
    "time-micros": ("long",),
    "timestamp-millis": ("long",),
    "timestamp-micros": ("long",),
    "local-timestamp-millis": ("long",),
    "local-timestamp-micros": ("long",),
    "decimal": ("bytes", "fixed"),
    "uuid": ("string",),
}
# Known, and kept as the type beneath.
_PLAIN: dict[str, tuple[str, ...]] = {
    "timestamp-nanos": ("long",),
    "local-timestamp-nanos": ("long",),
    "duration": ("fixed",),
    "uuid": ("fixed",),
}


def labelled(node: Node, schema: Mapping[str, Any]) -> tuple[Node, str]:
    """Return a type with its logical type where that is valid, and otherwise why it is left out; empty for no reason.

    :param schema: the attributes of the type.
    """
    logical = schema.get("logicalType")
    if logical is None:
        return node, ""
    if not isinstance(logical, str) or logical not in {**LOGICAL, **_PLAIN}:
        return node, f"logicalType {str(logical)[:60]} is unknown: kept as {node.kind}"
    if node.kind in _PLAIN.get(logical, ()):
        return node, ""
    if node.kind not in LOGICAL.get(logical, ()):
        return node, f"logicalType {logical} does not belong on {node.kind}: ignored"
    if logical == "uuid":
        return replace(node, uuid=True), ""
    return _decimal(node, schema) if logical == "decimal" else (replace(node, logical=logical), "")


def _decimal(node: Node, schema: Mapping[str, Any]) -> tuple[Node, str]:
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    if isinstance(precision, int) and precision > _MOST_SAID:
        return node, f"a decimal of more than {_MOST_SAID:,} digits: kept as {node.kind}"
    if not _is_whole(precision) or not _is_whole(scale) or precision < 1 or scale < 0:
        return node, f"a decimal of precision {precision} and scale {scale}: ignored, kept as {node.kind}"
    if scale > precision:
        return node, f"a decimal of scale {scale}, above its precision {precision}: ignored, kept as {node.kind}"
    if node.kind == "fixed" and precision > (most := digits_in(node.size)):
        return node, f"a decimal of {precision} digits in a fixed that holds {most}: ignored, kept as fixed"
    if precision > MAX_DECIMAL_PRECISION:  # valid, but beyond what stores hold
        return node, f"a decimal of {precision} digits: tables hold {MAX_DECIMAL_PRECISION}, so it is kept as bytes"
    return replace(node, logical="decimal", precision=precision, scale=scale), ""


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def digits_in(size: int) -> int:
    """Return how many decimal digits any number of ``size`` bytes in two's complement has."""
    return math.floor(math.log10(2) * (8 * size - 1)) if size else 0
