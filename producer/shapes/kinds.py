"""The shapes by name: what each is told, what it refuses, and the curve it stands for.

The fields of a class are the arguments of its shape, in order; their types say how each is written. A ``duration`` that
may be left out means without an end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from producer.shapes.curves import Curve, Joined, Line, Repeated, Wave
from producer.shapes.schedule import WholeSchedule

if TYPE_CHECKING:  # deferred: it loads numpy, and who reads a shape draws nothing
    from producer.shapes.arrivals import UnitArrivals

# Events a second, seconds, and pieces: the grammar reads fields by these names.
Rate = float
Duration = float
Count = int

MAX_STEPS = 1000
MAX_RATE = 1e9
MAX_DURATION_S = 1e9
_HOURS = 24
# Share of the way from low to high at each full hour: quiet at night, a small noon, the peak at 21:00.
_DAY = (
    0.30, 0.16, 0.08, 0.03, 0.00, 0.01, 0.06, 0.16, 0.24, 0.28, 0.31, 0.36,
    0.42, 0.43, 0.41, 0.42, 0.46, 0.54, 0.66, 0.81, 0.94, 1.00, 0.84, 0.55,
)  # fmt: skip


class Shape:
    """What every shape is: arguments, and parts of a schedule."""

    name: ClassVar[str]

    def parts(self, seed: int) -> list[tuple[Curve, UnitArrivals | None]]:  # noqa: ARG002 - for the random ones
        """Return the curves of the shape with their arrivals; ``seed`` draws the random ones."""
        return [(self.curve(), None)]

    def curve(self) -> Curve:
        """Return the rate over time."""
        raise NotImplementedError

    def schedule(self, seed: int = 1) -> WholeSchedule:
        """Return when each event of the shape is due, over all shards."""
        return WholeSchedule(self.parts(seed))


@dataclass(frozen=True, slots=True)
class Constant(Shape):
    """``rate`` events a second, evenly. ``constant(0, 10s)`` is a pause."""

    name: ClassVar[str] = "constant"
    rate: Rate
    duration: Duration | None = None

    def __post_init__(self) -> None:
        if self.rate == 0 and self.duration is None:
            raise ValueError("rate is 0 without a duration: a pause has to end")

    def curve(self) -> Curve:
        """Return a level line."""
        return Line(self.rate, self.rate, _or_endless(self.duration))


@dataclass(frozen=True, slots=True)
class Ramp(Shape):
    """From ``start`` to ``end`` in a straight line."""

    name: ClassVar[str] = "ramp"
    start: Rate
    end: Rate
    duration: Duration

    def __post_init__(self) -> None:
        _something("start", self.start, "end", self.end)

    def curve(self) -> Curve:
        """Return the line."""
        return Line(self.start, self.end, self.duration)


@dataclass(frozen=True, slots=True)
class Step(Shape):
    """A staircase: ``steps`` levels of equal length and height from ``start`` to ``end``."""

    name: ClassVar[str] = "step"
    start: Rate
    end: Rate
    steps: Count
    duration: Duration

    def __post_init__(self) -> None:
        if not 2 <= self.steps <= MAX_STEPS:
            raise ValueError(f"steps is {self.steps}, it must be 2 to {MAX_STEPS}")
        _something("start", self.start, "end", self.end)

    def curve(self) -> Curve:
        """Return the levels."""
        climb = (self.end - self.start) / (self.steps - 1)
        levels = [self.start + climb * step for step in range(self.steps)]
        return Joined([Line(level, level, self.duration / self.steps) for level in levels])


@dataclass(frozen=True, slots=True)
class Sine(Shape):
    """Up from ``low`` to ``high`` and back in each ``period``."""

    name: ClassVar[str] = "sine"
    low: Rate
    high: Rate
    period: Duration
    duration: Duration | None = None

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)

    def curve(self) -> Curve:
        """Return waves."""
        return Repeated(Wave(self.low, self.high, self.period), _or_endless(self.duration))


@dataclass(frozen=True, slots=True)
class Burst(Shape):
    """``base``, and at the end of ``every`` so many seconds ``peak`` for ``length``."""

    name: ClassVar[str] = "burst"
    base: Rate
    peak: Rate
    every: Duration
    length: Duration
    duration: Duration | None = None

    def __post_init__(self) -> None:
        if self.length >= self.every:
            raise ValueError(f"length is {self.length:g} s, it must be shorter than every, {self.every:g} s")
        _something("base", self.base, "peak", self.peak)

    def curve(self) -> Curve:
        """Return the quiet and the loud part of each period."""
        quiet = Line(self.base, self.base, self.every - self.length)
        loud = Line(self.peak, self.peak, self.length)
        return Repeated(Joined([quiet, loud]), _or_endless(self.duration))


@dataclass(frozen=True, slots=True)
class Spike(Shape):
    """``base``, but for one time of ``length`` from ``at`` on, which is at ``peak``."""

    name: ClassVar[str] = "spike"
    base: Rate
    peak: Rate
    at: Duration
    length: Duration
    duration: Duration

    def __post_init__(self) -> None:
        if self.at + self.length > self.duration:
            raise ValueError(
                f"at and length end after {self.at + self.length:g} s, the duration is {self.duration:g} s"
            )
        _something("base", self.base, "peak", self.peak)

    def curve(self) -> Curve:
        """Return before, spike and after."""
        after = self.duration - self.at - self.length
        parts = [Line(self.base, self.base, self.at), Line(self.peak, self.peak, self.length)]
        return Joined(parts + ([Line(self.base, self.base, after)] if after > 0 else []))


@dataclass(frozen=True, slots=True)
class Diurnal(Shape):
    """The rhythm of a day that lasts ``day``: lowest at four, a small noon, highest at nine in the evening."""

    name: ClassVar[str] = "diurnal"
    low: Rate
    high: Rate
    day: Duration
    duration: Duration | None = None

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)

    def curve(self) -> Curve:
        """Return days from midnight, straight between full hours."""
        levels = [self.low + (self.high - self.low) * share for share in _DAY]
        hours = [Line(levels[hour], levels[(hour + 1) % _HOURS], self.day / _HOURS) for hour in range(_HOURS)]
        return Repeated(Joined(hours), _or_endless(self.duration))


@dataclass(frozen=True, slots=True)
class Poisson(Shape):
    """Another shape with random gaps: each arrival is independent of the others, as real visitors are.

    The seed of the run draws the gaps, so the number of events is random and known beforehand.
    """

    name: ClassVar[str] = "poisson"
    of: Shape

    def __post_init__(self) -> None:
        if any(isinstance(part, Poisson) for part in _flat(self.of)):
            raise ValueError("of is random already; poisson takes a shape without poisson in it")

    def curve(self) -> Curve:
        """Return the rate to be expected."""
        return self.of.curve()

    def parts(self, seed: int) -> list[tuple[Curve, UnitArrivals | None]]:
        """Return the one curve, and arrivals over it."""
        from producer.shapes.arrivals import UnitArrivals

        return [(self.curve(), UnitArrivals(seed, 0))]


@dataclass(frozen=True, slots=True)
class Sequence(Shape):
    """Shapes one after the other. Only the last may have no end."""

    name: ClassVar[str] = "sequence"
    shapes: tuple[Shape, ...]

    def __post_init__(self) -> None:
        for place, shape in enumerate(self.shapes[:-1], start=1):
            if not math.isfinite(duration_s(shape)):
                raise ValueError(f"part {place}, {shape.name}, has no duration, and others follow")

    def curve(self) -> Curve:
        """Return the parts as one curve."""
        return Joined([shape.curve() for shape in self.shapes])

    def parts(self, seed: int) -> list[tuple[Curve, UnitArrivals | None]]:
        """Return even parts joined, so that no fraction of an event is lost between them; random ones by themselves."""
        from producer.shapes.arrivals import UnitArrivals

        found: list[tuple[Curve, UnitArrivals | None]] = []
        even: list[Curve] = []
        for place, shape in enumerate(self.shapes):
            if isinstance(shape, Poisson):
                found += [(Joined(even), None)] if even else []
                found.append((shape.curve(), UnitArrivals(seed, place)))
                even = []
            else:
                even.append(shape.curve())
        return found + ([(Joined(even), None)] if even else [])


KINDS: dict[str, type[Shape]] = {
    kind.name: kind for kind in (Constant, Ramp, Step, Sine, Burst, Spike, Diurnal, Poisson)
}


def duration_s(shape: Shape) -> float:
    """Return how long a shape lasts, infinite without an end."""
    return shape.curve().duration_s


def _flat(shape: Shape) -> tuple[Shape, ...]:
    return shape.shapes if isinstance(shape, Sequence) else (shape,)


def _or_endless(duration: float | None) -> float:
    return math.inf if duration is None else duration


def _ordered(low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"low is {low:g}, above high, {high:g}")
    _something("low", low, "high", high)


def _something(one_name: str, one: float, other_name: str, other: float) -> None:
    if one == other == 0:
        raise ValueError(f"{one_name} and {other_name} are both 0; a pause is constant(0, duration)")
