"""What a table holds: the types of its columns, which fields are in each of them, and where the values of a schema are.

Columns and members are only ever added behind the others, or given another name or a wider type where they are. So a
position means the same for ever, and a :class:`Place` that was kept stays true whatever comes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.columns.column_type import NULL, ColumnType
from schemas.columns.widening import decimal_of

_SCALARS = frozenset(
    {
        NULL, "BOOLEAN", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "BLOB", "DATE", "TIME", "TIMESTAMP",
        "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE",
    }
)  # fmt: skip
_MEMBERS = {"LIST": 1, "MAP": 2}


class NotAColumn(ValueError):
    """A document that describes no column and no place."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the values of a type of a schema are.

    :ivar at: the position of the column or the member, in what is above it.
    :ivar inside: the places of the fields, the branches, the item, or key and value, in the order of the schema.
    :ivar branch: the position of a union's member, for values that are in no union by their schema and stand in one;
        ``None`` for others, and for values that were there before the column became a union: those are its first.
    """

    at: int
    inside: tuple[Place, ...] = ()
    branch: int | None = None

    def to_document(self) -> list[Any]:
        """Return it as JSON has it."""
        rest = [self.branch] if self.branch is not None else []
        return [self.at, [each.to_document() for each in self.inside], *rest]

    @classmethod
    def from_document(cls, document: Any) -> Place:
        """Return the place that a document describes.

        :raises NotAColumn: it describes none.
        """
        match document:
            case [int(at), list(inside)] if at >= 0:
                return cls(at, tuple(map(cls.from_document, inside)))
            case [int(at), list(inside), int(branch)] if at >= 0 and branch >= 0:
                return cls(at, tuple(map(cls.from_document, inside)), branch)
        raise NotAColumn("a place is a position, and the places inside")


@dataclass(frozen=True, slots=True)
class Held:
    """The columns of a table as the members of one struct."""

    record: ColumnType = field(default_factory=lambda: ColumnType("STRUCT"))

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """Return the type of each column, in their order."""
        return dict(self.record.members)

    @property
    def fields(self) -> Mapping[str, tuple[str, ...]]:
        """Return the fields that each column holds."""
        return {name: held for (name, _), held in zip(self.record.members, self.record.fields, strict=True)}

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return described(self.record)

    @classmethod
    def from_document(cls, document: Any) -> Held:
        """Return what a document describes.

        :raises NotAColumn: it describes no columns.
        """
        record = undescribed(document)
        if record.name != "STRUCT":
            raise NotAColumn("the columns of a table are a record")
        return cls(record)


def described(kind: ColumnType) -> dict[str, Any]:
    """Return a type as JSON has it: name, branch, members with their names and what they hold."""
    document: dict[str, Any] = {"type": kind.name}
    if kind.branch:
        document["branch"] = kind.branch
    if kind.members:
        document["members"] = [[name, described(child)] for name, child in kind.members]
    if kind.fields:
        document["fields"] = [list(names) for names in kind.fields]
    return document


def undescribed(document: Any) -> ColumnType:
    """Return the type that a document describes. Nothing else than a type of a table comes out of it.

    :raises NotAColumn: it describes none.
    """
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        raise NotAColumn("a type has a name")
    name, branch = document["type"], document.get("branch", "")
    members, fields = document.get("members", []), document.get("fields", [])
    if not (isinstance(branch, str) and isinstance(members, list) and isinstance(fields, list)):
        raise NotAColumn(f"{name} is not described as a type")
    kinds = []
    for member in members:
        match member:
            case [str(called), dict(child)]:
                kinds.append((called, undescribed(child)))
            case _:
                raise NotAColumn(f"{name} has a member without a name or a type")
    names = [tuple(each) for each in fields if isinstance(each, list) and all(isinstance(one, str) for one in each)]
    if name in ("STRUCT", "UNION"):
        if len(names) != len(kinds) or len({called.lower() for called, _ in kinds}) != len(kinds):
            raise NotAColumn(f"{name} has members that hold nothing, or one name twice")
    elif len(kinds) != _MEMBERS.get(name, 0) or (name not in _SCALARS | _MEMBERS.keys() and decimal_of(name) is None):
        raise NotAColumn(f"{name} is no type of a table")
    return ColumnType(name, tuple(kinds), branch, tuple(names))
