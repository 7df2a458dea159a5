"""Visits of a block: who has them, and how they lie beside each other in time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def draw_distinct(rng: np.random.Generator, log_weights: NDArray[np.float32], count: int) -> Ints:
    """Return ``count`` different indices in any order, those of larger weight more often; all of them if ``count`` is.

    Sampling without replacement by exponential clocks: whoever's rings first is in.
    """
    everyone = len(log_weights)
    clocks = rng.standard_exponential(everyone, dtype=np.float32) * np.exp(-log_weights)
    chosen: Ints = np.argpartition(clocks, count - 1)[:count] if count < everyone else np.arange(everyone)
    rng.shuffle(chosen)
    return chosen


def whole_visits(rng: np.random.Generator, lengths: Ints, events: int) -> tuple[Ints, int]:
    """Draw visits until the next one would not fit into a block, and return them with the events that are left of it.

    :param lengths: events of each visit of a pool, at least 2 on average.
    :param events: of the block.
    """
    drawn = rng.integers(0, len(lengths), events // 2)
    ends = np.cumsum(lengths[drawn])
    count = int(np.searchsorted(ends, events, side="right"))
    if not 0 < count < len(drawn):
        raise RuntimeError("the visits of the pool are too short, or too long, for a block")
    return drawn[:count], events - int(ends[count - 1])


def in_order_of_time(rng: np.random.Generator, stay: Any, lengths: Ints, span_s: float, *, lead_s: float = 0.0) -> Any:
    """Return the order of the events of all visits when each runs at its own time within ``span_s`` seconds.

    A visit lies wholly inside; one that lasts longer is squeezed. An event's time is its place in this order, at a
    steady pace: the times between the events of a visit are those given, and a little of chance.

    :param stay: seconds from each event to the next one of its visit, visit after visit; of the last ones 0.
    :param lengths: events of each visit.
    :param lead_s: whoever would have come so many seconds before the block comes as it begins, so that few visits at a
        time do not run too fast there.
    """
    last = np.cumsum(lengths) - 1
    left = np.cumsum(stay)  # when each event's place is left, all visits one after the other
    began = np.concatenate([[0.0], left[last[:-1]]])
    lasts = left[last] - began
    squeeze = np.minimum(1.0, span_s / np.maximum(lasts, 1e-9))
    start = np.maximum(rng.random(len(lengths)) * (np.maximum(span_s - lasts, 0.0) + lead_s) - lead_s, 0.0)
    at = np.repeat(start - began * squeeze, lengths) + (left - stay) * np.repeat(squeeze, lengths)
    return np.argsort(at, kind="stable")
