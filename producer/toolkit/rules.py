"""What no record of a scenario may break, as SQL: one statement for each rule, in a file beside the scenario.

Each statement stands under a comment that names and states its rule (``-- R01 what must hold``), and selects the ids of
the events that break it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from producer.toolkit.figures import Curve, Figure

_RULE = re.compile(r"^-- ([A-Z]\d\d) (.+)\n((?:(?!-- [A-Z]\d\d ).*\n?)*)", re.MULTILINE)
_MAX_EXAMPLES = 5
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: ``query`` selects the ids of events that break it."""

    id: str
    text: str
    query: str


@dataclass(frozen=True, slots=True)
class RuleResult:
    """How often a rule is broken, and the first events that break it."""

    rule: Rule
    violations: int
    examples: tuple[str, ...]


def load_rules(path: Path) -> list[Rule]:
    """Return the rules of a file in order."""
    text = path.read_text(encoding="utf-8")
    return [Rule(found[1], found[2], found[3].strip().rstrip(";")) for found in _RULE.finditer(text)]


def check_rules(
    connection: Any, rules: Iterable[Rule], *, progress: Callable[[Rule], None] | None = None
) -> list[RuleResult]:
    """Check rules over what their queries read.

    :param connection: of DuckDB.
    :param progress: is told each rule before it is checked.
    """
    results = []
    for rule in rules:
        if progress is not None:
            progress(rule)
        results.append(_check(connection, rule))
    return results


def _check(connection: Any, rule: Rule) -> RuleResult:
    query = f"SELECT count(*), min(id, {_MAX_EXAMPLES}) FROM (SELECT DISTINCT id FROM ({rule.query}) AS broken(id))"  # noqa: S608
    number, examples = connection.execute(query).fetchone()
    return RuleResult(rule, number, tuple(examples or ()))


@dataclass(frozen=True, slots=True)
class Realism:
    """What the data shows: ``rules`` in order, ``figures`` beside what is declared, ``curves`` to plot."""

    events: int
    seed: int
    rules: list[RuleResult]
    figures: list[Figure]
    curves: list[Curve]

    @property
    def violations(self) -> int:
        """How often rules are broken, over all rules."""
        return sum(result.violations for result in self.rules)

    def per_million(self, violations: int) -> float:
        """Return violations in a million events."""
        return round(violations * _MILLION / self.events, 3) if self.events else 0.0

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {
            "events": self.events,
            "seed": self.seed,
            "violations": self.violations,
            "violations_per_million": self.per_million(self.violations),
            "rules": [
                {
                    "rule": result.rule.id,
                    "text": result.rule.text,
                    "violations": result.violations,
                    "per_million": self.per_million(result.violations),
                    "examples": list(result.examples),
                }
                for result in self.rules
            ],
            "figures": [asdict(figure) | {"within": figure.within} for figure in self.figures],
            "curves": [asdict(curve) for curve in self.curves],
        }
