"""When each event is due. A shape knows nothing of clocks: it maps event numbers to seconds and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Shape(Protocol):
    """An intended schedule of events numbered from 0, in seconds from the start."""

    def due(self, elapsed_s: float) -> int:
        """Return how many events are due within ``elapsed_s``."""
        ...

    def at(self, number: int) -> float:
        """Return when event ``number`` is due."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """``rate`` events a second, evenly: event ``n`` is due at ``n / rate``."""

    rate: float

    def due(self, elapsed_s: float) -> int:
        """Return how many events are due within ``elapsed_s``."""
        return int(elapsed_s * self.rate) + 1 if elapsed_s >= 0 else 0

    def at(self, number: int) -> float:
        """Return when event ``number`` is due."""
        return number / self.rate


def shape_of(rate: float) -> Shape | None:
    """Return the shape of a constant rate, or ``None`` for as fast as possible: then nothing has an intended time."""
    return Constant(rate) if rate > 0 else None
