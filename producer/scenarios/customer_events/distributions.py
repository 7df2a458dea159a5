"""The distributions of docs/realism.md: what is declared, and what is fitted to data, side by side.

``distributions.sql`` counts; this module fits. What the tables declare for a single step is read from them; what
follows from many steps (the event mix, the hours of the day) is what sessions do that are let run here.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from producer.arrays import plain
from producer.draws import Floats, Ints
from producer.scenarios.customer_events import plays, population, sessions, story
from producer.scenarios.customer_events.catalogue import ZIPF_EXPONENT, Catalogue
from producer.scenarios.customer_events.daytime import CITY_ZONE, ZONES, window
from producer.scenarios.customer_events.tables import CITIES, NETWORK_MEDIAN_MBPS, NETWORKS, PLANS, RHYTHM

_SQL_FILE = Path(__file__).with_name("distributions.sql")
_STATEMENT = re.compile(r"^-- (\w+)\n((?:(?!-- ).*\n?)+)", re.MULTILINE)
_QUARTER_MS = 900_000
_STANDARD_ERRORS = 4.0
_MIN_BLOCKS = 4
# Sessions that are let run for what follows from many steps.
_SESSIONS = 40_000
_EARLY_PERCENT = 12.0
# A block at average activity.
_SPAN_MS = 8 * 3_600_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that is declared and what the data shows; ``found`` is ``None`` where the data is too little to tell."""

    name: str
    declared: float
    found: float | None
    tolerance: float

    @property
    def within(self) -> bool | None:
        """Whether the data agrees; ``None`` where it is too little to tell."""
        return None if self.found is None else abs(self.found - self.declared) <= self.tolerance


@dataclass(frozen=True, slots=True)
class Curve:
    """Shares by class, declared and found: what a plot shows."""

    name: str
    title: str
    axis: str
    labels: Sequence[str]
    declared: Sequence[float]
    found: Sequence[float]


@dataclass(frozen=True, slots=True)
class Declared:
    """What follows from letting sessions run, which end after three hours: so long plays are seen less often.

    ``delays`` are the shares of events by quarter hours since their session began; ``last_ms`` is when the last event
    of each session happens. ``follows`` is how often the next episode is played after a completed one.
    """

    mix: dict[str, float]
    completed: float
    abandoned: float
    follows: float
    delays: Floats
    last_ms: Ints

    def hours(self) -> Floats:
        """Return the share of events in each hour of the customers' clock: the rhythm, moved by the delays."""
        begins = np.repeat(np.array(RHYTHM) / sum(RHYTHM) / 4, 4)
        moved = sum(share * np.roll(begins, later) for later, share in enumerate(self.delays.tolist()))
        hours: Floats = np.asarray(moved).reshape(24, 4).sum(axis=1)
        return hours


