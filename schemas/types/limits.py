"""How large a schema may be: what a table and the libraries below it hold, said before anything is sent."""

from __future__ import annotations

from schemas.types.node import Node
from schemas.undecodable import UnsupportedSchema

MAX_LEAVES = 10_000  # fields without further ones, each type counted as often as it is used
MAX_BRANCHES = 127  # Arrow numbers the types of a union in seven bits
MAX_FIXED_BYTES = 1 << 24  # Arrow keeps as many bytes for a null
MAX_LEVELS = 60  # Arrow takes 64 levels of columns from another library; a map has two


def within(node: Node, path: str) -> Node:
    """Return a node that is within the limits.

    :param path: the place of the node, for the message.
    :raises UnsupportedSchema: it is not.
    """
    where = f"{path}: " if path else ""
    if len(node.branches) > MAX_BRANCHES:
        raise UnsupportedSchema(
            f"{where}a union of {len(node.branches)} types; a table holds unions of up to {MAX_BRANCHES}"
        )
    if node.leaves > MAX_LEAVES:
        raise UnsupportedSchema(
            f"{where}{node.leaves:,} fields, each type counted wherever it is used; a table holds up to {MAX_LEAVES:,}"
        )
    if node.size > MAX_FIXED_BYTES:
        raise UnsupportedSchema(f"{where}a fixed of {node.size:,} bytes; a table holds up to {MAX_FIXED_BYTES:,}")
    if node.levels > MAX_LEVELS:
        raise too_deep(path)
    return node


def too_deep(path: str) -> UnsupportedSchema:
    """Return the fault of types that lie too deep in each other."""
    top = path.split(".", 1)[0].split("[", 1)[0].split("{", 1)[0].split("<", 1)[0]
    where = f"{top}: " if top else ""
    return UnsupportedSchema(f"{where}types in types, more than {MAX_LEVELS} levels; a table holds up to {MAX_LEVELS}")
