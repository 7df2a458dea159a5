"""Values of a schema into the columns of a table and back, as expressions of DuckDB's SQL.

A column may have other members, wider types and other names than the schema that a value was written with
(``schemas/columns/judge.py``). :func:`converted` gives what is stored, :func:`returned` the value as its schema has it:
of what was stored by the first, the second gives exactly what it was. A column that is as the schema has it is its own
expression.
"""

from __future__ import annotations

from itertools import count

from schemas.columns.column_type import NULL, ColumnType, member, quote, text_literal
from schemas.columns.held import Place


def converted(expression: str, source: ColumnType, place: Place, target: ColumnType) -> str:
    """Return the expression of what a column holds for a value of a schema.

    :param source: the type by the schema; ``place``: where its values are in the column.
    :param target: the type of the column.
    """
    return _Forward().convert(expression, source, place, target)


def returned(expression: str, stored: ColumnType, place: Place, wanted: ColumnType) -> str:
    """Return the expression of a value as its schema has it; NULL for what the schema has no value for.

    Two values of a column may give one: who wants to know whether a column holds nothing else converts the value again
    and compares.

    :param stored: the type of the column; ``place``: where the values of the schema are in it.
    :param wanted: the type by the schema.
    """
    return _Back().convert(expression, wanted, place, stored)


def is_kept(source: ColumnType, place: Place, target: ColumnType) -> bool:
    """Tell whether a column holds values of a type as they are."""
    if source != target or place.branch is not None or len(place.inside) != len(source.members):
        return False
    inner = zip(source.members, place.inside, target.members, strict=True)
    return all(
        at == below.at and is_kept(kind, below, there) for at, ((_, kind), below, (_, there)) in enumerate(inner)
    )


class _Conversion:
    """What both directions share. ``own`` is the type by the schema, ``held`` that of the column."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def convert(  # noqa: PLR0911 - one for each shape
        self, value: str, own: ColumnType, place: Place, held: ColumnType
    ) -> str:
        if is_kept(own, place, held):
            return value
        if NULL in (own.name, held.name):
            return self.nothing(own, held)
        if held.name == "UNION":
            return self.union(value, own, place, held)
        match own.name:
            case "STRUCT":
                return self.struct(value, own, place, held)
            case "LIST":
                item = f"item_{next(self._numbers)}"
                inner = self.convert(item, own.members[0][1], place.inside[0], held.members[0][1])
                return f"list_transform({value}, lambda {item}: {inner})"
            case "MAP":
                entry = f"entry_{next(self._numbers)}"
                inner = self.convert(member(entry, "value"), own.members[1][1], place.inside[1], held.members[1][1])
                pairs = f"lambda {entry}: struct_pack(key := {member(entry, 'key')}, value := {inner})"
                return f"map_from_entries(list_transform(map_entries({value}), {pairs}))"
        return self.scalar(value, own, held)

    def nothing(self, own: ColumnType, held: ColumnType) -> str:
        raise NotImplementedError

    def union(self, value: str, own: ColumnType, place: Place, held: ColumnType) -> str:
        raise NotImplementedError

    def struct(self, value: str, own: ColumnType, place: Place, held: ColumnType) -> str:
        raise NotImplementedError

    def scalar(self, value: str, own: ColumnType, held: ColumnType) -> str:
        raise NotImplementedError


class _Forward(_Conversion):
    def nothing(self, own: ColumnType, held: ColumnType) -> str:  # noqa: ARG002
        return f"CAST(NULL AS {held})"

    def union(self, value: str, own: ColumnType, place: Place, held: ColumnType) -> str:
        if own.name != "UNION":
            name, kind = held.members[place.branch or 0]
            inner = self.convert(value, own, Place(0, place.inside), kind)
            return f"CASE WHEN {value} IS NULL THEN NULL ELSE {_in_union(name, inner, held)} END"
        cases = []
        for (name, kind), below in zip(own.members, place.inside, strict=True):
            there, held_kind = held.members[below.at]
            inner = self.convert(f"union_extract({value}, {text_literal(name)})", kind, below, held_kind)
            cases.append(f"WHEN {text_literal(name)} THEN {_in_union(there, inner, held)}")
        return f"CASE union_tag({value}) {' '.join(cases)} END"

    def struct(self, value: str, own: ColumnType, place: Place, held: ColumnType) -> str:
        members = {at: f"CAST(NULL AS {kind})" for at, (_, kind) in enumerate(held.members)}
        for (name, kind), below in zip(own.members, place.inside, strict=True):
            part = member(value, name)
            members[below.at] = self.convert(part, kind, below, held.members[below.at][1])
        packed = ", ".join(f"{quote(name)} := {members[at]}" for at, (name, _) in enumerate(held.members))
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack({packed}) END"

    def scalar(self, value: str, own: ColumnType, held: ColumnType) -> str:
        # A cast would read escapes in the text.
        return f"encode({value})" if own.name == "VARCHAR" else f"CAST({value} AS {held})"


class _Back(_Conversion):
    def nothing(self, own: ColumnType, held: ColumnType) -> str:  # noqa: ARG002
        return f"CAST(NULL AS {own})"

    def union(self, value: str, own: ColumnType, place: Place, held: ColumnType) -> str:
        if own.name != "UNION":
            name, kind = held.members[place.branch or 0]
            return self.convert(f"union_extract({value}, {text_literal(name)})", own, Place(0, place.inside), kind)
        cases = []
        for (name, kind), below in zip(own.members, place.inside, strict=True):
            there, held_kind = held.members[below.at]
            inner = self.convert(f"union_extract({value}, {text_literal(there)})", kind, below, held_kind)
            cases.append(f"WHEN {text_literal(there)} THEN {_in_union(name, inner, own)}")
        return f"CASE union_tag({value}) {' '.join(cases)} END"

    def struct(self, value: str, own: ColumnType, place: Place, held: ColumnType) -> str:
        if not own.members:
            return f"CASE WHEN {value} IS NULL THEN NULL ELSE TRUE END"
        members = []
        for (name, kind), below in zip(own.members, place.inside, strict=True):
            there, held_kind = held.members[below.at]
            part = member(value, there)
            members.append(f"{quote(name)} := {self.convert(part, kind, below, held_kind)}")
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack({', '.join(members)}) END"

    def scalar(self, value: str, own: ColumnType, held: ColumnType) -> str:
        if held.name == "BLOB":
            return f"TRY(decode({value}))"
        return f"TRY_CAST({value} AS {own})"


def _in_union(name: str, inner: str, union: ColumnType) -> str:
    return f"CAST(union_value({quote(name)} := {inner}) AS {union})"
