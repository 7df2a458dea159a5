"""Rates over time as curves: how many events are due by a moment, and at which moment an amount is reached.

A curve is pure arithmetic in real numbers: it knows no clock, no whole events and no shards. ``area`` is the integral
of ``rate``; ``when`` is its inverse. Where the rate is 0 for a while, ``when`` answers with the end of the pause: an
event is never due in one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

# Amounts closer than this are one amount: sums of floats at a joint do not meet exactly.
_TOLERANCE = 1e-7
_RELATIVE = 1e-12
_MOST_STEPS = 80


class Curve(Protocol):
    """Events a second over ``[0, duration_s)``; ``duration_s`` is infinite for a curve without an end."""

    @property
    def duration_s(self) -> float:
        """Return seconds until the curve ends."""
        ...

    def rate(self, at_s: float) -> float:
        """Return events a second at a moment."""
        ...

    def area(self, until_s: float) -> float:
        """Return how many events the curve asks for before a moment, as a real number."""
        ...

    def when(self, amount: float) -> float:
        """Return the last moment at which ``area`` is no more than ``amount``, a number from 0 to the whole area."""
        ...


def tolerance(amount: float) -> float:
    """Return how far two sums of about ``amount`` may be apart and mean the same."""
    return _TOLERANCE + _RELATIVE * amount


@dataclass(frozen=True, slots=True)
class Line:
    """A rate that goes in a straight line from ``start`` to ``end``."""

    start: float
    end: float
    duration_s: float

    @property
    def _slope(self) -> float:
        return (self.end - self.start) / self.duration_s

    def rate(self, at_s: float) -> float:
        """Return events a second at a moment."""
        return self.start + self._slope * at_s if at_s < self.duration_s else self.end

    def area(self, until_s: float) -> float:
        """Return the events before a moment."""
        until_s = min(until_s, self.duration_s)
        return 0.0 if until_s <= 0 else until_s * (self.start + self._slope * until_s / 2)

    def when(self, amount: float) -> float:
        """Return the moment of an amount: the stable form of the quadratic formula."""
        root = math.sqrt(max(0.0, self.start * self.start + 2 * self._slope * amount))
        below = self.start + root
        if below <= 0:
            return self.duration_s if self.end <= 0 else 0.0
        return min(self.duration_s, 2 * amount / below)


@dataclass(frozen=True, slots=True)
class Wave:
    """One period of a sine that starts and ends at ``low`` and reaches ``high`` in the middle."""

    low: float
    high: float
    duration_s: float

    def rate(self, at_s: float) -> float:
        """Return events a second at a moment."""
        middle, swing = (self.low + self.high) / 2, (self.high - self.low) / 2
        return middle - swing * math.cos(2 * math.pi * at_s / self.duration_s)

    def area(self, until_s: float) -> float:
        """Return the events before a moment."""
        until_s = min(max(until_s, 0.0), self.duration_s)
        middle, swing = (self.low + self.high) / 2, (self.high - self.low) / 2
        turn = 2 * math.pi / self.duration_s
        return middle * until_s - swing / turn * math.sin(turn * until_s)

    def when(self, amount: float) -> float:
        """Return the moment of an amount: Newton's steps, kept inside an interval that halves when they leave it."""
        before, after = 0.0, self.duration_s
        at = amount / max(self.area(self.duration_s), 1e-300) * self.duration_s
        for _ in range(_MOST_STEPS):
            over = self.area(at) - amount
            if over > 0:
                after = at
            else:
                before = at
            rate = self.rate(at)
            guess = at - over / rate if rate > 0 else -1.0
            step = guess if before <= guess <= after else (before + after) / 2
            if abs(step - at) <= 1e-13 * self.duration_s:
                break
            at = step
        return at


class Joined:
    """Curves one after the other; only the last may have no end."""

    def __init__(self, parts: Sequence[Curve]) -> None:
        self._parts = tuple(parts)
        self._starts, self._amounts = [0.0], [0.0]
        for part in self._parts[:-1]:
            self._starts.append(self._starts[-1] + part.duration_s)
            self._amounts.append(self._amounts[-1] + part.area(part.duration_s))
        self.duration_s = self._starts[-1] + self._parts[-1].duration_s

    def rate(self, at_s: float) -> float:
        """Return events a second at a moment."""
        place = self._place(self._starts, at_s)
        return self._parts[place].rate(at_s - self._starts[place])

    def area(self, until_s: float) -> float:
        """Return the events before a moment."""
        place = self._place(self._starts, until_s)
        return self._amounts[place] + self._parts[place].area(until_s - self._starts[place])

    def when(self, amount: float) -> float:
        """Return the moment of an amount; on a joint, that of the part after it."""
        place = self._place(self._amounts, amount + tolerance(amount))
        return self._starts[place] + self._parts[place].when(max(0.0, amount - self._amounts[place]))

    def _place(self, bounds: list[float], value: float) -> int:
        return max(0, bisect_right(bounds, value) - 1)


class Repeated:
    """One period again and again, until ``duration_s``."""

    def __init__(self, period: Curve, duration_s: float = math.inf) -> None:
        self._period = period
        self._amount = period.area(period.duration_s)
        self.duration_s = duration_s

    def rate(self, at_s: float) -> float:
        """Return events a second at a moment."""
        return self._period.rate(math.fmod(at_s, self._period.duration_s))

    def area(self, until_s: float) -> float:
        """Return the events before a moment."""
        periods, rest_s = divmod(min(max(until_s, 0.0), self.duration_s), self._period.duration_s)
        return periods * self._amount + self._period.area(rest_s)

    def when(self, amount: float) -> float:
        """Return the moment of an amount."""
        periods = math.floor((amount + tolerance(amount)) / self._amount) if self._amount > 0 else 0
        rest = max(0.0, amount - periods * self._amount)
        return min(self.duration_s, periods * self._period.duration_s + self._period.when(rest))
