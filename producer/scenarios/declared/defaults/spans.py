"""Durations beside a start and an end: they are the end minus the start, in their unit."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from producer.scenarios.declared.defaults import numbers
from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.words import compiled, singular

# By what numbers.txt calls a span: its unit, how many seconds that is, and between how many such spans lie.
_UNITS: dict[str, tuple[str, float, float, float]] = {
    "ns": ("nanoseconds", 1e-9, 1e6, 5e8),
    "us": ("microseconds", 1e-6, 1e3, 5e6),
    "ms": ("milliseconds", 1e-3, 20, 5_000),
    "seconds": ("seconds", 1, 5, 900),
    "long seconds": ("seconds", 1, 60, 86_400),
    "minutes": ("minutes", 60, 3, 90),
    "hours": ("hours", 3600, 1, 12),
    "days": ("days", 86_400, 1, 14),
}
# Words of a duration's name that say nothing about what lasts, and those of a time's name that do not say it either.
_LASTING = re.compile(
    r"\b(duration|elapsed|length|span|total|overall|actual|full|time|timespan|taken|took|of|in|the|ns|us|ms|s|seconds|minutes|"
    r"min|hours|h|hour|minute|second|days|day|nights|night|period|count|number|net|gross)\b"
)
_POINT = re.compile(
    r"\b(at|on|time|date|timestamp|datetime|utc|ms|us|ns|s|seconds|unix|nano|epoch|actual|start|starts|started|begin|begins|began|"
    r"beginning|from|end|ends|ended|finish|finished|to|until|stop|stopped|pickup|picked|up|dropoff|dropped|off|check|in|out|"
    r"checked|departure|departed|arrival|arrived|the|completed|opened|closed|open|close)\b"
)
# What a record is about as a whole, by whatever word.
_WHOLE_WORDS = """
    trip ride call session job run task event activity visit stay flight journey request query workout lesson meeting outage
    execution process processing transaction incident episode drive charge charging play watch match game shift work worked
    cycle travel transit latency response resolution handling turnaround wall runtime airtime playtime uptime round rental
    booking reservation
    """
_WHOLE = frozenset(_WHOLE_WORDS.split())
# A row that was changed last has not lasted until then, and what is valid for years is seldom said to last.
_NO_END = re.compile(
    r"\b(updated?|modified|modification|changed|edited|last seen|expires?|expiry|expiration|valid|after)\b"
)


@dataclass(frozen=True, slots=True)
class Span:
    """A duration, from which time to which it lasts, and in which unit."""

    path: str
    first: str
    second: str
    kind: str

    def way(self, fields: Mapping[str, Field]) -> dict[str, Any]:
        """Return how its values arise: it is null where its end is."""
        found: dict[str, Any] = {"computed": {"span": [self.first, self.second], "unit": self._unit(fields)}}
        ends = [path for path in (self.second, self.first) if fields[path].node.nullable]
        return found | ({"nulls_with": ends[0]} if ends and fields[self.path].node.nullable else {})

    def gap(self, fields: Mapping[str, Field]) -> dict[str, Any]:
        """Return how many seconds lie between start and end; whole units where the duration is a whole number."""
        _, second, low, high = _UNITS[self.kind]
        whole = fields[self.path].node.kind in ("int", "long") and second >= 1e-6
        return {"kind": "uniform", "low": low * second, "high": high * second} | ({"step": second} if whole else {})

    def _unit(self, fields: Mapping[str, Field]) -> str:
        """Return the unit; where no word says it, that of the times, if those are bare numbers."""
        node, bare = (
            fields[self.first].node,
            compiled(r"(total )?(duration|elapsed|elapsed time|length)").fullmatch(fields[self.path].says),
        )
        if bare and node.kind == "long" and not node.logical and fields[self.path].node.kind == "long":
            return next(
                (
                    unit
                    for pattern, unit in (
                        (r"\bns\b", "nanoseconds"),
                        (r"\bus\b", "microseconds"),
                        (r"\bs\b|\bseconds\b", "seconds"),
                    )
                    if fields[self.first].is_named(pattern)
                ),
                "milliseconds",
            )
        return _UNITS[self.kind][0]


def spans(
    fields: Mapping[str, Field], pairs: Collection[tuple[str, str]], ways: Mapping[str, Mapping[str, Any]]
) -> Iterator[Span]:
    """Yield the durations of one record that last from one of its times to another.

    :param fields: the fields of the record, by path.
    :param pairs: the times that follow each other, by path.
    """
    known = [(first, second) for first, second in pairs if not fields[second].is_named(_NO_END.pattern)]
    for path, field in fields.items():
        kind = "days" if field.is_named(r"\bnights?\b") else numbers.kind_of(field)
        if (
            kind not in _UNITS
            or "distribution" not in ways[path]
            or field.node.kind not in ("int", "long", "float", "double")
        ):
            continue
        lasts = _words(_LASTING, field.says)
        fitting = [pair for pair in known if lasts <= _about(fields, pair) | _WHOLE | _words(_LASTING, field.record)]
        if fitting:
            first, second = max(fitting, key=lambda pair: _fit(lasts, fields, pair))
            yield Span(path, first, second, kind)


def _fit(lasts: frozenset[str], fields: Mapping[str, Field], pair: tuple[str, str]) -> tuple[int, int]:
    """Return how well a duration fits two times: by the words that they share, then by how few others those have."""
    about = _about(fields, pair)
    return len(lasts & about), -len(about)


def _about(fields: Mapping[str, Field], pair: tuple[str, str]) -> frozenset[str]:
    return frozenset().union(*(_words(_POINT, fields[path].says) for path in pair))


def _words(without: re.Pattern[str], says: str) -> frozenset[str]:
    return frozenset(singular(word) for word in without.sub(" ", says).split())
