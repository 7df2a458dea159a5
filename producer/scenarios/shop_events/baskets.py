"""What happens in a visit: products are viewed, some are added to the basket, and the basket is bought or emptied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from producer.toolkit.draws import cumulative, draw_by_row

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NAMES = ("productview", "purchase", "addtobasket", "removefrombasket")
VIEW, BUY, ADD, REMOVE = range(len(NAMES))
LEAVE = len(NAMES)  # no event: what is still in the basket is settled then

# What a shopper does next, by what was done last. A product is added from its page, and at most once in a visit.
NEXT: dict[int, dict[int, float]] = {
    VIEW: {VIEW: 0.60, ADD: 0.17, REMOVE: 0.01, LEAVE: 0.22},
    ADD: {VIEW: 0.56, REMOVE: 0.06, LEAVE: 0.38},
    REMOVE: {VIEW: 0.55, REMOVE: 0.10, LEAVE: 0.35},
}
# Of those who leave with something in the basket, so many buy all of it. The others take everything out again.
BUYERS = 0.45
# Seconds until the next event: medians, by what is done now, and before the first of what is bought; the spread is
# log-normal. What is bought at once follows within seconds.
MEDIAN_S = np.array([16.0, 1.0, 8.0, 5.0])
CHECKOUT_S = 45.0
SIGMA = 0.7
MOST_PRODUCTS = 12  # of a visit

POOL_VISITS = 16_384
_MOST_STEPS = 40


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits to draw from, one after the other: where each begins, its events, and how many products it looks at.

    ``names`` are indices of ``NAMES``. ``slots`` say which of the visit's products each event is about, numbered by
    when they are first viewed. A basket is empty at the end.
    """

    starts: Ints
    lengths: Ints
    products: Ints
    names: NDArray[np.int8]
    slots: NDArray[np.int8]


def draw_visits(rng: np.random.Generator) -> Visits:
    """Let ``POOL_VISITS`` shoppers go through the shop. One who is still there after 40 steps leaves."""
    table = np.zeros((LEAVE + 1, LEAVE + 1))
    for last, following in NEXT.items():
        table[last, list(following)] = list(following.values())
    table[[BUY, LEAVE], LEAVE] = 1.0
    shares = cumulative(table)

    everyone = np.arange(POOL_VISITS)
    name: Ints = np.full(POOL_VISITS, VIEW)
    viewed: Ints = np.ones(POOL_VISITS, dtype=np.int64)
    basket: Bools = np.zeros((POOL_VISITS, MOST_PRODUCTS), dtype=np.bool_)
    steps, slots = [name], [viewed - 1]
    for _ in range(_MOST_STEPS):
        name = draw_by_row(rng, shares, name)
        name = np.where((name == VIEW) & (viewed == MOST_PRODUCTS), LEAVE, name)
        name = np.where((name == REMOVE) & ~basket.any(axis=1), LEAVE, name)
        viewed = viewed + (name == VIEW)
        taken_out = np.argmax(rng.random(basket.shape, dtype=np.float32) * basket, axis=1)
        slot = np.where(name == REMOVE, taken_out, viewed - 1)
        basket[everyone[name == ADD], slot[name == ADD]] = True
        basket[everyone[name == REMOVE], slot[name == REMOVE]] = False
        steps.append(name)
        slots.append(slot)
        if bool(np.all(name == LEAVE)):
            break
    settled = np.where(rng.random(POOL_VISITS) < BUYERS, BUY, REMOVE)[:, None]
    steps += list(np.where(basket, settled, LEAVE).T)
    slots += list(np.broadcast_to(np.arange(MOST_PRODUCTS), basket.shape).T)
    return _laid_out(np.stack(steps, axis=1), np.stack(slots, axis=1), viewed)


def medians_s(names: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return for each event, visit after visit, the median of seconds until the next one."""
    pays = (names[1:] == BUY) & (names[:-1] != BUY)
    medians: NDArray[np.float64] = MEDIAN_S[names]
    medians[:-1][pays] = CHECKOUT_S
    return medians


def _laid_out(names: Ints, slots: Ints, viewed: Ints) -> Visits:
    """Return visits one after the other, without the steps that are no event."""
    happens = names != LEAVE
    lengths = happens.sum(axis=1)
    return Visits(
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        products=viewed,
        names=names[happens].astype(np.int8),
        slots=slots[happens].astype(np.int8),
    )
