"""Types of columns as a small tree, and the one type that holds every value of two: the same for every store.

Scalars go by the names of SQL that DuckDB gives them; another store says in its own module which of its types is which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from schemas.undecodable import UndecodableValue

NULL = '"NULL"'  # the type of a column that holds nothing but nulls
# From one type to a type that holds all of its values and all of the other's.
_WIDER: dict[frozenset[str], str] = {
    frozenset({"INTEGER", "BIGINT"}): "BIGINT",
    frozenset({"INTEGER", "DOUBLE"}): "DOUBLE",
    frozenset({"FLOAT", "DOUBLE"}): "DOUBLE",
    frozenset({"TIMESTAMP_MS", "TIMESTAMP"}): "TIMESTAMP",
    frozenset({"TIMESTAMP_MS", "TIMESTAMP_NS"}): "TIMESTAMP_NS",
    frozenset({"TIMESTAMP", "TIMESTAMP_NS"}): "TIMESTAMP_NS",
}


class SchemaConflict(UndecodableValue):
    """The table cannot take this schema beside those that it holds."""

    def __init__(self, message: str) -> None:
        super().__init__("schema_conflict", message, phase="schema")


def quote(identifier: str) -> str:
    """Return an SQL identifier for any name: the one way in which names enter statements."""
    return '"' + identifier.replace('"', '""') + '"'


def column_names(fields: Iterable[str], known: Mapping[str, str], ours: Iterable[str]) -> dict[str, str]:
    """Return the column of each field, in the order of the fields. A field keeps the column that it has.

    Names of columns ignore case: a field whose name is taken gets a number.

    :param ours: the columns that a store adds to each event.
    """
    names: dict[str, str] = {}
    taken = {name.lower() for name in (*ours, *known.values())}
    for field in fields:
        name, number = known.get(field, field), 2
        while field not in known and name.lower() in taken:
            name, number = f"{field}_{number}", number + 1
        names[field] = name
        taken.add(name.lower())
    return names


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type: a scalar by its name in SQL, or ``STRUCT``, ``UNION``, ``LIST`` or ``MAP`` of others.

    ``members`` are those of a struct or a union by name; the item of a list; key and value of a map.
    """

    name: str
    members: tuple[tuple[str, ColumnType], ...] = ()

    def __str__(self) -> str:
        """Return the type as SQL."""
        match self.name:
            case "STRUCT" | "UNION":
                return f"{self.name}({', '.join(f'{quote(name)} {kind}' for name, kind in self.members)})"
            case "LIST":
                return f"{self.members[0][1]}[]"
            case "MAP":
                return f"MAP({', '.join(str(kind) for _, kind in self.members)})"
        return self.name

    def refuse_twins(self, where: str = "the record") -> None:
        """Refuse members that differ in nothing but case: names of columns ignore it.

        :raises SchemaConflict: there are such, at any depth.
        """
        for name, kind in self.by_name(where).values() if self.name in ("STRUCT", "UNION") else self.members:
            kind.refuse_twins(name if self.name in ("STRUCT", "UNION") else where)

    def by_name(self, where: str) -> dict[str, tuple[str, ColumnType]]:
        """Return the members by lower-case name.

        :raises SchemaConflict: two differ in nothing but case.
        """
        found = {name.lower(): (name, kind) for name, kind in self.members}
        if len(found) != len(self.members):
            raise SchemaConflict(f"{where} has names that differ in nothing but case")
        return found


def merge(old: ColumnType, new: ColumnType, where: str) -> ColumnType:
    """Return the type that holds every value of both.

    :raises SchemaConflict: there is none.
    """
    if new in (old, ColumnType(NULL)):
        return old
    if old == ColumnType(NULL):
        new.refuse_twins()
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
    ours, theirs = old.by_name(where), new.by_name(where)
    for lower, (name, kind) in ours.items():
        yield name, merge(kind, theirs[lower][1], f"{where}.{name}") if lower in theirs else kind
    for lower, (name, kind) in theirs.items():
        if lower not in ours:
            kind.refuse_twins()
            yield name, kind
