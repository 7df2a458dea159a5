"""What fastavro makes of rows: a second opinion on the bytes of an encoder, by a library that is not ours.

It is given a schema without logical types, so that it rounds nothing, and values that say which branch of a union they
are of, so that it guesses nothing.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import fastavro

from schemas.types.node import RECURSION, Node

# A value as the strict reader gives it, as fastavro takes it.
Told = Callable[[Any], Any]


def compile_witness(root: Node) -> Callable[[Mapping[str, Any]], bytes] | None:
    """Return a function that writes a row of the strict reader's as fastavro does.

    ``None`` for a schema with a type inside itself: its values are JSON text to us, and records to fastavro.
    """
    if any(node.kind == RECURSION for node in root.walk()):
        return None
    written, told = _plain(root, count(1))
    schema = fastavro.parse_schema(written)

    def write(row: Mapping[str, Any]) -> bytes:
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, schema, told(row))
        return buffer.getvalue()

    return write


def _plain(node: Node, numbers: count[int]) -> tuple[Any, Told]:
    """Return a type without labels, each named type under a name of its own, and what makes its values."""
    written, told = _itself(node, numbers)
    if node.null_branch is None:
        return written, told
    tag = _tag(written)
    branches = ["null", written] if node.null_branch == 0 else [written, "null"]
    return branches, lambda value: ("null", None) if value is None else (tag, told(value))


def _itself(node: Node, numbers: count[int]) -> tuple[Any, Told]:  # noqa: PLR0911 - one return for each kind of type
    match node.kind:
        case "record":
            return _record(node, numbers)
        case "array":
            items, told = _plain(node.element(), numbers)
            return {"type": "array", "items": items}, lambda value: [told(item) for item in value]
        case "map":
            values, told = _plain(node.element(), numbers)
            return {"type": "map", "values": values}, lambda value: {key: told(item) for key, item in value}
        case "union":
            return _union(node, numbers)
        case "enum":
            return {"type": "enum", "name": f"t{next(numbers)}", "symbols": list(node.symbols)}, _same
        case "fixed":
            return {"type": "fixed", "name": f"t{next(numbers)}", "size": node.size}, _same
    return node.kind, _same


def _record(node: Node, numbers: count[int]) -> tuple[Any, Told]:
    name = f"t{next(numbers)}"
    parts = [(f"f{place}", field, *_plain(child, numbers)) for place, (field, child) in enumerate(node.fields)]
    fields = [{"name": plain, "type": written} for plain, _, written, _ in parts]

    def told(row: Mapping[str, Any]) -> dict[str, Any]:
        return {plain: tell(row[field]) for plain, field, _, tell in parts}

    return {"type": "record", "name": name, "fields": fields}, told


def _union(node: Node, numbers: count[int]) -> tuple[Any, Told]:
    parts = [_plain(branch, numbers) for branch in node.branches]

    def told(value: tuple[int, Any]) -> tuple[str, Any]:
        branch, inner = value
        written, tell = parts[branch]
        return _tag(written), tell(inner)

    return [written for written, _ in parts], told


def _tag(written: Any) -> str:
    """Return what fastavro calls a branch."""
    if isinstance(written, str):
        return written
    return str(written.get("name", written["type"]))


def _same(value: Any) -> Any:
    return value
