"""The fields of a schema by path: ``amount``, ``address.city``, ``items[].sku``, ``tags{}``, ``value<string>``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.types.node import Node, member_names

_REPEATED = re.compile(r".*(?:\[\]|\{\})")


@dataclass(frozen=True, slots=True)
class Place:
    """One field, item or branch. ``scope`` is the innermost list or map around it; empty for the event itself."""

    path: str
    name: str
    node: Node
    scope: str


def places(root: Node) -> Iterator[Place]:
    """Yield every place of a record schema, parents before children."""
    for name, node in root.fields:
        yield from _below(name, name, node)


def _below(path: str, name: str, node: Node) -> Iterator[Place]:
    yield Place(path, name, node, scope_of(path))
    if node.kind == "record":
        for child, below in node.fields:
            yield from _below(f"{path}.{child}", child, below)
    elif node.kind in ("array", "map"):
        yield from _below(path + ("[]" if node.kind == "array" else "{}"), name, node.element())
    elif node.kind == "union":
        for branch, below in zip(member_names(node), node.branches, strict=True):
            yield from _below(f"{path}<{branch}>", name, below)


def scope_of(path: str) -> str:
    """Return the innermost list or map that a path is in, as the path of its items."""
    match = _REPEATED.match(path)
    return match[0] if match else ""
