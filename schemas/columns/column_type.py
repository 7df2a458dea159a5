"""Types of columns as a small tree: the same for every store.

Scalars go by the names of SQL that DuckDB gives them; another store says in its own module which of its types is which.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.undecodable import UndecodableValue

NULL = '"NULL"'  # the type of a column that holds nothing but nulls


class SchemaConflict(UndecodableValue):
    """The table cannot take this schema beside those that it holds."""

    def __init__(self, message: str) -> None:
        super().__init__("schema_conflict", message, phase="schema")


def quote(identifier: str) -> str:
    """Return an SQL identifier for any name: the one way in which names enter statements."""
    return '"' + identifier.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """Return a text as a literal of SQL, for where no value can be bound."""
    return "'" + text.replace("'", "''") + "'"


def member(value: str, name: str) -> str:
    """Return an SQL expression of a member of a record: the one way to one, as `value.name` may mean something else.

    A table may be called as the value, and a column as the parameter of a lambda: DuckDB lets those win.
    """
    return f"struct_extract({value}, {text_literal(name)})"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type: a scalar by its name in SQL, or ``STRUCT``, ``UNION``, ``LIST`` or ``MAP`` of others.

    ``members`` are those of a struct or a union by name; the item of a list; key and value of a map. A struct may have
    none: in SQL it is BOOLEAN, true where the record is there.

    :ivar branch: what Avro calls a value of it in a union: the full name of a record, enum or fixed, else its kind.
    :ivar fields: for each member of a struct, the fields that it holds, the name of one of its own first; for each
        member of a union, the branches.
    """

    name: str
    members: tuple[tuple[str, ColumnType], ...] = ()
    branch: str = field(default="", compare=False)
    fields: tuple[tuple[str, ...], ...] = field(default=(), compare=False)

    @property
    def leaves(self) -> int:
        """Return how many types without members it is made of."""
        return sum(kind.leaves for _, kind in self.members) if self.members else 1

    def __str__(self) -> str:
        """Return the type as SQL."""
        match self.name:
            case "STRUCT" if not self.members:
                return "BOOLEAN"
            case "STRUCT" | "UNION":
                return f"{self.name}({', '.join(f'{quote(name)} {kind}' for name, kind in self.members)})"
            case "LIST":
                return f"{self.members[0][1]}[]"
            case "MAP":
                return f"MAP({', '.join(str(kind) for _, kind in self.members)})"
        return self.name
