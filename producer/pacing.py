"""Open-loop pacing: events are sent when they are due, whether or not earlier ones were acknowledged.

A stall is caught up as fast as possible afterwards, and shows in the publish delay, which counts from the intended
time. The clock is passed in.
"""

from __future__ import annotations

from collections.abc import Callable

from producer.shapes import WholeSchedule as Shape

# Waiting in steps of a millisecond makes the rate smooth at that grain.
TICK_S = 0.001
# At most this many events between two looks at the clock, so that stop and deadline are seen soon.
CHUNK = 512


class Pacer:
    """Says how many events may go out now.

    :param shape: the schedule; ``None`` for as fast as possible.
    :param clock: seconds, monotonic; the schedule starts at ``start``.
    """

    def __init__(self, shape: Shape | None, *, clock: Callable[[], float], limit_s: float | None = None) -> None:
        self._shape = shape
        self._clock = clock
        self._limit_s = limit_s
        self.start = clock()
        self.scheduled = 0

    def elapsed_s(self) -> float:
        """Return seconds since the start."""
        return self._clock() - self.start

    def over(self) -> bool:
        """Return whether the time limit has passed."""
        return self._limit_s is not None and self.elapsed_s() >= self._limit_s

    def seconds_left(self) -> float | None:
        """Return seconds to the limit, ``None`` without one."""
        return None if self._limit_s is None else max(0.0, self._limit_s - self.elapsed_s())

    def allowance(self) -> int:
        """Return how many events are due and not yet scheduled, at most ``CHUNK``."""
        if self._shape is None:
            return CHUNK
        return max(0, min(CHUNK, self._shape.due(self.elapsed_s()) - self.scheduled))

    def intended(self) -> float:
        """Return the clock's time at which the next event is due; now, when there is no schedule."""
        return self._clock() if self._shape is None else self.start + self._shape.at(self.scheduled)

    def intended_in(self, second: int) -> int:
        """Return how many events fall due in a whole second of the run; 0 without a schedule."""
        return 0 if self._shape is None else self._shape.due(second + 1 - 1e-9) - self._shape.due(second - 1e-9)
