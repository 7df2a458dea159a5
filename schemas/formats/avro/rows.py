"""Typed Arrow columns as the rows that fastavro writes: the way out for types that the fast encoder lacks.

Logical types become the number or the bytes beneath, so that fastavro is given a schema without them and rounds
nothing; a value of a union says which branch it is of, so that nothing is guessed.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import fastavro
import pyarrow as pa

from schemas.types.arrow import Column
from schemas.types.tree import Node


def fastavro_writer(root: Node) -> Callable[[pa.RecordBatch], list[bytes]]:
    """Return a function that writes a batch in ``arrow_schema``'s layout: one payload for each row."""
    names: dict[int, str] = {}
    schema = fastavro.parse_schema(_plain(root, names))

    def write(batch: pa.RecordBatch) -> list[bytes]:
        columns = [_values(batch.column(place), node, names) for place, (_, node) in enumerate(root.fields)]
        payloads = []
        for row in zip(*columns, strict=True):
            buffer = io.BytesIO()
            fastavro.schemaless_writer(buffer, schema, dict(zip((name for name, _ in root.fields), row, strict=True)))
            payloads.append(buffer.getvalue())
        return payloads

    return write


def _plain(node: Node, names: dict[int, str]) -> Any:
    """Return the schema without logical types, named types renamed so that no name is there twice."""
    written: Any = node.kind
    if node.kind in ("record", "enum", "fixed"):
        name = names.setdefault(id(node), f"t{len(names) + 1}")
        written = {"type": node.kind, "name": name}
        if node.kind == "record":
            written["fields"] = [{"name": field, "type": _plain(child, names)} for field, child in node.fields]
        elif node.kind == "enum":
            written["symbols"] = list(node.symbols)
        else:
            written["size"] = node.size
    elif node.kind == "array":
        written = {"type": "array", "items": _plain(node.element(), names)}
    elif node.kind == "map":
        written = {"type": "map", "values": _plain(node.element(), names)}
    elif node.kind == "union":
        return [_plain(branch, names) for branch in node.branches]
    if node.null_branch is None:
        return written
    return ["null", written] if node.null_branch == 0 else [written, "null"]


def _values(array: Column, node: Node, names: dict[int, str]) -> list[Any]:
    """Return a column as the values that fastavro takes."""
    if node.kind == "union":
        return _union(array, node, names)
    if node.kind == "record":
        children = [_values(array.field(place), child, names) for place, (_, child) in enumerate(node.fields)]
        fields = [name for name, _ in node.fields]
        found: list[Any] = [dict(zip(fields, row, strict=True)) for row in zip(*children, strict=True)]
    elif node.kind in ("array", "map"):
        ends = array.offsets.to_pylist()
        first, last = ends[0], ends[-1]
        if node.kind == "array":
            items = _values(array.values.slice(first, last - first), node.element(), names)
            found = [items[a - first : b - first] for a, b in pairwise(ends)]
        else:
            keys = array.keys.slice(first, last - first).to_pylist()
            items = _values(array.items.slice(first, last - first), node.element(), names)
            pairs = list(zip(keys, items, strict=True))
            found = [dict(pairs[a - first : b - first]) for a, b in pairwise(ends)]
    elif node.logical == "decimal":
        return [_unscaled(value, node) for value in array.to_pylist()]
    elif node.logical:
        return _list(array.view(pa.int32() if node.kind == "int" else pa.int64()))
    else:
        return _list(array)
    if not array.null_count:
        return found
    return [value if there else None for value, there in zip(found, _list(array.is_valid()), strict=True)]


def _list(array: Column) -> list[Any]:
    values: list[Any] = array.to_pylist()
    return values


def _union(array: Column, node: Node, names: dict[int, str]) -> list[Any]:
    tags = [names.get(id(branch), branch.kind) for branch in node.branches]
    branches = [_values(array.field(place), branch, names) for place, branch in enumerate(node.branches)]
    codes = array.type_codes.to_pylist()
    return [(tags[code], branches[code][row]) for row, code in enumerate(codes)]


def _unscaled(value: Any, node: Node) -> bytes | None:
    """Return a decimal as big-endian two's complement: as short as it goes, or as long as the fixed."""
    if value is None:
        return None
    number = int(value.scaleb(node.scale).to_integral_exact())
    size = node.size if node.kind == "fixed" else (number + (number < 0)).bit_length() // 8 + 1
    return number.to_bytes(size, "big", signed=True)
