"""Which fields of a declared scenario take faults: those whose rule says what their values never are."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from producer.faults.targets import FITS
from producer.scenarios.declared.defaults.words import phrase
from producer.scenarios.declared.rules import Computed, Distribution, Pool, Rule
from producer.scenarios.declared.typing_of_values import laid_out
from producer.scenarios.declared.values import kind_of, of_python
from schemas.fault_targets import FaultTargets
from schemas.types.tree import Node

# Texts beyond that are no longer one of a few.
MOST_CHOICES = 100
# An event that is less behind the one before it is not late, one so far ahead is not dated ahead; detectors have some
# room above.
_JITTER_S = 20.0
_LASTING = re.compile(r"\b(duration|elapsed|latency|length|wait|waiting)\b|\b(s|seconds|ms|us|ns|minutes|hours)$")


@dataclass(frozen=True, slots=True)
class _Field:
    """One field that is not an item of a list, map or union, with the rule that its values come from in the end."""

    path: str
    node: Node
    rule: Rule
    nulls: bool


def fault_targets(
    root: Node, rules: Mapping[str, Rule], pools: Mapping[str, Pool], *, key: str | None, event_time: str | None
) -> FaultTargets:
    """Return what faults can be put into.

    event time: ``event_time``, or the first time that is the event's, within 20 seconds
    date: the event time, or the first time that is never more than 20 seconds after it
    duration: a number that is never below zero, one that is named like a duration first
    choice: a text with a ``choice`` of at most 100, or else with a ``constant``

    :param event_time: the field that the file says it is.
    """
    fields = [field for field in _fields(root, rules, pools) if field.path != key]
    moments = [field.path for field in fields if FITS["event_time"](field.node) and _is_event_time(field)]
    if event_time is not None:
        moments = [path for path in moments if path == event_time]
    dates = [field.path for field in fields if FITS["date"](field.node) and _is_past(field)]
    numbers = [field.path for field in fields if FITS["duration"](field.node) and _is_never_negative(field.rule, rules)]
    texts = [(field, _texts(field)) for field in fields if FITS["choice"](field.node)]
    few = sorted((pair for pair in texts if pair[1]), key=lambda pair: pair[0].rule.choice is None)
    return FaultTargets(
        event_time=_first(moments),
        date=_first([path for path in dates if path in moments] + dates),
        duration=_first([path for path in numbers if _LASTING.search(phrase(path.rsplit(".", 1)[-1]))] + numbers),
        choice=few[0][0].path if few else None,
        choices=few[0][1] if few else (),
    )


def _first(paths: list[str]) -> str | None:
    return next(iter(paths), None)


def _fields(root: Node, rules: Mapping[str, Rule], pools: Mapping[str, Pool], within: str = "") -> Iterator[_Field]:
    for name, node in root.fields:
        path = within + name
        if node.kind == "record":
            yield from _fields(node, rules, pools, path + ".")
        else:
            yield _Field(path, node, _source(rules[path], rules, pools), bool(node.nullable and rules[path].nulls))


def _source(rule: Rule, rules: Mapping[str, Rule], pools: Mapping[str, Pool]) -> Rule:
    """Return the rule that values come from, through plain references and pools."""
    while rule.reference is not None and rule.reference.times is None and rule.reference.plus is None:
        rule = rules[rule.reference.field]
    if rule.pool is not None:
        name, _, column = rule.pool.partition(".")
        return pools[name].columns[column]
    return rule


def _is_event_time(field: _Field) -> bool:
    if field.rule.timestamp is None or field.nulls:
        return False
    low, high = _bounds(field.rule.timestamp.back_s)
    return high - low <= _JITTER_S


def _is_past(field: _Field) -> bool:
    return field.rule.timestamp is not None and _bounds(field.rule.timestamp.back_s)[0] >= -_JITTER_S


def _is_never_negative(rule: Rule, rules: Mapping[str, Rule]) -> bool:
    if rule.distribution is not None:
        return _bounds(rule.distribution)[0] >= 0
    if rule.computed is not None:
        return _is_computed_above(rule.computed, rules)
    values = rule.choice.values if rule.choice is not None else [] if rule.constant is None else [rule.constant]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return bool(values) and len(numbers) == len(values) and min(numbers) >= 0


def _is_computed_above(one: Computed, rules: Mapping[str, Rule]) -> bool:
    """Tell whether what follows from other fields is never below zero: a count, or of parts that never are."""
    if one.span is not None:
        start, end = one.span
        for later, earlier, sign in ((end, start, 1), (start, end, -1)):
            follows = rules[later].reference
            if follows is not None and follows.field == earlier and follows.times is None:
                return min(sign * bound for bound in _bounds(follows.plus)) >= 0
        return False
    above = all(part[0] != "-" for part in one.sum or ()) and (one.times or 0) >= 0 and (one.plus or 0) >= 0
    return one.count is not None or (above and all(_is_never_negative(rules[part], rules) for part in one.parts))


def _bounds(wanted: Distribution | None) -> tuple[float, float]:
    """Return between which numbers a distribution lies; without one, it is 0."""
    if wanted is None:
        return 0.0, 0.0
    low, high = {
        "uniform": (wanted.low or 0.0, wanted.high or 0.0),
        "normal": (-math.inf, math.inf),
        "constant": (wanted.value or 0.0, wanted.value or 0.0),
    }.get(wanted.kind, (0.0, math.inf))
    if wanted.min is not None:
        low, high = max(low, wanted.min), max(high, wanted.min)
    if wanted.max is not None:
        low, high = min(low, wanted.max), min(high, wanted.max)
    return low, high


def _texts(field: _Field) -> tuple[str, ...]:
    """Return the texts that a field takes if they are few, as the event will have them."""
    rule = field.rule
    values = rule.choice.values if rule.choice is not None else () if rule.constant is None else (rule.constant,)
    kind = kind_of(values) if values else None
    if kind is None or len(values) > MOST_CHOICES:
        return ()
    return tuple(laid_out(of_python(values, kind), field.node, field.path).to_pylist())
