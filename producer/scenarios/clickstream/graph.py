"""Where a visitor goes next: the session graph, with weights, and a pool of paths through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

STATES = (
    "home_page",
    "product_catalog",
    "product_detail",
    "add_to_cart",
    "remove_from_cart",
    "order",
    "order_checkout",
    "",  # the end of the session is an event of its own
)
HOME, CATALOG, DETAIL, ADD, REMOVE, ORDER, CHECKOUT, END = range(len(STATES))

# The edges are those of the AWS sample producer, and a way out of every page: visitors leave wherever they are.
# With these weights a session has 5.5 events on average, and 2.5 of 100 check out (2 to 3 are usual for a shop).
EDGES: dict[int, dict[int, float]] = {
    HOME: {CATALOG: 0.84, END: 0.16},
    CATALOG: {DETAIL: 0.62, HOME: 0.14, END: 0.24},
    DETAIL: {CATALOG: 0.66, ADD: 0.10, END: 0.24},
    ADD: {CATALOG: 0.36, ORDER: 0.32, REMOVE: 0.08, END: 0.24},
    REMOVE: {DETAIL: 0.25, CATALOG: 0.40, END: 0.35},
    ORDER: {CHECKOUT: 0.66, REMOVE: 0.06, CATALOG: 0.12, END: 0.16},
    CHECKOUT: {END: 1.0},
}
# Seconds on a page before the next click: medians; the spread is log-normal.
MEDIAN_S = np.array([6.0, 11.0, 17.0, 8.0, 6.0, 28.0, 30.0, 0.0])
SIGMA = 0.7

PRODUCTS = ("cell phones", "laptops", "ear phones", "soundbars", "cd players", "AirPods", "video games", "cameras")
PRODUCT_WEIGHTS = np.array([0.24, 0.17, 0.14, 0.07, 0.03, 0.15, 0.13, 0.07])
NO_PRODUCT, AFTER_END = len(PRODUCTS), len(PRODUCTS) + 1
PRODUCT_NAMES = (*PRODUCTS, "N/A", "")

POOL_PATHS = 32_768
_MOST_STEPS = 400


@dataclass(frozen=True, slots=True)
class Paths:
    """Sessions to draw from, one after the other: where each begins, how long it is, its states and products."""

    starts: Ints
    lengths: Ints
    states: NDArray[np.int8]
    products: NDArray[np.int8]


def draw_paths(rng: np.random.Generator) -> Paths:
    """Walk the graph ``POOL_PATHS`` times. A path that would go on after 400 steps ends there."""
    table = np.zeros((len(STATES), len(STATES)))
    for origin, edges in EDGES.items():
        table[origin, list(edges)] = list(edges.values())
    table[END, END] = 1.0
    cumulative = np.cumsum(table, axis=1)
    cumulative /= cumulative[:, -1:]
    likes = np.cumsum(PRODUCT_WEIGHTS) / PRODUCT_WEIGHTS.sum()

    state: Ints = np.full(POOL_PATHS, HOME)
    product: Ints = np.full(POOL_PATHS, NO_PRODUCT)
    steps, looked_at = [state], [product]
    for _ in range(_MOST_STEPS):
        if bool(np.all(state == END)):
            break
        state = (rng.random(POOL_PATHS)[:, None] >= cumulative[state]).sum(axis=1)
        # A product is chosen on its page and stays in hand until the visitor looks around again.
        chosen = np.searchsorted(likes, rng.random(POOL_PATHS), side="right")
        product = np.where(state == DETAIL, chosen, np.where((state == HOME) | (state == CATALOG), NO_PRODUCT, product))
        product = np.where(state == END, AFTER_END, product)
        steps.append(state)
        looked_at.append(product)
    states = np.stack(steps, axis=1)
    states[:, -1] = END
    lengths = (states != END).sum(axis=1) + 1
    inside = np.arange(states.shape[1]) < lengths[:, None]
    return Paths(
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        states=states[inside].astype(np.int8),
        products=np.stack(looked_at, axis=1)[inside].astype(np.int8),
    )
