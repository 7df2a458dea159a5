"""The one type that holds every value of two, for files that somebody else wrote and that are read together."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.columns.column_type import NULL, ColumnType, SchemaConflict

# From one type to a type that holds all of its values and all of the other's.
_WIDER: dict[frozenset[str], str] = {
    frozenset({"INTEGER", "BIGINT"}): "BIGINT",
    frozenset({"INTEGER", "DOUBLE"}): "DOUBLE",
    frozenset({"FLOAT", "DOUBLE"}): "DOUBLE",
    frozenset({"TIMESTAMP_MS", "TIMESTAMP"}): "TIMESTAMP",
    frozenset({"TIMESTAMP_MS", "TIMESTAMP_NS"}): "TIMESTAMP_NS",
    frozenset({"TIMESTAMP", "TIMESTAMP_NS"}): "TIMESTAMP_NS",
}


def merge(old: ColumnType, new: ColumnType, where: str) -> ColumnType:
    """Return the type that holds every value of both.

    :raises SchemaConflict: there is none.
    """
    if new in (old, ColumnType(NULL)):
        return old
    if old == ColumnType(NULL):
        _refuse_twins(new)
        return new
    if wider := _WIDER.get(frozenset({old.name, new.name})):
        return ColumnType(wider)
    if old.name != new.name or not old.members:
        raise SchemaConflict(f"{where} is {old} in the table and {new} in the schema")
    match old.name:
        case "STRUCT" | "UNION":
            return ColumnType(old.name, tuple(_merged_members(old, new, where)))
        case "LIST":
            return ColumnType("LIST", (("child", merge(old.members[0][1], new.members[0][1], f"{where}[]")),))
    (_, old_key), (_, old_value) = old.members
    (_, new_key), (_, new_value) = new.members
    key = merge(old_key, new_key, f"{where} (key)")
    return ColumnType("MAP", (("key", key), ("value", merge(old_value, new_value, f"{where}[]"))))


def _merged_members(old: ColumnType, new: ColumnType, where: str) -> Iterator[tuple[str, ColumnType]]:
    """Yield the members of both: those of the first in its order, then what the second adds."""
    ours, theirs = _by_name(old, where), _by_name(new, where)
    for lower, (name, kind) in ours.items():
        yield name, merge(kind, theirs[lower][1], f"{where}.{name}") if lower in theirs else kind
    for lower, (name, kind) in theirs.items():
        if lower not in ours:
            _refuse_twins(kind)
            yield name, kind


def _refuse_twins(kind: ColumnType, where: str = "the record") -> None:
    """Refuse members that differ in nothing but case: names of columns ignore it.

    :raises SchemaConflict: there are such, at any depth.
    """
    named = kind.name in ("STRUCT", "UNION")
    for name, child in _by_name(kind, where).values() if named else kind.members:
        _refuse_twins(child, name if named else where)


def _by_name(kind: ColumnType, where: str) -> dict[str, tuple[str, ColumnType]]:
    """Return the members by lower-case name.

    :raises SchemaConflict: two differ in nothing but case.
    """
    found = {name.lower(): (name, child) for name, child in kind.members}
    if len(found) != len(kind.members):
        raise SchemaConflict(f"{where} has names that differ in nothing but case")
    return found
