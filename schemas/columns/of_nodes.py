"""The types of columns that hold a record as its schema has it."""

from __future__ import annotations

from schemas.columns.column_type import NULL, ColumnType
from schemas.types.node import RECURSION, Node, member_names

_SCALARS = {
    "null": NULL,
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "enum": "VARCHAR",
    "bytes": "BLOB",
    "fixed": "BLOB",
    RECURSION: "VARCHAR",
}
_LOGICAL = {
    "date": "DATE",
    "time-millis": "TIME",
    "time-micros": "TIME",
    "timestamp-millis": "TIMESTAMP WITH TIME ZONE",
    "timestamp-micros": "TIMESTAMP WITH TIME ZONE",
    "local-timestamp-millis": "TIMESTAMP_MS",
    "local-timestamp-micros": "TIMESTAMP",
}


def columns_of(node: Node) -> ColumnType:
    """Return the type of a column for a type of a schema; for a record, a struct with one member for each field.

    Members have the names that Arrow's columns have (``schemas/types/arrow.py``); ``fields`` begins with the field's
    own name, or a branch's, and its aliases follow. An alias that is the name of a field beside it is none.
    """
    branch = node.name or node.kind
    match node.kind:
        case "record":
            members = tuple(zip(member_names(node), map(columns_of, node.below()), strict=True))
            own = {name for name, _ in node.fields}
            names = tuple(
                (name, *(alias for alias in node.field_aliases.get(name, ()) if alias not in own))
                for name, _ in node.fields
            )
            return ColumnType("STRUCT", members, branch, names)
        case "union":
            types = [columns_of(each) for each in node.branches]
            fields = tuple((branch.name or branch.kind, *branch.aliases) for branch in node.branches)
            return ColumnType("UNION", tuple(zip(member_names(node), types, strict=True)), branch, fields)
        case "array":
            return ColumnType("LIST", (("child", columns_of(node.element())),), branch)
        case "map":
            return ColumnType("MAP", (("key", ColumnType("VARCHAR")), ("value", columns_of(node.element()))), branch)
    if node.logical == "decimal":
        return ColumnType(f"DECIMAL({node.precision},{node.scale})", branch=branch)
    return ColumnType(_LOGICAL.get(node.logical) or _SCALARS[node.kind], branch=branch)
