"""Is data of ``customer_events`` real enough? Every rule, and every distribution beside what is declared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from producer.scenarios.customer_events.realism.distributions import fit
from producer.scenarios.customer_events.realism.rules import declared_rules, prepare
from producer.scenarios.customer_events.world.catalogue import build_catalogue
from producer.scenarios.customer_events.world.population import build_population
from producer.toolkit.rules import Realism, Rule, check_rules

_DAY_S = 86_400


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
    rules = check_rules(connection, declared_rules(), progress=progress)
    figures, curves = fit(connection, people, catalogue)
    return Realism(int(events), seed, rules, figures, curves)
