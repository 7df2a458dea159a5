"""Whole events at their moments: a shape's events numbered from 0, over all shards or of one.

Event ``n`` is due when the curve has asked for ``n`` events before it, so the first is due as soon as the rate is
above 0. Events are dealt to shards in turn: shard ``i`` of ``k`` has events ``i``, ``i + k``, ``i + 2k`` ... At every
moment the shards' counts sum to the whole, exactly, and differ by one at most.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from producer.shapes.curves import Curve, tolerance

if TYPE_CHECKING:
    from producer.shapes.arrivals import UnitArrivals

# Two moments closer than this are one: far below the spacing of any rate that one machine can send.
_GRAIN_S = 1e-9


class Schedule(Protocol):
    """When each event is due, in seconds from the start. ``planned`` is ``None`` without an end."""

    @property
    def planned(self) -> int | None:
        """Return how many events there are."""
        ...

    def at(self, number: int) -> float:
        """Return when event ``number`` is due; infinite beyond the last."""
        ...

    @property
    def duration_s(self) -> float:
        """Return how long it is; infinite without an end."""
        ...

    def amount(self, until_s: float) -> float:
        """Return what is asked for by a moment, in parts of events."""
        ...

    def end(self, events: int) -> float:
        """Return when the first ``events`` have had their time: the run's next one is due; infinite after the last."""
        ...

    def due(self, until_s: float) -> int:
        """Return how many events are due by a moment: those with ``at(n) <= until_s``."""
        ...

    def before(self, until_s: float) -> int:
        """Return how many events are due before a moment, to the nanosecond."""
        ...


class Leg:
    """A curve at its place in the schedule, with its events evenly over it or with random gaps."""

    def __init__(self, curve: Curve, start_s: float, first: int, arrivals: UnitArrivals | None) -> None:
        self.curve = curve
        self.start_s = start_s
        self.first = first
        self._arrivals = arrivals
        self.events: int | None = None
        if math.isfinite(curve.duration_s):
            amount = curve.area(curve.duration_s)
            self.events = arrivals.below(amount) if arrivals else math.ceil(amount - tolerance(amount))

    def at(self, number: int) -> float:
        """Return when event ``number`` of the schedule is due."""
        own = number - self.first
        return self.start_s + self.curve.when(float(own) if self._arrivals is None else self._arrivals.at(own))

    def guess(self, until_s: float) -> int:
        """Return about how many events of the schedule are due by a moment in the leg."""
        amount = self.curve.area(until_s - self.start_s)
        own = self._arrivals.below(amount) if self._arrivals else math.floor(amount) + 1
        return self.first + (own if self.events is None else min(own, self.events))


class WholeSchedule:
    """The events of all shards together.

    :param parts: curves, and for each the arrivals of its random gaps, or ``None`` for even ones.
    """

    def __init__(self, parts: Sequence[tuple[Curve, UnitArrivals | None]]) -> None:
        self._legs: list[Leg] = []
        start_s, first = 0.0, 0
        for curve, arrivals in parts:
            leg = Leg(curve, start_s, first, arrivals)
            self._legs.append(leg)
            start_s += curve.duration_s
            first += leg.events or 0
        self.duration_s = start_s
        self.planned = None if self._legs[-1].events is None else first
        self._starts = [leg.start_s for leg in self._legs]
        self._firsts = [leg.first for leg in self._legs]

    def at(self, number: int) -> float:
        """Return when event ``number`` is due; infinite beyond the last."""
        if self.planned is not None and number >= self.planned:
            return math.inf
        return self._legs[bisect_right(self._firsts, number) - 1].at(number)

    def end(self, events: int) -> float:
        """Return when the first ``events`` have had their time: the next is due; infinite after the last."""
        return self.at(events)

    def due(self, until_s: float) -> int:
        """Return how many events are due by a moment."""
        return self._count(until_s, lambda at: at <= until_s)

    def before(self, until_s: float) -> int:
        """Return how many events are due before a moment."""
        return self._count(until_s, lambda at: at < until_s - _GRAIN_S)

    def amount(self, until_s: float) -> float:
        """Return what the curves ask for by a moment: not whole events, so that a level rate reads as itself."""
        if until_s <= 0:
            return 0.0
        leg = self._legs[bisect_right(self._starts, until_s) - 1]
        return leg.first + leg.curve.area(min(until_s - leg.start_s, leg.curve.duration_s))

    def rate(self, at_s: float) -> float:
        """Return events a second that are asked for at a moment; 0 beyond the end."""
        if not 0 <= at_s < self.duration_s:
            return 0.0
        leg = self._legs[bisect_right(self._starts, at_s) - 1]
        return leg.curve.rate(at_s - leg.start_s)

    def _count(self, until_s: float, holds: Callable[[float], bool]) -> int:
        """Count by the moments themselves, from a guess by area, so that this and ``at`` always agree."""
        if until_s < 0:
            return 0
        count = self._legs[bisect_right(self._starts, until_s) - 1].guess(until_s)
        while count > 0 and not holds(self.at(count - 1)):
            count -= 1
        while holds(self.at(count)):
            count += 1
        return count


@dataclass(frozen=True, slots=True)
class ShardSchedule:
    """The events of one shard, numbered from 0: every ``shards``-th of the whole."""

    whole: WholeSchedule
    shard: int
    shards: int

    @property
    def planned(self) -> int | None:
        """Return how many events the shard has."""
        return None if self.whole.planned is None else self._own(self.whole.planned)

    def at(self, number: int) -> float:
        """Return when event ``number`` of the shard is due."""
        return self.whole.at(number * self.shards + self.shard)

    def amount(self, until_s: float) -> float:
        """Return the shard's share of what is asked for by a moment, in parts of events."""
        return self.whole.amount(until_s) / self.shards

    def end(self, events: int) -> float:
        """Return when the shard's first ``events`` have had their time: the next one of any shard is due."""
        return self.whole.at((events - 1) * self.shards + self.shard + 1) if events else 0.0

    @property
    def duration_s(self) -> float:
        """Return how long the schedule is; infinite without an end."""
        return self.whole.duration_s

    def due(self, until_s: float) -> int:
        """Return how many of the shard's events are due by a moment."""
        return self._own(self.whole.due(until_s))

    def before(self, until_s: float) -> int:
        """Return how many of the shard's events are due before a moment."""
        return self._own(self.whole.before(until_s))

    def _own(self, number: int) -> int:
        return max(0, -(-(number - self.shard) // self.shards))
