"""Nested values: each value inside is held against its own, in the place that it has; a map has no order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

from consumer.pipeline.values.sides import Sides
from schemas.columns.column_type import member, quote

# How two simple values are compared: stored expression and type, sent expression and type.
Alike = Callable[[str, str, str, str], Sides]
_LISTS = frozenset({"list", "array"})
# Numbers that a double holds whole; and the digits that it holds for certain.
_IN_A_DOUBLE = frozenset({"tinyint", "smallint", "integer", "utinyint", "usmallint", "uinteger", "float", "double"})
_DOUBLE_DIGITS = 15


def has_a_map(kind: Any) -> bool:
    """Tell whether a type is a map, or has one inside."""
    if kind.id == "map":
        return True
    return kind.id in {"list", "array", "struct", "union"} and any(has_a_map(child) for child in _inner(kind))


def inside(stored: str, here: Any, sent: str, there: Any, alike: Alike) -> Sides | None:
    """Return both sides with each value inside brought to its form; ``None`` where the two are not built alike.

    A text is read as JSON, its numbers and texts as they stand in it.

    :raises NotComparable: what is inside cannot be.
    """
    if here.id == "varchar":
        read_as = _as_in_json(there)
        kind: Any = duckdb.dtype(read_as)
        return _inside(f"TRY(CAST(TRY_CAST({stored} AS JSON) AS {read_as}))", kind, sent, there, alike, 0)
    return _inside(stored, here, sent, there, alike, 0)


def _inside(  # noqa: PLR0917 - two values with their types, and how deep they are
    stored: str, here: Any, sent: str, there: Any, alike: Alike, depth: int
) -> Sides | None:
    if here.id in _LISTS and there.id in _LISTS:
        return _each(stored, _element(here), sent, _element(there), alike, depth)
    if here.id == "struct" and there.id == "struct":
        return _records(stored, here, sent, there, alike, depth)
    if here.id == "map" and there.id == "map":
        return _maps(stored, here, sent, there, alike, depth)
    return None


def _each(stored: str, here: Any, sent: str, there: Any, alike: Alike, depth: int) -> Sides | None:  # noqa: PLR0917
    one = f"one_{depth}"
    form = _form(one, here, one, there, alike, depth + 1)
    if form is None:
        return None
    return Sides(
        f"list_transform({stored}, lambda {one}: {form.stored})", f"list_transform({sent}, lambda {one}: {form.sent})"
    )


def _records(stored: str, here: Any, sent: str, there: Any, alike: Alike, depth: int) -> Sides | None:  # noqa: PLR0917
    given = {name.casefold(): (name, kind) for name, kind in here.children}
    if len(given) != len(here.children) or set(given) != {name.casefold() for name, _ in there.children}:
        return None
    mine, theirs = [], []
    for number, (name, kind) in enumerate(there.children):
        stored_name, stored_kind = given[name.casefold()]
        form = _form(member(stored, stored_name), stored_kind, member(sent, name), kind, alike, depth)
        if form is None:
            return None
        mine.append(f"m{number}: {form.stored}")
        theirs.append(f"m{number}: {form.sent}")
    return Sides(
        f"CASE WHEN {stored} IS NOT NULL THEN {{{', '.join(mine)}}} END",
        f"CASE WHEN {sent} IS NOT NULL THEN {{{', '.join(theirs)}}} END",
    )


def _maps(stored: str, here: Any, sent: str, there: Any, alike: Alike, depth: int) -> Sides | None:  # noqa: PLR0917
    one = f"one_{depth}"
    kinds, others = dict(here.children), dict(there.children)
    pairs = [
        _form(member(one, part), kinds[part], member(one, part), others[part], alike, depth + 1)
        for part in ("key", "value")
    ]
    if any(pair is None for pair in pairs):
        return None
    stored_key, sent_key, stored_value, sent_value = (
        side for pair in pairs if pair is not None for side in (pair.stored, pair.sent)
    )
    made = "list_sort(list_transform(map_entries({}), lambda {}: {{k: {}, v: {}}}))"
    return Sides(made.format(stored, one, stored_key, stored_value), made.format(sent, one, sent_key, sent_value))


def _form(stored: str, here: Any, sent: str, there: Any, alike: Alike, depth: int) -> Sides | None:  # noqa: PLR0917
    """Return the form of a value inside; it says too whether there is none, or it cannot be brought to the form."""
    if str(here) == str(there) and not has_a_map(there):
        return Sides(stored, sent)
    if {here.id, there.id} & {*_LISTS, "struct", "map", "union"}:
        return _inside(stored, here, sent, there, alike, depth)  # NULL exactly where the value is
    sides = alike(stored, str(here), sent, str(there))
    return Sides(
        f"{{f: {sides.stored}, n: CASE WHEN {stored} IS NULL THEN 0 WHEN {sides.stored} IS NULL THEN 1 ELSE 2 END}}",
        f"{{f: {sides.sent}, n: CASE WHEN {sent} IS NULL THEN 0 WHEN {sides.sent} IS NULL THEN 3 ELSE 2 END}}",
    )


def _inner(kind: Any) -> list[Any]:
    return [child for _, child in kind.children if not isinstance(child, int)]


def _element(kind: Any) -> Any:
    return _inner(kind)[0]


def _as_in_json(kind: Any) -> str:
    """Return a type that is built alike, in which JSON loses nothing; at its ends texts, or what is quick to read."""
    if kind.id in _LISTS:
        return f"{_as_in_json(_element(kind))}[]"
    if kind.id == "struct":
        return f"STRUCT({', '.join(f'{quote(name)} {_as_in_json(child)}' for name, child in kind.children)})"
    if kind.id == "map":
        return f"MAP(VARCHAR, {_as_in_json(dict(kind.children)['value'])})"
    short = kind.id == "decimal" and dict(kind.children)["precision"] <= _DOUBLE_DIGITS
    if short or kind.id in _IN_A_DOUBLE:
        return "DOUBLE"
    return "BOOLEAN" if kind.id == "boolean" else "VARCHAR"
