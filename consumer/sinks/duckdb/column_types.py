"""DuckDB's own types as the tree that every store shares."""

from __future__ import annotations

from duckdb.sqltypes import DuckDBPyType

from schemas.columns.column_type import ColumnType


def column_type(kind: DuckDBPyType) -> ColumnType:
    """Return one of DuckDB's types as a tree."""
    if kind.id not in ("struct", "union", "list", "map"):
        return ColumnType(str(kind))
    members = [(name, column_type(child)) for name, child in kind.children if isinstance(child, DuckDBPyType)]
    return ColumnType(
        kind.id.upper(), tuple(members[1:] if kind.id == "union" else members)
    )  # a union has its tag first
