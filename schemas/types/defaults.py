"""Whether the default of a field is a value of its type, as Avro writes defaults in JSON."""

from __future__ import annotations

from typing import Any

from schemas.types.node import RECURSION, Node


def fits(node: Node, said: Any) -> bool:
    """Tell whether ``said`` is a value of a type; of a union, a value of any of its branches."""
    if said is None and node.nullable:
        return True
    if node.kind in ("record", RECURSION):
        return isinstance(said, dict) and _fits_record(node, said)
    if node.kind == "array":
        return isinstance(said, list) and all(fits(node.element(), one) for one in said)
    if node.kind == "map":
        return isinstance(said, dict) and all(fits(node.element(), one) for one in said.values())
    if node.kind == "union":
        return any(fits(branch, said) for branch in node.branches)
    return _fits_leaf(node, said)


def _fits_record(node: Node, said: dict[str, Any]) -> bool:
    if node.kind == RECURSION:
        if node.recursive is None or node.recursive.record is None:
            return True  # of a type that is still being read
        node = node.definition
    return all(
        fits(child, said[name]) if name in said else name in node.defaults or child.kind == "null"
        for name, child in node.fields
    )


def _fits_leaf(node: Node, said: Any) -> bool:
    """Tell it of a type that is neither null nor made of others."""
    if isinstance(said, bool) or node.kind == "boolean":
        return isinstance(said, bool) and node.kind == "boolean"
    if node.kind in ("int", "long"):
        most = 1 << (31 if node.kind == "int" else 63)
        return isinstance(said, int) and -most <= said < most
    if node.kind in ("float", "double"):
        return isinstance(said, int | float)
    if not isinstance(said, str):
        return False
    if node.kind in ("bytes", "fixed"):
        return all(ord(one) <= 0xFF for one in said) and (node.kind == "bytes" or len(said) == node.size)
    return node.kind == "string" or said in node.symbols
