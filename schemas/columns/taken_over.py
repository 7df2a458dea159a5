"""What a table holds that was made before tables said so themselves.

There, a field had the column that was noted for it, whatever its aliases; members of records and unions went by their
names, whose case did not matter, and no type had become a union.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from schemas.columns.column_type import NULL, ColumnType
from schemas.columns.held import Held, Place
from schemas.columns.judge import identity
from schemas.columns.of_nodes import columns_of
from schemas.types.node import Node


def taken_over(
    types: Mapping[str, ColumnType], fields: Mapping[str, str], roots: Mapping[int, Node]
) -> tuple[Held, dict[int, tuple[Place, ...]]]:
    """Return what the columns of a table hold, and where the fields of each schema are in it.

    :param types: of the columns, in their order in the table.
    :param fields: the column of each field.
    :param roots: the schemas of values in the table, by id; one that the table never held is left out.
    """
    columns = list(types)
    kinds = list(types.values())
    of_columns: list[list[str]] = [[field for field, column in fields.items() if column == name] for name in columns]
    places: dict[int, tuple[Place, ...]] = {}
    for schema_id, root in roots.items():
        source, told, found = columns_of(root), list(kinds), []
        try:
            for (_, kind), names in zip(source.members, source.fields, strict=True):
                at = columns.index(fields[names[0]])
                told[at], place = _told(told[at], kind)
                found.append(replace(place, at=at))
        except (KeyError, ValueError):  # every value of it is in quarantine
            continue
        kinds, places[schema_id] = told, tuple(found)
    members = tuple(zip(columns, map(_whole, kinds), strict=True))
    branch = next((root.name for root in roots.values()), "")
    return Held(ColumnType("STRUCT", members, branch, tuple(map(tuple, of_columns)))), places


def _told(held: ColumnType, source: ColumnType) -> tuple[ColumnType, Place]:
    """Return the type of a column with what a schema says that it holds, and the place of the schema's values.

    :raises KeyError: it has no place for them.
    """
    if source.name == NULL and held.name != NULL:
        return held, Place(0)
    if not held.members:
        return replace(held, branch=held.branch or source.branch), identity(source)
    if held.name != source.name:
        raise KeyError(source.name)
    members, fields = list(held.members), list(held.fields or [()] * len(held.members))
    at_of = {name.lower(): at for at, (name, _) in enumerate(members)}
    places = []
    for number, (name, kind) in enumerate(source.members):
        at = at_of[name.lower()] if held.name in ("STRUCT", "UNION") else number
        known, place = _told(members[at][1], kind)
        members[at] = (members[at][0], known)
        said = {"STRUCT": source.fields[number][:1] if source.fields else (), "UNION": (kind.branch,)}
        fields[at] = tuple(dict.fromkeys((*fields[at], *said.get(held.name, ()))))
        places.append(replace(place, at=at))
    kept = tuple(fields) if held.name in ("STRUCT", "UNION") else ()
    return ColumnType(held.name, tuple(members), held.branch or source.branch, kept), Place(0, tuple(places))


def _whole(kind: ColumnType) -> ColumnType:
    """Return a type of which no schema that is kept says what it holds: then its members hold what they are called."""
    members = tuple((name, _whole(child)) for name, child in kind.members)
    fields = kind.fields
    if kind.name in ("STRUCT", "UNION"):
        fields = tuple(held or (name,) for held, (name, _) in zip(fields or [()] * len(members), members, strict=True))
    return replace(kind, members=members, fields=fields)
