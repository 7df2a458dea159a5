"""What a shape will look like: its rate at evenly spaced moments, and how many events it plans."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from producer.shapes.grammar import to_text
from producer.shapes.kinds import Burst, Diurnal, Poisson, Sequence, Shape, Sine

POINTS = 120
# Looks inside each point's time, so that a short burst is not missed.
_LOOKS = 17
_JUST_BELOW_ONE = 1 - 1e-9
_LEVEL_S = 10.0


@dataclass(frozen=True, slots=True)
class Outline:
    """A shape in figures. ``rates`` are the highest of equal parts of ``seconds``; ``events`` those in ``seconds``.

    ``ends`` tells whether the run ends after ``seconds``; if not, they are the first of more.
    """

    shape: str
    seconds: float
    ends: bool
    events: int
    highest: float
    mean: float
    rates: list[float]

    def document(self) -> dict[str, Any]:
        """Return what ``preview --json`` prints."""
        return asdict(self)


def outline(shape: Shape, *, seed: int = 1, seconds: float | None = None, points: int = POINTS) -> Outline:
    """Describe a shape, up to its end or ``seconds``; of one without an end, the first two periods or so."""
    schedule = shape.schedule(seed)
    shown_s = min(schedule.duration_s, seconds or math.inf)
    ends = math.isfinite(shown_s)
    if not ends:
        shown_s = _telling_s(shape)
    part_s = shown_s / points
    rates = [
        max(schedule.rate((point + look / (_LOOKS - 1) * _JUST_BELOW_ONE) * part_s) for look in range(_LOOKS))
        for point in range(points)
    ]
    events = schedule.before(shown_s) if schedule.planned is None or shown_s < schedule.duration_s else schedule.planned
    return Outline(to_text(shape), shown_s, ends, events, max(rates), events / shown_s, rates)


def _telling_s(shape: Shape) -> float:
    """Return how much of a shape without an end shows all that it does."""
    if isinstance(shape, Poisson):
        return _telling_s(shape.of)
    if isinstance(shape, Sequence):
        before_s = sum(part.curve().duration_s for part in shape.shapes[:-1])
        return before_s + max(_telling_s(shape.shapes[-1]), before_s / 3)
    if isinstance(shape, Sine):
        return 2 * shape.period
    if isinstance(shape, Burst):
        return 2 * shape.every
    return 2 * shape.day if isinstance(shape, Diurnal) else _LEVEL_S