def declare(people: population.Population, catalogue: Catalogue, from_ms: int) -> Declared:
    """Let sessions run that nothing cuts short."""
    rng = np.random.default_rng(0)
    open_end = window(from_ms, from_ms + 2 * sessions.SESSION_MS, lead_ms=0)
    users = rng.integers(0, len(people.activity), _SESSIONS)
    began = np.zeros(_SESSIONS, dtype=np.int64)
    events = sessions.simulate(rng, users, people, catalogue, open_end, started_ms=began)
    counts = np.bincount(events.kind, minlength=len(sessions.EVENT_TYPES)) / len(events)
    last = np.zeros(_SESSIONS, dtype=np.int64)
    np.maximum.at(last, events.session, events.at_ms)
    seen = np.flatnonzero(events.play >= 0)
    went = events.plays.take(events.play[seen])
    title, session = events.content[seen], events.session[seen]
    goes_on = (session[1:] == session[:-1]) & went.completed[:-1] & (catalogue.following[title[:-1]] >= 0)
    followed = title[1:] == catalogue.following[title[:-1]]
    return Declared(
        mix=dict(zip(sessions.EVENT_TYPES, counts.tolist(), strict=True)),
        completed=float(went.completed.mean()),
        abandoned=float((went.percentage < _EARLY_PERCENT).mean()),
        follows=float(followed[goes_on].mean()) if goes_on.any() else sessions.FOLLOWS_SHARE,
        delays=np.bincount(events.at_ms // _QUARTER_MS) / len(events),
        last_ms=last,
    )


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
    popularity, popularity_curve = _popularity(dict(rows("titles")), catalogue)
    activity, turns_curve = _activity(rows("turns"), rows("blocks"), declared)
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


def _share(name: str, declared: float, total: int, part: int, tolerance: float) -> Figure:
    """Return a share, which may be off by ``tolerance`` and four standard errors."""
    error = _STANDARD_ERRORS * math.sqrt(declared * (1 - declared) / total) if total else 0.0
    return Figure(name, declared, part / total if total else None, tolerance + error)


def _popularity(found: dict[str, int], catalogue: Catalogue) -> tuple[Figure, Curve]:
    """Fit Zipf's exponent to the plays of titles that are no series: those that follow one another are a series'."""
    titles = plain(catalogue.contents.field("title"))
    ids = plain(catalogue.ids)
    # The catalogue lists titles by popularity, the episodes of a series in a row.
    rank = np.cumsum([before != title for before, title in zip([None, *titles], titles, strict=False)])
    single = np.flatnonzero(catalogue.first < 0)
    ranks = rank[single].astype(np.float64)
    counts = np.array([found.get(ids[place], 0) for place in single.tolist()], dtype=np.float64)
    total = counts.sum()
    classes = np.floor(np.log2(ranks)).astype(np.int64)
    labels = [f"{2**n:,}" for n in range(int(classes.max()) + 1)]
    zipf = ranks**-ZIPF_EXPONENT
    curve = Curve(
        "popularity",
        "Plays by popularity of the title",
        "rank of the title, from",
        labels,
        _shares(np.bincount(classes, weights=zipf)),
        _shares(np.bincount(classes, weights=counts)),
    )
    if not total:
        return Figure("popularity, exponent", ZIPF_EXPONENT, None, 0.04), curve
    mean = float(counts @ np.log(ranks) / total)
    logs = np.log(ranks)

    def expected(exponent: float) -> float:
        weights = ranks**-exponent
        return float(weights @ logs / weights.sum())

    exponent = _solve(lambda value: mean - expected(value), 0.0, 4.0)
    spread = float((zipf @ logs**2) / zipf.sum() - expected(ZIPF_EXPONENT) ** 2)
    error = _STANDARD_ERRORS / math.sqrt(total * spread)
    return Figure("popularity, exponent", ZIPF_EXPONENT, exponent, 0.04 + error), curve


def _activity(
    turns: list[tuple[Any, ...]], blocks: list[tuple[Any, ...]], declared: Declared
) -> tuple[list[Figure], list[Curve]]:
    """Fit mu and sigma of the activity to the numbers of sessions that customers have.

    In a block, the turn of a customer with activity ``a`` comes with probability ``1 - exp(-a t)``, and a session is
    seen if something of it happens in the block. So sessions are binomial, given the activity. Customers of whom
    nothing is seen count as well: it is known how many there are. mu is that of ``a t``, and declared is what
    makes as many sessions with the declared sigma.
    """
    customers = population.USERS_PER_SHARD // 2
    number = {(shard, half): int(count) for shard, half, count in blocks}
    most = max(number.values(), default=0)
    few = [Figure("activity, sigma", population.ACTIVITY_SIGMA, None, 0.0)]
    if most < _MIN_BLOCKS:
        return few, []
    # Halves with equally many blocks are counted together; the largest group is fitted.
    chosen = [key for key, count in number.items() if count == most]
    seen = np.zeros(most + 1)
    for shard, half, size, count in turns:
        if (shard, half) in chosen:
            seen[int(size)] += count
    seen[0] = customers * len(chosen) - seen.sum()
    visible = _visible(declared.last_ms)
    mean = float(np.arange(most + 1) @ seen / seen.sum() / most / visible)

    def shares(sigma: float) -> tuple[float, Floats]:
        mu, chance = _chances(mean, sigma)
        return mu, _binomial(most, visible * chance)

    sigmas = np.arange(0.3, 2.0, 0.02)
    likelihood = [float(seen @ np.log(np.maximum(shares(sigma)[1], 1e-300))) for sigma in sigmas.tolist()]
    sigma = float(sigmas[int(np.argmax(likelihood))])
    (mu, _), (declared_mu, expected) = shares(sigma), shares(population.ACTIVITY_SIGMA)
    shown = min(most, 8)
    curve = Curve(
        "activity",
        "Customers by sessions that they had",
        f"sessions in {most} blocks",
        [*(str(n) for n in range(shown)), f"{shown}+" if most > shown else str(shown)],
        [*expected[:shown].tolist(), float(expected[shown:].sum())],
        [*(seen[:shown] / seen.sum()).tolist(), float(seen[shown:].sum() / seen.sum())],
    )
    return [
        Figure("activity, mu (turns in a block)", declared_mu, mu, 0.15),
        Figure("activity, sigma", population.ACTIVITY_SIGMA, sigma, 0.1),
    ], [curve]


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


_LOG_TIMES = np.linspace(-12.0, 6.0, 400)


def _chances(share: float, sigma: float) -> tuple[float, Floats]:
    """Return mu, and the chance that a customer's turn comes in a block, for each node of the activity.

    In a block that holds the evening, the turns of more customers come than in one that holds the night, as the
    rhythm of the day has it; ``share`` is that of an average block.
    """
    activity = np.exp(sigma * _NODES)
    turned = -np.expm1(-np.exp(_LOG_TIMES)[:, None] * activity) @ _WEIGHTS / _WEIGHTS.sum()
    times = np.exp(np.interp(share * _DAY_PARTS, turned, _LOG_TIMES))
    chances: Floats = -np.expm1(-times[:, None] * activity).mean(axis=0)
    return float(np.interp(share, turned, _LOG_TIMES)), chances


def _day_parts() -> Floats:
    """Return how many more sessions than on average begin in a block and its lead, for each hour of its start."""
    hours = (sessions.SESSION_MS + _SPAN_MS) // 3_600_000
    parts = sum(np.roll(np.array(RHYTHM), -later) for later in range(hours))
    day_parts: Floats = np.asarray(parts) / np.mean(parts)
    return day_parts


_DAY_PARTS = _day_parts()


def _binomial(blocks: int, chance: Floats) -> Floats:
    """Return the shares of customers with 0 to ``blocks`` sessions."""
    chance = np.clip(chance, 1e-12, 1 - 1e-12)
    number = np.arange(blocks + 1)[:, None]
    ways = np.array([math.lgamma(blocks + 1) - math.lgamma(n + 1) - math.lgamma(blocks - n + 1) for n in number[:, 0]])
    each = np.exp(ways[:, None] + number * np.log(chance) + (blocks - number) * np.log1p(-chance))
    shares: Floats = each @ _WEIGHTS / _WEIGHTS.sum()
    return shares


def _visible(last_ms: Ints) -> float:
    """Return the share of a block's sessions of which something happens in it; the others ended before."""
    lead, span = sessions.SESSION_MS, _SPAN_MS
    return float((span + np.minimum(last_ms, lead).mean()) / (span + lead))


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
    figure = Figure(
        "hours of the day, furthest share", 0.0, furthest, 0.006 + _STANDARD_ERRORS * math.sqrt(0.1 / total)
    )
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
        _share(f"events, {name}", share, total, found.get(name, 0), 0.01) for name, share in declared.mix.items()
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
        _share("plays, completed", declared.completed, total, completed, 0.01),
        _share("plays, given up in the first eighth", declared.abandoned, total, abandoned, 0.01),
        Figure(
            "stalls in an hour without head-room", plays.STALLS_PER_HOUR, stalls / hours if hours else None,
            0.05 + _STANDARD_ERRORS * plays.STALLS_PER_HOUR / math.sqrt(max(stalls or 1, 1)),
        ),
        *_log_normal("pauses", pauses, plays.PAUSE_MEDIAN_S, plays.PAUSE_SIGMA, "s"),
    ]  # fmt: skip
    networks = dict(rows("bandwidth"))
    for name, median in zip(NETWORKS, NETWORK_MEDIAN_MBPS, strict=True):
        figures += _log_normal(f"bandwidth, {name}", networks.get(name), median, plays.BANDWIDTH_SIGMA, "Mbit/s")
    return figures


