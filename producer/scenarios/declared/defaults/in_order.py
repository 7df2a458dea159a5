"""Numbers of one record that are never the other way round: the least, the mean and the most; the bid and the ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.words import compiled, search

Way = dict[str, Any]

# What comes first, in between, and last; and which part of their usual range lies between the first and the last.
_ORDERS = (
    (r"\b(min|minimum|lowest|low|lower)\b", r"\b(average|mean|median|open|close)\b", r"\b(max|maximum|highest|high|upper)\b", 1.0),
    (r"\bbid\b", r"\bmid\b", r"\b(ask|offer)\b", 0.01),
)  # fmt: skip
_NOT_ORDERED = r"\b(size|quantity|volume|count|id|orders)\b"


def numbers_in_order(fields: Mapping[str, Field], ways: Mapping[str, Way]) -> dict[str, Way]:
    """Return the ways of the numbers that follow from the least of them, and the way of that one.

    :param fields: the numbers of one record that are drawn of a distribution, by path.
    """
    found: dict[str, Way] = {}
    for first, between, last, part in _ORDERS:
        for low, middle, high in _together(fields, (first, between, last)):
            least = ways[low]["distribution"]
            if low in found or high in found or fields[low].node.kind != fields[high].node.kind:
                continue
            cut, spread = _below(least, part)
            found[low] = {"distribution": cut}
            digits = cut.get("round", 2)
            spread = max(spread, 2 * 10.0**-digits)
            found[high] = _above(low, spread / 2, spread, digits)
            found |= {path: _above(low, 0, spread / 2, digits) for path in middle}
    return found


def _together(fields: Mapping[str, Field], order: tuple[str, str, str]) -> Iterator[tuple[str, list[str], str]]:
    """Yield the paths of the least, of those in between, and of the most, whose names say the same beside it."""
    named: dict[str, tuple[list[str], list[str], list[str]]] = {}
    for path, field in fields.items():
        for place, pattern in enumerate(order):
            rest, times = compiled(pattern).subn("|", field.says)
            if times == 1 and not search(_NOT_ORDERED, rest):
                named.setdefault(rest, ([], [], []))[place].append(path)
    for low, middle, high in named.values():
        if len(low) == len(high) == 1:
            yield low[0], middle, high[0]


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
