"""Numbers of one record that are never the other way round: the least, the mean and the most; the bid and the ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.words import compiled, search, singular

Way = dict[str, Any]

# What comes first, in between, and last; and which part of their usual range lies between the first and the last.
_ORDERS = (
    (r"\b(min|minimum|lowest|low|lower)\b", r"\b(average|mean|median|open|close)\b", r"\b(max|maximum|highest|high|upper)\b", 1.0),
    (r"\bbid\b", r"\bmid\b", r"\b(ask|offer)\b", 0.01),
    (r"\bnet\b", r"^$", r"\bgross\b", 0.3),
)  # fmt: skip
# Two numbers, and how far the second lies from the first.
_APART = (
    (r"\bdiastolic\b|\bdbp\b", r"\bsystolic\b|\bsbp\b", {"kind": "normal", "mean": 44, "sd": 8, "min": 20, "max": 90}),
    (r"^(air |outdoor |outside )?temperature( c| celsius)?$", r"^dew point( c| celsius| temperature)?$", {"kind": "uniform", "low": -12, "high": 0}),
    (r"^(air |outdoor |outside )?temperature( c| celsius)?$", r"^(feels like|apparent temperature)( c| celsius)?$", {"kind": "uniform", "low": -4, "high": 3}),
)  # fmt: skip
# Of these one is said to be the so-and-so-many-th of all.
_OF_HOW_MANY = frozenset(
    [
        "attempt",
        "attempts",
        "retry",
        "retries",
        "page",
        "step",
        "chunk",
        "part",
        "batch",
        "lap",
        "round",
        "episode",
        "seat",
        "seats",
    ]
)
_NOT_ORDERED = r"\b(size|quantity|volume|count|id|orders)\b"


def numbers_in_order(fields: Mapping[str, Field], ways: Mapping[str, Way]) -> dict[str, Way]:
    """Return the ways of the numbers that follow from the least of them, and the way of that one.

    :param fields: the numbers of one record that are drawn of a distribution, by path.
    """
    found: dict[str, Way] = {}
    for first, between, last, part in _ORDERS:
        for low, middle, high in _together(fields, (first, between, last)):
            if low not in found and high not in found and fields[low].node == fields[high].node:
                found |= _in_order([low, *middle, high], ways[low]["distribution"], part)
    for chain in _percentiles(fields):
        if not found.keys() & set(chain):
            found |= _in_chain(chain, ways)
    for low, high, plus in _apart(fields):
        if high not in found:
            found[high] = {"reference": {"field": low, "plus": plus, "round": 0 if _is_whole(fields[high]) else 1}}
    return found


def _in_order(paths: list[str], least: Way, part: float) -> dict[str, Way]:
    """Return the ways of the least, of those in between, and of the most."""
    low, *middle, high = paths
    cut, spread = _below(least, part)
    digits = cut.get("round", 2)
    spread = max(spread, 2 * 10.0**-digits)
    between = {path: _above(low, 0, spread / 2, digits) for path in middle}
    return {low: {"distribution": cut}, **between, high: _above(low, spread / 2, spread, digits)}


def _in_chain(paths: list[str], ways: Mapping[str, Way]) -> dict[str, Way]:
    """Return the ways of numbers each of which is above the one before it, by no more than that is usually."""
    usual = ways[paths[0]]["distribution"]
    step = usual.get("median", usual.get("mean", usual.get("high", 1.0)))
    return {path: _above(before, 0, step, usual.get("round", 2)) for before, path in pairwise(paths)}


def _together(fields: Mapping[str, Field], order: tuple[str, str, str]) -> Iterator[tuple[str, list[str], str]]:
    """Yield the paths of the least, of those in between, and of the most, whose names say the same beside it."""
    named: dict[str, tuple[list[str], list[str], list[str]]] = {}
    for path, field in fields.items():
        for place, pattern in enumerate(order):
            rest, times = compiled(pattern).subn("|", field.says)
            if times == 1 and not search(_NOT_ORDERED, rest):
                named.setdefault(rest, ([], [], []))[place].append(path)
    says = {field.says: path for path, field in fields.items()}
    for rest, (low, middle, high) in named.items():
        if len(low) == len(high) == 1:
            same = [says[name] for name in _itself(rest) if name in says and says[name] not in (*middle, *low, *high)]
            yield low[0], [path for path in (*middle, *same) if fields[path].node == fields[low[0]].node], high[0]


def _itself(rest: str) -> Iterator[str]:
    """Yield the names of what lies between two bounds, from what their names say beside that."""
    bare = " ".join(rest.replace("|", " ").split())
    for noun in (bare or "value", *(["value"] if bare in ("limit", "threshold") else [])):
        yield from (noun, f"current {noun}", f"actual {noun}", f"measured {noun}", f"{noun} value", f"{noun} reading")


def _percentiles(fields: Mapping[str, Field]) -> Iterator[list[str]]:
    """Yield the percentiles of one thing, from the least on."""
    named: dict[str, dict[float, str]] = {}
    for path, field in fields.items():
        if match := search(r"\bp ?(\d{2,3})\b", field.says):
            named.setdefault(field.says.replace(match[0], "|"), {})[float(f"0.{match[1]}")] = path
    for of in named.values():
        if len(of) > 1:
            yield [of[share] for share in sorted(of)]


def _apart(fields: Mapping[str, Field]) -> Iterator[tuple[str, str, Way]]:
    """Yield two numbers of which one lies so far from the other, and how far."""
    for one, other, plus in _APART:
        firsts, seconds = ([path for path, field in fields.items() if field.is_named(named)] for named in (one, other))
        if len(firsts) == len(seconds) == 1:
            yield firsts[0], seconds[0], plus
    whole = {path: field for path, field in fields.items() if _is_whole(field)}
    says = {field.says: path for path, field in whole.items()}
    for path, field in whole.items():
        noun = compiled(r"(?:current )?(\w+)(?: (?:number|count|index))?").fullmatch(field.says)
        if noun is not None and noun[1] in _OF_HOW_MANY:
            most = [says[name] for name in _how_many(singular(noun[1])) if says.get(name, path) != path]
            if len(most) == 1:
                yield path, most[0], {"kind": "uniform", "low": 0, "high": 5, "step": 1}


def _how_many(noun: str) -> Iterator[str]:
    for many in (noun, f"{noun}s", f"{noun[:-1]}ies", f"{noun}es"):
        for most in ("max", "maximum", "total", "number of", "number"):
            yield from (f"{most} {many}", f"{most} {many} count", f"{most} {many} number")


def _is_whole(field: Field) -> bool:
    return field.node.kind in ("int", "long")


def _below(usual: Way, part: float) -> tuple[Way, float]:
    """Return the distribution of the least, below the usual middle, and how far above it the most may lie."""
    match usual["kind"]:
        case "uniform":
            half = (usual["high"] - usual["low"]) / 2
            return usual | {"high": usual["high"] - half}, half * part
        case "normal":
            room = min(2 * usual["sd"], usual["max"] - usual["mean"])
            return usual | {"mean": usual["mean"] - usual["sd"], "max": usual["mean"]}, room * part
        case "lognormal":
            return usual | {"max": usual["max"] / 2}, min(usual["median"], usual["max"] / 2) * part
    return usual | {"max": usual["mean"]}, usual["mean"] * part


def _above(path: str, least: float, most: float, digits: int) -> Way:
    plus = {"kind": "uniform", "low": least, "high": most, "round": digits}
    return {"reference": {"field": path, "plus": plus, "round": digits}}
