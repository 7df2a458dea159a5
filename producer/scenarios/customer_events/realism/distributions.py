"""The distributions of docs/realism.md: what is declared, and what is fitted to data, side by side.

``distributions.sql`` counts; this module fits. What the tables declare for a single step is read from them; what
follows from many steps (the event mix, the hours of the day) is what sessions do that are let run in ``declared.py``.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from producer.scenarios.customer_events.behaviour import plays, sessions, story
from producer.scenarios.customer_events.realism.declared import Declared, declare
from producer.scenarios.customer_events.realism.fit_activity import fit_activity
from producer.scenarios.customer_events.realism.fit_popularity import fit_popularity
from producer.scenarios.customer_events.world import population
from producer.scenarios.customer_events.world.catalogue import Catalogue
from producer.scenarios.customer_events.world.daytime import CITY_ZONE, ZONES, window
from producer.scenarios.customer_events.world.tables import CITIES, NETWORK_MEDIAN_MBPS, NETWORKS, PLANS
from producer.toolkit.figures import STANDARD_ERRORS, Curve, Figure, log_normal, share_of

_SQL_FILE = Path(__file__).with_name("distributions.sql")
_STATEMENT = re.compile(r"^-- (\w+)\n((?:(?!-- ).*\n?)+)", re.MULTILINE)


def fit(connection: Any, people: population.Population, catalogue: Catalogue) -> tuple[list[Figure], list[Curve]]:
    """Return figures and curves over what ``rules.prepare`` made ready; nothing of an empty one."""
    queries = {found[1]: found[2] for found in _STATEMENT.finditer(_SQL_FILE.read_text(encoding="utf-8"))}

    def rows(name: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = connection.execute(queries[name]).fetchall()
        return found

    ((events, first, last, _),) = rows("events")
    if not events:
        return [], []
    declared = declare(people, catalogue, _ms(first))
    popularity, popularity_curve = fit_popularity(dict(rows("titles")), catalogue)
    activity, turns_curve = fit_activity(rows("turns"), rows("blocks"), declared)
    hours, hours_curve = _hours(rows("hours"), (_ms(first), _ms(last)), declared)
    mix, mix_curve = _mix(dict(rows("mix")), declared)
    return (
        [
            popularity,
            *activity,
            hours,
            *mix,
            *_plays(rows, declared),
            *_connections(rows, declared),
            *_plans(dict(rows("plans"))),
        ],
        [hours_curve, popularity_curve, *turns_curve, mix_curve],
    )


def _ms(moment: dt.datetime) -> int:
    return int(moment.replace(tzinfo=dt.UTC).timestamp() * 1000)


def _hours(found: list[tuple[Any, ...]], span: tuple[int, int], declared: Declared) -> tuple[Figure, Curve]:
    """Compare events by hour of the customers' clock, for the hours that each time zone was observed."""
    customers = np.bincount(CITY_ZONE, weights=[city.share for city in CITIES], minlength=len(ZONES))
    # The steps of a window are quarter hours; it knows the clocks of all zones.
    observed = window(*span, lead_ms=0)
    exposure = customers @ observed.time_by_hour()
    counts = np.zeros(24)
    for _, hour, count in found:
        counts[int(hour)] += count
    expected = declared.hours()
    there = exposure > 0
    rate = np.divide(counts, exposure, out=np.zeros(24), where=there)
    # Hours that nobody lived through in the data say nothing; the others share what is declared for them.
    shares = rate / rate.sum() * expected[there].sum()
    furthest = float(np.abs(shares - expected)[there].max())
    total = counts.sum()
    figure = Figure("hours of the day, furthest share", 0.0, furthest, 0.006 + STANDARD_ERRORS * math.sqrt(0.1 / total))
    return figure, Curve(
        "hours",
        "Events by hour of the customer's clock",
        "hour of the day",
        [str(hour) for hour in range(24)],
        expected.tolist(),
        shares.tolist(),
    )


def _mix(found: dict[str, int], declared: Declared) -> tuple[list[Figure], Curve]:
    total = sum(found.values())
    figures = [
        share_of(f"events, {name}", share, total, found.get(name, 0), 0.01) for name, share in declared.mix.items()
    ]
    labels = list(declared.mix)
    return figures, Curve(
        "mix",
        "Event mix",
        "type of event",
        labels,
        [declared.mix[name] for name in labels],
        [found.get(name, 0) / total for name in labels],
    )


def _plays(rows: Callable[[str], list[tuple[Any, ...]]], declared: Declared) -> list[Figure]:
    ((total, completed, abandoned),) = rows("plays")
    ((stalls, hours),) = rows("stalls")
    ((pauses,),) = rows("pauses")
    figures = [
        share_of("plays, completed", declared.completed, total, completed, 0.01),
        share_of("plays, given up in the first eighth", declared.abandoned, total, abandoned, 0.01),
        Figure(
            "stalls in an hour without head-room", plays.STALLS_PER_HOUR, stalls / hours if hours else None,
            0.05 + STANDARD_ERRORS * plays.STALLS_PER_HOUR / math.sqrt(max(stalls or 1, 1)),
        ),
        *log_normal("pauses", pauses, plays.PAUSE_MEDIAN_S, plays.PAUSE_SIGMA, "s"),
    ]  # fmt: skip
    networks = dict(rows("bandwidth"))
    for name, median in zip(NETWORKS, NETWORK_MEDIAN_MBPS, strict=True):
        figures += log_normal(f"bandwidth, {name}", networks.get(name), median, plays.BANDWIDTH_SIGMA, "Mbit/s")
    return figures


def _connections(rows: Callable[[str], list[tuple[Any, ...]]], declared: Declared) -> list[Figure]:
    gaps = dict(rows("gaps"))
    figures = []
    for kind, (median, sigma) in zip(sessions.EVENT_TYPES, sessions.GAPS, strict=True):
        figures += log_normal(f"pause before {kind}", gaps.get(kind), median, sigma, "s")
    shares = {
        "clicks": ("recommendations followed from the home page", story.CLICK_SHARE),
        "looks": ("title page before its play", story.LOOKS_BEFORE_PLAY),
        "follows": ("next episode after a completed one", declared.follows),
    }
    for query, (name, share) in shares.items():
        ((total, part),) = rows(query)
        figures.append(share_of(name, share, total, part, 0.02))
    return figures


def _plans(found: dict[str, int]) -> list[Figure]:
    """Compare plans of customers: those who change are on the other plan half of the time."""
    base = np.array([plan.share for plan in PLANS])
    other = np.zeros(len(PLANS))
    for number, share in enumerate(base.tolist()):
        up, down = (number + 1, number - 1)
        ends = [place for place in (up, down) if 0 <= place < len(PLANS)]
        for place in ends:
            other[place] += share / len(ends)
    share = base + population.CHANGING_SHARE / 2 * (other - base)
    total = sum(found.values())
    return [
        share_of(f"customers, {plan.name}", float(expected), total, found.get(plan.name, 0), 0.005)
        for plan, expected in zip(PLANS, share, strict=True)
    ]
