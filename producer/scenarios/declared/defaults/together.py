"""What the fields of one record have to do with each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from producer.scenarios.declared.defaults import times
from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.in_order import numbers_in_order
from producer.scenarios.declared.defaults.people import of_one_person
from producer.scenarios.declared.defaults.properties import said_of
from producer.scenarios.declared.rules import Rule

_NUMBERS = ("int", "long", "float", "double")
_PLAIN = ("string", *_NUMBERS, "boolean", "enum")


def follow(ways: dict[str, dict[str, Any]], fields: Mapping[str, Field], named: Mapping[str, Rule]) -> None:
    """Let the later of two times of one record follow the earlier, and the row before a change be the one after it."""
    records: dict[str, dict[str, Field]] = {}
    for path, field in fields.items():
        is_time = "timestamp" in ways[path] and not field.node.logical.startswith("time-")
        if path in field.beside and is_time and not said_of(field.node):
            records.setdefault(field.inside, {})[path] = field
    for record in records.values():
        for path, (first, gap) in times.pairs(record).items():
            _in_order(ways, fields[first], fields[path], gap, named)
    for record in _by_record(fields, named).values():
        ways |= numbers_in_order(
            {
                path: field
                for path, field in record.items()
                if "distribution" in ways[path] and field.node.kind in _NUMBERS and not field.node.logical
            },
            ways,
        )
        ways |= of_one_person(record, ways)
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


def _by_record(fields: Mapping[str, Field], named: Mapping[str, Rule]) -> dict[str, dict[str, Field]]:
    """Return the fields by record of which neither the file nor the schema says anything."""
    records: dict[str, dict[str, Field]] = {}
    for path, field in fields.items():
        if path in field.beside and path not in named and not said_of(field.node):
            records.setdefault(field.inside, {})[path] = field
    return records


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
        ways[before] = _related(first, after, {"kind": "uniform", "low": -gap["high"], "high": -gap["low"]})
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
