"""What the fields of one record have to do with each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from producer.scenarios.declared.defaults import times
from producer.scenarios.declared.defaults.amounts import computed, sums_of_items
from producer.scenarios.declared.defaults.answers import of_one_answer, of_one_outcome
from producer.scenarios.declared.defaults.changes import nulls
from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.in_order import numbers_in_order
from producer.scenarios.declared.defaults.people import of_one_person
from producer.scenarios.declared.defaults.places import of_one_place
from producer.scenarios.declared.defaults.properties import said_of
from producer.scenarios.declared.defaults.spans import Span, spans
from producer.scenarios.declared.relations import circle
from producer.scenarios.declared.rules import NULLS, Rule

Way = dict[str, Any]

_NUMBERS = ("int", "long", "float", "double")
_PLAIN = ("string", *_NUMBERS, "boolean", "enum")
# A field of more values than these is no status.
_FEW = 60


def follow(ways: dict[str, Way], fields: Mapping[str, Field], rules: Mapping[str, Rule]) -> dict[str, Way]:
    """Let what belongs together agree, in each record; return the pools that this needs.

    1. of two times the later follows the earlier, and a duration beside them is their difference
    2. what adds up does, and numbers that bound each other are in order
    3. what says one person, one place or one answer in several fields comes from one row
    4. the row before a change has the identity of the one after it
    5. what did not happen is null

    :param rules: those of the file: nothing here replaces one, or leads one round in a circle.
    """
    named = {path: rule for path, rule in rules.items() if rule.way is not None}
    free = {path for path, field in fields.items() if path not in named and not said_of(field.node)}
    records: dict[str, dict[str, Field]] = {}
    for path, field in fields.items():
        if path in field.beside:
            records.setdefault(field.inside, {})[path] = field
    absent: dict[str, Way] = {}
    pools: dict[str, Way] = {}
    for record in records.values():
        absent |= nulls(record, _listed(record, ways, named), frozenset(record.keys() - rules.keys()))
        _times(ways, record, named, free)
        ours = {path: field for path, field in record.items() if path in free}
        _put(ways, computed(record, _drawn(ours, ways)), named)
        ways |= numbers_in_order({path: field for path, field in ours.items() if _is_drawn(field, ways[path])}, ways)
        for of_one in (of_one_person, of_one_place, of_one_answer):
            ways |= of_one(ours, ways)
        outcome, pool = of_one_outcome(ours, ways)
        ways |= outcome
        pools |= pool
    for record in records.values():
        ours = {path: field for path, field in record.items() if path in free}
        items = {path: records[f"{path}[]"] for path in ours if f"{path}[]" in records}
        _put(ways, sums_of_items(record, items, ways, _drawn(ours, ways)), named)
    _rows_of_changes(ways, fields, named)
    for path, found in absent.items():
        ways[path] = {name: part for name, part in ways[path].items() if name not in NULLS} | found
    return pools


def _listed(
    record: Mapping[str, Field], ways: Mapping[str, Way], named: Mapping[str, Rule]
) -> dict[str, tuple[Any, ...]]:
    """Return the values of the fields of which they are few and known."""
    found = {}
    for path in record:
        choice = named[path].choice if path in named else None
        values = choice.values if choice else () if path in named else tuple(ways[path].get("choice", ()))
        if 1 < len(values) <= _FEW:
            found[path] = values
    return found


def _times(ways: dict[str, Way], record: Mapping[str, Field], named: Mapping[str, Rule], free: set[str]) -> None:
    moments = {path: field for path, field in record.items() if _is_moment(field, ways[path])}
    found = times.pairs(moments)
    pairs = [(first, second) for second, (first, _) in found.items()]
    lasting: dict[tuple[str, str], Span] = {}
    for span in spans(record, [pair for pair in pairs if _are_times(pair, ways, named)], ways):
        if span.path in free:
            lasting.setdefault((span.first, span.second), span)
            ways[span.path] = span.way(record)
    for second, (first, gap) in found.items():
        span_of_them = lasting.get((first, second))
        _in_order(ways, record[first], record[second], span_of_them.gap(record) if span_of_them else gap, named)


def _put(ways: dict[str, Way], found: Iterable[tuple[str, Way]], named: Mapping[str, Rule]) -> None:
    """Take over ways of numbers that follow from others, unless the file leads those back to them or they are times."""
    for path, way in found:
        rule = Rule.model_validate(way)
        parts = (rule.reference.field,) if rule.reference else rule.computed.parts if rule.computed else ()
        if not any(_are_times((part,), ways, named) for part in parts):
            before, ways[path] = ways[path], way
            if circle(path, "values", lambda one: _rule(one, ways, named)):
                ways[path] = before


def _rule(path: str, ways: Mapping[str, Way], named: Mapping[str, Rule]) -> Rule | None:
    return named[path] if path in named else Rule.model_validate(ways[path]) if ways.get(path) else None


def _are_times(paths: tuple[str, ...], ways: Mapping[str, Way], named: Mapping[str, Rule]) -> bool:
    """Tell whether fields hold points in time, as far as the file has its say."""
    for path in paths:
        at, seen = path, {path}
        while (rule := _rule(at, ways, named)) is not None and rule.reference is not None:
            at = rule.reference.field
            if at in seen:
                return False
            seen.add(at)
        if rule is None or rule.timestamp is None:
            return False
    return True


def _is_moment(field: Field, way: Way) -> bool:
    return "timestamp" in way and not field.node.logical.startswith("time-") and not said_of(field.node)


def _is_drawn(field: Field, way: Way) -> bool:
    plain = field.node.kind in _NUMBERS and not field.node.logical
    return "distribution" in way and (plain or field.node.logical == "decimal")


def _drawn(ours: Mapping[str, Field], ways: Mapping[str, Way]) -> frozenset[str]:
    return frozenset(path for path in ours if "distribution" in ways[path])


def _rows_of_changes(ways: dict[str, Way], fields: Mapping[str, Field], named: Mapping[str, Rule]) -> None:
    for path, field in fields.items():
        other = re.sub(r"(^|\.)before\.", r"\1after.", path)
        is_same = other != path and other in fields and fields[other].node == field.node
        if (
            is_same
            and other not in named
            and field.node.kind in _PLAIN
            and ("pool" in ways[path] or field.is_named(r"\b(id|created at|created)$"))
        ):
            ways[path] = {"reference": {"field": other}}


def _in_order(
    ways: dict[str, dict[str, Any]], first: Field, second: Field, gap: dict[str, Any], named: Mapping[str, Rule]
) -> None:
    """Let one of two times follow from the other: what has happened ended with the event, what lies apart begins there."""
    before, after = first.place.path, second.place.path
    if before in named and named[before].way not in (None, "timestamp"):
        return
    own = ways[before] == times.moment(first) and "back_s" not in ways[before]["timestamp"]
    back = ways[after].get("timestamp", {}).get("back_s", {})
    follows = back.get("low", 0) >= 0 and not _leads(ways, after, before)
    if own and follows and not {before, after} & set(named):
        ways[before] = _related(first, after, gap | {"low": -gap["high"], "high": -gap["low"]})
        return
    if _leads(ways, before, after):
        return
    if gap["high"] > times.SOON_S and "back_s" in ways[before].get("timestamp", {}):
        ways[before] = times.earlier(ways[before], gap["high"])
    ways[after] = _related(second, before, gap)


def _leads(ways: Mapping[str, Mapping[str, Any]], start: str, goal: str) -> bool:
    """Tell whether references lead from one field to another."""
    while (target := ways[start].get("reference")) is not None:
        start = target["field"]
        if start == goal:
            return True
    return False


def _related(field: Field, other: str, plus: dict[str, Any]) -> dict[str, Any]:
    written = times.written_as(field)
    return {"reference": {"field": other, "plus": plus} | ({"written": written} if written else {})}
