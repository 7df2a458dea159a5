"""Poisson arrivals: exponential gaps of mean 1, as a pure function of (seed, number)."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_BLOCK = 16_384
_STREAM = 0x504F4953  # keeps these numbers apart from all others that are drawn from the seed
_KEPT_BLOCKS = 4


class UnitArrivals:
    """Arrivals of a Poisson process that brings one event per unit, numbered from 0.

    Blocks are drawn from generators of their own, so a block is the same whatever was asked before it. A shape's
    arrivals are these, bent to its curve: event ``n`` comes when the curve's area reaches ``at(n)``
    (time change of a Poisson process, Cinlar 1975).
    """

    def __init__(self, seed: int, place: int) -> None:
        self._entropy = (seed, _STREAM, place)
        self._ends: list[float] = []
        self._block = lru_cache(maxsize=_KEPT_BLOCKS)(self._drawn)

    def at(self, number: int) -> float:
        """Return where arrival ``number`` is."""
        block, place = divmod(number, _BLOCK)
        self._reach(block)
        return float(self._begin(block) + self._block(block)[place])

    def below(self, amount: float) -> int:
        """Return how many arrivals are before ``amount``."""
        while not self._ends or self._ends[-1] < amount:
            self._reach(len(self._ends))
        block = bisect_left(self._ends, amount)
        return block * _BLOCK + int(np.searchsorted(self._block(block) + self._begin(block), amount, side="left"))

    def _begin(self, block: int) -> float:
        return self._ends[block - 1] if block else 0.0

    def _reach(self, block: int) -> None:
        while len(self._ends) <= block:
            number = len(self._ends)
            self._ends.append(float(self._begin(number) + self._block(number)[-1]))

    def _drawn(self, block: int) -> NDArray[np.float64]:
        drawn = np.random.default_rng([*self._entropy, block]).standard_exponential(_BLOCK)
        sums: NDArray[np.float64] = np.cumsum(drawn)
        return sums
