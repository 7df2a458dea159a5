"""The activity of customers: a log-normal, fitted to how many sessions they have."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from producer.scenarios.customer_events.behaviour import sessions
from producer.scenarios.customer_events.realism.declared import Declared
from producer.scenarios.customer_events.world import population
from producer.scenarios.customer_events.world.tables import RHYTHM
from producer.toolkit.draws import Floats, Ints
from producer.toolkit.figures import Curve, Figure

_MIN_BLOCKS = 4
# A block at average activity.
_SPAN_MS = 8 * 3_600_000


def fit_activity(
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
