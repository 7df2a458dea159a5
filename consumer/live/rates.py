"""Rates out of counts that are looked at now and then, and the last minutes of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from consumer.live.snapshot import STAGES, History

# A rate is over the last seconds: long enough that a count which moves once a second gives a steady one.
WINDOW_S = 5.0
# A count that has not moved for so long stands still; before that, it is merely not told yet.
_STANDS_S = 2.5
# Over less than this, a count that comes in bursts, as after a broker was away, gives a rate that never was.
_LEAST_S = 1.0
HISTORY_S = 300
HISTORY_STEP_S = 1.0


class Rate:
    """The rate of one count, from the moments at which it moved.

    :ivar seen_s: the newest moment at which it was known; ``None`` while it is unknown.
    """

    def __init__(self) -> None:
        self._moves: deque[tuple[float, int]] = deque()
        self.seen_s: float | None = None

    def see(self, at_s: float, count: int | None) -> None:
        """Take a count; ``None`` where it is unknown: what was seen before says nothing about what comes after.

        :param at_s: the moment that it is of, seconds; one that is not newer than the last is left out.
        """
        if count is None:
            self._moves.clear()
            self.seen_s = None
            return
        if self.seen_s is not None and at_s <= self.seen_s:
            return
        self.seen_s = at_s
        if self._moves and count < self._moves[-1][1]:
            self._moves.clear()  # a topic that was made anew, or a run that was taken back
        if not self._moves or count != self._moves[-1][1] or at_s - self._moves[-1][0] >= _STANDS_S:
            self._moves.append((at_s, count))
        while len(self._moves) > 2 and self._moves[1][0] <= at_s - WINDOW_S:
            self._moves.popleft()

    def at(self, at_s: float) -> float | None:
        """Return the count at an earlier moment, between those that were seen; the nearest one outside of them."""
        if not self._moves:
            return None
        later = [*self._moves, (max(self.seen_s or 0.0, self._moves[-1][0]), self._moves[-1][1])]
        before_s, before = later[0]
        for after_s, after in later:
            if after_s >= at_s:
                share = (at_s - before_s) / (after_s - before_s) if after_s > before_s else 0.0
                return before + max(0.0, share) * (after - before)
            before_s, before = after_s, after
        return before

    @property
    def value(self) -> float | None:
        """The rate a second; ``None`` while there is too little to tell."""
        if len(self._moves) < 2:
            return None
        (first_s, first), (last_s, last) = self._moves[0], self._moves[-1]
        if last_s - first_s < _LEAST_S:
            return None
        return (last - first) / (last_s - first_s)


class RateHistory:
    """The rates of the stages of one topic over the last minutes, a point a second; bounded."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, tuple[float | None, ...]]] = deque(maxlen=int(HISTORY_S / HISTORY_STEP_S))

    def add(self, at_s: float, rates: Mapping[str, float | None]) -> None:
        """Take the rates of one moment, seconds since 1970, unless the last point is not a second old."""
        if self._points and at_s - self._points[-1][0] < HISTORY_STEP_S - 0.05:
            return
        self._points.append((at_s, tuple(_rounded(rates.get(name)) for name in STAGES)))

    def history(self) -> History:
        """Return them all."""
        columns = zip(*(rates for _, rates in self._points), strict=True) if self._points else [()] * len(STAGES)
        return History(tuple(round(at, 1) for at, _ in self._points), dict(zip(STAGES, columns, strict=True)))


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 1)
