"""Which stored column holds which field of an event: what was asked, then equal names, then flattened ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from cluster.errors import Misconfigured
from cluster.text.nearest import nearest
from consumer.pipeline.asked import ColumnAsked
from consumer.pipeline.stored import KEY, StoredColumn
from consumer.pipeline.values.alike import NESTED, alike, retyped
from consumer.pipeline.values.sides import NotComparable, Sides, digests
from schemas.columns.column_type import member, quote

_SHOWN_NAMES = 20
_JOINED_BY = (".", "_", "__")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value inside a column: its path, an expression for it, and its type of DuckDB."""

    path: str
    sql: str
    type: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A stored value and the field that it should be.

    :ivar column: the stored column that it is in.
    :ivar stored: of the stored side, ``sent`` of the other, as expressions over either.
    :ivar digests: what is compared.
    :ivar declared: the type as the place calls it.
    :ivar as_type: the type that the mapping gives the field, if it does.
    """

    column: str
    stored: Leaf
    sent: Leaf
    digests: Sides
    declared: str
    as_type: str | None = None

    @property
    def name(self) -> str:
        """What the stored value is called; with the field, where that has another name."""
        return self.stored.path if self.stored.path == self.sent.path else f"{self.stored.path} ({self.sent.path})"


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """What is compared, and what is not: fields that are stored nowhere, and columns that cannot be, each with why."""

    compared: list[Compared] = field(default_factory=list)
    not_stored: list[str] = field(default_factory=list)
    not_comparable: list[str] = field(default_factory=list)


def map_columns(
    columns: Sequence[StoredColumn],
    fields: Mapping[str, str],
    asked: Sequence[ColumnAsked],
    *,
    apart: Sequence[str],
    identity: str | None,
    where: str,
) -> ColumnMap:
    """Find for each stored column the field that it should hold.

    :param fields: the fields of an event, with their types of DuckDB.
    :param apart: stored columns that are not values: the id, the order, where a record lay.
    :param identity: the field that the id is; it is compared by itself.
    :raises Misconfigured: a column or a field that was asked for is not there, or the two cannot be compared.
    """
    found = ColumnMap()
    leaves = {leaf.path: leaf for name, kind in fields.items() for leaf in _leaves(Leaf(name, quote(name), kind))}
    for each in asked:
        column, stored = stored_leaf(columns, each.stored, where=where)
        sent = field_leaf(fields, each.sent)
        for one in _pairs(column, stored, sent, each.type):
            if isinstance(one, str):
                raise Misconfigured(f"the column {each.stored} cannot be compared with {each.sent}: {one}", where=where)
            found.compared.append(one)
    given = {one.column for one in found.compared}
    for column in columns:
        if column.name in apart or column.name in given or column.name == KEY:
            continue
        match = _field_named(column.name, fields, leaves)
        if match is None or match.path == identity:
            continue
        for one in _pairs(column, Leaf(column.name, quote(column.name), column.type), match, None):
            if isinstance(one, str):
                found.not_comparable.append(f"{column.name}: {one}")
            else:
                found.compared.append(one)
    covered = {one.sent.path for one in found.compared}
    found.not_stored.extend(
        path
        for path in leaves
        if path not in {identity, KEY} and not any(path == one or path.startswith(f"{one}.") for one in covered)
    )
    return found


def stored_leaf(columns: Sequence[StoredColumn], asked: str, *, where: str) -> tuple[StoredColumn, Leaf]:
    """Return a stored column by its name, or a value in it by its path.

    :raises Misconfigured: there is none; the nearest names are said.
    """
    by_name = {column.name: column for column in columns}
    folded = _folded(by_name)
    parts = asked.split(".")
    for cut in range(len(parts), 0, -1):
        name = ".".join(parts[:cut])
        column = by_name.get(name) or by_name.get(folded.get(name.casefold()) or "")
        if column is not None:
            leaf = _inside(Leaf(column.name, quote(column.name), column.type), parts[cut:])
            if leaf is None:
                kind, lacking = column.declared or column.type, ".".join(parts[cut:])
                raise Misconfigured(f"the column {column.name} is {kind} and holds no {lacking}", where=where)
            return column, leaf
    raise Misconfigured(f"there is no column {asked}", where=where, hint=_nearest(asked, by_name, "columns"))


def field_leaf(fields: Mapping[str, str], asked: str) -> Leaf:
    """Return a field of an event by its path.

    :raises Misconfigured: there is none; the nearest names are said.
    """
    name, *inside = asked.split(".")
    if name in fields:
        leaf = _inside(Leaf(name, quote(name), fields[name]), inside)
        if leaf is not None:
            return leaf
    known = [leaf.path for each, kind in fields.items() for leaf in _leaves(Leaf(each, quote(each), kind))]
    raise Misconfigured(f"an event has no field {asked}", hint=_nearest(asked, known, "fields"))


def _nearest(asked: str, known: Iterable[str], what: str) -> str:
    names = list(known)
    near = nearest(asked, names)
    return (f"Did you mean {near}? " if near else "") + f"The {what} are: {listed(names)}"


def listed(names: Sequence[str]) -> str:
    """Return names for a hint, the first of many."""
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"{', '.join(names[:_SHOWN_NAMES])}{more}"


def _folded(names: Any) -> dict[str, str | None]:
    """Return names by themselves without case; ``None`` where two are the same so."""
    found: dict[str, str | None] = {}
    for name in names:
        found[name.casefold()] = None if name.casefold() in found else name
    return found


def _field_named(name: str, fields: Mapping[str, str], leaves: Mapping[str, Leaf]) -> Leaf | None:
    """Return the field that a stored column is called after; ``None`` where there is none, or more than one."""
    exact = name if name in fields else _folded(fields).get(name.casefold())
    if exact is not None:
        return Leaf(exact, quote(exact), fields[exact])
    flat = [
        leaf
        for path, leaf in leaves.items()
        if any(path.replace(".", joint).casefold() == name.casefold() for joint in _JOINED_BY)
    ]
    return flat[0] if len(flat) == 1 else None


def _leaves(leaf: Leaf) -> Iterator[Leaf]:
    """Yield what is inside a field: the fields of records, down to what is none."""
    kind = duckdb.dtype(leaf.type)
    if kind.id != "struct":
        yield leaf
        return
    for name, child in kind.children:
        yield from _leaves(_child(leaf, name, str(child)))


def _child(leaf: Leaf, name: str, kind: str) -> Leaf:
    return Leaf(f"{leaf.path}.{name}", member(leaf.sql, name), kind)


def _inside(leaf: Leaf, path: Sequence[str]) -> Leaf | None:
    """Return a value by its path: a field of a record, or a member of JSON in a text."""
    for place, name in enumerate(path):
        kind = duckdb.dtype(leaf.type)
        if kind.id == "varchar":
            return _member(leaf, path[place:])
        children = dict(kind.children) if kind.id == "struct" else {}
        exact = name if name in children else _folded(children).get(name.casefold())
        if exact is None:
            return None
        leaf = _child(leaf, exact, str(children[exact]))
    return leaf


def _member(leaf: Leaf, path: Sequence[str]) -> Leaf:
    steps = "".join(f'."{name}"' for name in path).replace("'", "''")
    return Leaf(".".join([leaf.path, *path]), f"TRY(json_extract_string({leaf.sql}, '${steps}'))", "VARCHAR")


def _inside_to_compare(stored: Leaf, name: str) -> Leaf | None:
    """Return a value inside; of a text that is no JSON, the text: it is not the NULL that was sent."""
    below = _inside(stored, [name])
    if below is None or duckdb.dtype(stored.type).id != "varchar":
        return below
    text = f"CASE WHEN NOT json_valid({stored.sql}) THEN {stored.sql} END"
    return replace(below, sql=f"coalesce({below.sql}, {text})")


def _pairs(column: StoredColumn, stored: Leaf, sent: Leaf, as_type: str | None) -> Iterator[Compared | str]:
    """Yield what is compared of a column and a field, each value inside by itself; or why it cannot be."""
    inside = duckdb.dtype(sent.type)
    if inside.id == "struct" and as_type is None:
        kind = duckdb.dtype(stored.type)
        if kind.id in {"struct", "varchar"}:
            for name, child in inside.children:
                below = _inside_to_compare(stored, name)
                if below is not None:
                    yield from _pairs(column, below, _child(sent, name, str(child)), None)
            return
    if as_type is not None and inside.id in NESTED:
        yield f"what was sent is {sent.type}, and has no type {as_type}"
        return
    here, here_type, there, there_type = stored.sql, stored.type, sent.sql, sent.type
    if not column.says_null and duckdb.dtype(here_type).id == "varchar":
        # Where an empty text may mean NULL, neither side can tell them apart.
        here = f"nullif({here}, '')"
        there = f"nullif({there}, '')" if duckdb.dtype(there_type).id == "varchar" else there
    if duckdb.dtype(here_type).id == "varchar" and inside.id in NESTED:
        here = f"nullif(trim({here}), 'null')"  # JSON has a null of its own
    given, meant = here, there
    also: tuple[str, ...] = ()
    try:
        if as_type is not None:
            kept = retyped(here, there, there_type, as_type)
            here, here_type, also = kept.stored, kept.stored_type or here_type, kept.also
            there, there_type = kept.sent, kept.sent_type or there_type
        sides = alike(here, here_type, there, there_type)
        # Of a type that is named, its own ways of counting are the only ones.
        others = [alike(here, here_type, other, there_type).sent for other in also]
        sides = digests(given, meant, replace(sides, also=(*sides.also, *others)))
    except NotComparable as why:
        yield str(why)
        return
    declared = (column.declared or column.type) if stored.path == column.name else stored.type
    yield Compared(column.name, stored, sent, sides, declared, as_type)
