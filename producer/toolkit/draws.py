"""Weighted draws on arrays: inverse transform sampling over cumulative weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def cumulative(weights: ArrayLike) -> Floats:
    """Return the cumulative distribution of the weights; the last entry is exactly 1."""
    steps = np.cumsum(np.asarray(weights, dtype=np.float64), axis=-1)
    shares: Floats = steps / steps[..., -1:]
    return shares


def draw(rng: np.random.Generator, distribution: Floats, size: int) -> Ints:
    """Return ``size`` indices distributed as a ``cumulative`` says."""
    return np.searchsorted(distribution, rng.random(size), side="right")


def draw_by_row(rng: np.random.Generator, table: Floats, rows: Ints) -> Ints:
    """Return for each of ``rows`` an index distributed as that row of a table of ``cumulative`` rows."""
    chance, chosen = rng.random(len(rows)), np.zeros(len(rows), dtype=np.int64)
    for column in np.ascontiguousarray(table.T):  # by columns: there are few, and one after the other lies together
        chosen += chance >= column[rows]
    return chosen


def spread(starts: Ints, lengths: Ints) -> Ints:
    """Return the numbers of all ranges ``[start, start + length)``, one range after the other."""
    before = np.cumsum(lengths) - lengths
    numbers: Ints = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(starts - before, lengths)
    return numbers
