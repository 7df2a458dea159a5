"""Is data of ``customer_events`` real enough? Every rule, and every distribution beside what is declared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from producer.scenarios.customer_events.realism.distributions import fit
from producer.scenarios.customer_events.realism.figures import Curve, Figure
from producer.scenarios.customer_events.realism.rules import Rule, RuleResult, check_rules, prepare
from producer.scenarios.customer_events.world.catalogue import build_catalogue
from producer.scenarios.customer_events.world.population import build_population

_MILLION = 1_000_000
_DAY_S = 86_400


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


def examine(
    connection: Any,
    source: str,
    *,
    seed: int,
    sent_at: dt.datetime,
    began: dt.datetime | None = None,
    progress: Callable[[Rule], None] | None = None,
) -> Realism:
    """Check events of one run against docs/realism.md. Everything that is made in the database is temporary.

    :param connection: of DuckDB.
    :param source: a relation in SQL with the columns of the contract: the events of one run, of any number of shards.
    :param seed: of the run; the catalogue follows from it.
    :param sent_at: when the last event was sent.
    :param began: when event time begins; the first event's time when ``None``.
    :param progress: is told each rule before it is checked.
    :raises Misconfigured: columns are missing.
    """
    connection.execute("SET TimeZone = 'UTC'")
    query = f'SELECT count(*), min("timestamp")::TIMESTAMP FROM {source}'  # noqa: S608 - a caller's relation
    events, first = connection.execute(query).fetchone()
    start = (began or first or sent_at).replace(tzinfo=dt.UTC)
    catalogue = build_catalogue(seed, before_year=start.year)
    people = build_population(
        seed, 0, genre_weights=catalogue.genre_weights, first_day=int(start.timestamp()) // _DAY_S
    )
    prepare(connection, source, catalogue.contents, sent_at=sent_at)
    rules = check_rules(connection, progress=progress)
    figures, curves = fit(connection, people, catalogue)
    return Realism(int(events), seed, rules, figures, curves)