def _log_normal(name: str, quantiles: Sequence[float] | None, median: float, sigma: float, unit: str) -> list[Figure]:
    """Return median and sigma from the logarithms at one sigma below, at, and one above the median."""
    low, middle, high = quantiles or (None, None, None)
    if low is None or middle is None or high is None:
        return [Figure(f"{name}, median {unit}", median, None, 0.0), Figure(f"{name}, sigma", sigma, None, 0.0)]
    return [
        Figure(f"{name}, median {unit}", median, math.exp(middle), 0.06 * median),
        Figure(f"{name}, sigma", sigma, (high - low) / 2, 0.06 * sigma + 0.02),
    ]


def _connections(rows: Callable[[str], list[tuple[Any, ...]]], declared: Declared) -> list[Figure]:
    gaps = dict(rows("gaps"))
    figures = []
    for kind, (median, sigma) in zip(sessions.EVENT_TYPES, sessions.GAPS, strict=True):
        figures += _log_normal(f"pause before {kind}", gaps.get(kind), median, sigma, "s")
    shares = {
        "clicks": ("recommendations followed from the home page", story.CLICK_SHARE),
        "looks": ("title page before its play", story.LOOKS_BEFORE_PLAY),
        "follows": ("next episode after a completed one", declared.follows),
    }
    for query, (name, share) in shares.items():
        ((total, part),) = rows(query)
        figures.append(_share(name, share, total, part, 0.02))
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
        _share(f"customers, {plan.name}", float(expected), total, found.get(plan.name, 0), 0.005)
        for plan, expected in zip(PLANS, share, strict=True)
    ]


def _shares(weights: NDArray[Any]) -> list[float]:
    total = float(weights.sum()) or 1.0
    return [float(weight) / total for weight in weights]


def _solve(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function passes 0, by halving."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
