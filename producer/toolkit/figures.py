"""A figure and a curve: what is declared beside what the data shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

STANDARD_ERRORS = 4.0


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


def share_of(name: str, declared: float, total: int, part: int, tolerance: float) -> Figure:
    """Return a share, which may be off by ``tolerance`` and four standard errors."""
    error = STANDARD_ERRORS * math.sqrt(declared * (1 - declared) / total) if total else 0.0
    return Figure(name, declared, part / total if total else None, tolerance + error)


def log_normal(name: str, quantiles: Sequence[float] | None, median: float, sigma: float, unit: str) -> list[Figure]:
    """Return median and sigma from the logarithms at one sigma below, at, and one above the median."""
    low, middle, high = quantiles or (None, None, None)
    if low is None or middle is None or high is None:
        return [Figure(f"{name}, median {unit}", median, None, 0.0), Figure(f"{name}, sigma", sigma, None, 0.0)]
    return [
        Figure(f"{name}, median {unit}", median, math.exp(middle), 0.06 * median),
        Figure(f"{name}, sigma", sigma, (high - low) / 2, 0.06 * sigma + 0.02),
    ]
