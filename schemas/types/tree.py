"""An Avro schema as a small resolved tree: named types in place, nullable unions folded, logical types checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType, expand_schema

from schemas.undecodable import UnsupportedSchema

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "string", "bytes"})
MAX_DECIMAL_PRECISION = 38
MAX_BRANCHES = 128  # Arrow numbers the types of a union in seven bits
# Which logical type belongs on which type; the specification says to ignore any other, nanoseconds included (DuckDB
# keeps no zone with them).
LOGICAL: dict[str, tuple[str, ...]] = {
    "date": ("int",),
    "time-millis": ("int",),
    "time-micros": ("long",),
    "timestamp-millis": ("long",),
    "timestamp-micros": ("long",),
    "local-timestamp-millis": ("long",),
    "local-timestamp-micros": ("long",),
    "decimal": ("bytes", "fixed"),
}


@dataclass(frozen=True, slots=True)
class Node:
    """One type of the schema.

    ``kind`` is an Avro type name. A union of null and one other type is that type with ``null_branch`` set to the
    index of null; every other union is ``union``.
    """

    kind: str
    name: str = ""
    logical: str = ""
    null_branch: int | None = None
    fields: tuple[tuple[str, Node], ...] = ()  # record
    items: Node | None = None  # array, map
    branches: tuple[Node, ...] = ()  # union
    symbols: tuple[str, ...] = ()  # enum
    size: int = 0  # fixed
    precision: int = 0  # decimal
    scale: int = 0  # decimal
    uuid: bool = False  # text that is labelled as a UUID
    # Of a record's fields, as the schema writes them. Two schemas that differ in them alone are the same types.
    defaults: Mapping[str, Any] = field(default_factory=dict, compare=False)
    # Other names: of a record's fields, by field; of the type itself. They change no value.
    field_aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    aliases: tuple[str, ...] = field(default=(), compare=False)

    @property
    def nullable(self) -> bool:
        """True if a null may stand here."""
        return self.null_branch is not None or self.kind == "null" or any(b.nullable for b in self.branches)

    def element(self) -> Node:
        """Return the item type of an array or the value type of a map."""
        if self.items is None:
            raise TypeError(f"{self.kind} has no items")
        return self.items

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it."""
        yield self
        for child in (*(node for _, node in self.fields), *self.branches, *((self.items,) if self.items else ())):
            yield from child.walk()


def parse(text: str) -> Node:
    """Return the tree of a record schema.

    :raises UnsupportedSchema: not JSON, not Avro, not a record, recursive, or open to endless values.
    """
    try:
        expanded = expand_schema(fastavro.parse_schema(json.loads(text)))
    except (SchemaParseException, UnknownType, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnsupportedSchema(f"not an Avro schema: {type(error).__name__}: {error}", kind="invalid_schema") from None
    except RecursionError:
        raise UnsupportedSchema("the schema is nested too deeply") from None
    root = _node(expanded)
    if root.kind != "record" or root.nullable:
        raise UnsupportedSchema(f"the value is of type {root.kind}; a table needs a record")
    for node in root.walk():
        if len(node.branches) > MAX_BRANCHES:
            raise UnsupportedSchema(
                f"a union of {len(node.branches)} types; a table holds unions of up to {MAX_BRANCHES}"
            )
        if node.kind == "array" and _is_weightless(node.element()):
            raise UnsupportedSchema("an array of items without bytes: five bytes could claim a billion items")
    return root


def _node(schema: Any) -> Node:  # noqa: PLR0911 - one return for each shape of a schema
    if isinstance(schema, list):
        return _union(schema)
    if isinstance(schema, str):
        if schema not in PRIMITIVES:
            raise UnsupportedSchema(f"type {schema} contains itself; a table cannot hold it")
        return Node(schema)
    kind = schema["type"]
    if isinstance(kind, dict | list):
        return _node(kind)
    if kind in ("record", "error"):
        fields = tuple((one["name"], _node(one["type"])) for one in schema["fields"])
        defaults = {one["name"]: one["default"] for one in schema["fields"] if "default" in one}
        others = {one["name"]: tuple(one["aliases"]) for one in schema["fields"] if one.get("aliases")}
        return Node("record", name=schema["name"], fields=fields, defaults=defaults, field_aliases=others)
    if kind == "array":
        return Node("array", items=_node(schema["items"]))
    if kind == "map":
        return Node("map", items=_node(schema["values"]))
    if kind == "enum":
        return Node("enum", name=schema["name"], symbols=tuple(schema["symbols"]))
    node = Node("fixed", name=schema["name"], size=schema["size"]) if kind == "fixed" else _node(kind)
    return _with_logical(node, schema)


def _union(branches: list[Any]) -> Node:
    nodes = tuple(_node(branch) for branch in branches)
    if len(nodes) == 2:
        for index, (null, other) in enumerate((nodes, nodes[::-1])):
            if null.kind == "null" and other.kind != "null":
                return replace(other, null_branch=index)
    if not nodes:
        raise UnsupportedSchema("a union without branches")
    return Node("union", branches=nodes)


def _with_logical(node: Node, schema: dict[str, Any]) -> Node:
    logical = schema.get("logicalType")
    if logical == "uuid" and node.kind == "string":
        return replace(node, uuid=True)
    if not isinstance(logical, str) or node.kind not in LOGICAL.get(logical, ()):
        return node
    if logical != "decimal":
        return replace(node, logical=logical)
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    if not (isinstance(precision, int) and isinstance(scale, int)):
        return node
    if not (0 < precision <= MAX_DECIMAL_PRECISION and 0 <= scale <= precision):
        return node  # stays binary: the store's decimals end at 38 digits
    return replace(node, logical=logical, precision=precision, scale=scale)


def _is_weightless(node: Node) -> bool:
    if node.null_branch is not None:
        return False
    if node.kind == "record":
        return all(_is_weightless(child) for _, child in node.fields)
    return node.kind == "null" or (node.kind == "fixed" and node.size == 0)
