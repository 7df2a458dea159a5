"""Which fields a rule looks at: what a field's values, and what its nulls, follow from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from producer.scenarios.declared.rules import Rule

Aspect = Literal["values", "nulls"]
Part = tuple[str, Aspect]


def led_by(rule: Rule, aspect: Aspect) -> Iterator[Part]:
    """Yield what the values, or the nulls, of a rule's field follow from: of which fields, and which aspect of them."""
    if aspect == "nulls":
        if rule.nulls_with is not None:
            yield rule.nulls_with, "nulls"
        for other in rule.nulls_where or ():
            yield other, "values"
        return
    if rule.reference is not None:
        yield rule.reference.field, "values"
    if rule.computed is not None:
        for part in rule.computed.parts:
            yield part, "values"
            if rule.computed.span is None:
                yield part, "nulls"
        if rule.computed.count is not None:
            yield rule.computed.count, "nulls"


def circle(start: str, aspect: Aspect, rule_of: Callable[[str], Rule | None]) -> tuple[str, ...]:
    """Return the way into a circle, if what a field follows from leads into one."""
    return tuple(path for path, _ in _round((start, aspect), (), set(), rule_of))


def _round(
    part: Part, way: tuple[Part, ...], clear: set[Part], rule_of: Callable[[str], Rule | None]
) -> tuple[Part, ...]:
    """Search depth first for what comes round again; what is ``clear`` leads into no circle."""
    if part in way:
        return (*way, part)
    rule = rule_of(part[0])
    if part not in clear and rule is not None:
        for other in led_by(rule, part[1]):
            if found := _round(other, (*way, part), clear, rule_of):
                return found
        clear.add(part)
    return ()
