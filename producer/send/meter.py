"""Figures of a run while it goes: events per second, and the delay from intended time to acknowledgement."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from schemas.manifest import RateGap, RateWindow

_HIGHEST_US = 3_600_000_000
_PERCENTILES = (50.0, 90.0, 99.0, 99.9)
# A manifest is one record: longer runs keep wider windows.
MAX_WINDOWS = 3600
# Events that were handed over together are acknowledged about together; this many of them stand for all.
_SAMPLES = 8
# Who asks for the longest delay since it asked before.
_ASKERS = ("progress", "window")


@dataclass(slots=True)
class Due:
    """When ``events`` events that are handed over together were due: evenly from ``first`` to ``last``."""

    first: float
    last: float
    events: int

    def cut(self, events: int) -> None:
        """Note that only the first ``events`` of them went."""
        if self.events > 1:
            self.last = self.first + (self.last - self.first) * max(0, events - 1) / (self.events - 1)
        self.events = events


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one shard is. Seconds are of this attempt's schedule, events of the shard.

    :param answered_s: when the last acknowledgement came.
    :param landed: events of earlier attempts, which were in the topic when this one began.
    :param asked: events that the schedule asks for by now, in parts of events; ``None`` without one.
    :param over: nothing more is asked for: the schedule is over.
    :param behind: events that are due and have no answer yet.
    :param behind_s: for how long the first of them has been due.
    :param delay_ms: the longest publish delay since the progress before.
    :param run_s: seconds of the run, those of earlier attempts included, as rate windows count them.
    """

    shard: int
    elapsed_s: float
    answered_s: float
    generated: int
    acknowledged: int
    landed: int = 0
    failed: int = 0
    queued: int = 0
    asked: float | None = None
    over: bool = False
    behind: int = 0
    behind_s: float = 0.0
    delay_ms: float | None = None
    target: int | None = None
    seconds_left: float | None = None
    run_s: float = 0.0


class DelayHistogram:
    """Publish delay in microseconds, three significant digits (HDR histogram)."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, _HIGHEST_US, 3)
        self._longest_s: dict[str, float] = {}

    def longest_ms(self, asker: str = "progress") -> float | None:
        """Return the longest delay since the same asker asked before, in milliseconds; ``None`` if there was none."""
        longest_s = self._longest_s.pop(asker, None)
        return None if longest_s is None else longest_s * 1000

    def record(self, seconds: float, events: int = 1) -> None:
        """Count events of one delay."""
        for asker in _ASKERS:
            if seconds > self._longest_s.get(asker, -1.0):
                self._longest_s[asker] = seconds
        self._histogram.record_value(min(_HIGHEST_US, max(1, int(seconds * 1e6))), events)

    def record_due(self, now: float, due: Due) -> None:
        """Count events that were due over a span and are acknowledged now, each for itself.

        A chunk that goes out late counts with all its events: else the many small chunks of quiet times would
        outweigh the few large ones after a stall, and hide it.
        """
        samples = min(_SAMPLES, due.events) if due.last > due.first else min(1, due.events)
        for sample in range(samples):
            events = due.events * (sample + 1) // samples - due.events * sample // samples
            at = due.first + (due.last - due.first) * (sample + 0.5) / samples
            self.record(now - at, events)

    def percentiles_ms(self) -> dict[str, float]:
        """Return ``p50``, ``p90``, ``p99``, ``p99.9`` and ``max`` in milliseconds; empty if nothing was counted."""
        if not self._histogram.get_total_count():
            return {}
        values = {f"p{q:g}": self._histogram.get_value_at_percentile(q) / 1000 for q in _PERCENTILES}
        return values | {"max": self._histogram.get_max_value() / 1000}


class RateMeter:
    """Events in each second of an attempt: intended, sent, acknowledged, and skipped after a stall.

    :param intended_by: how many events fall due in the first seconds of the attempt.
    """

    def __init__(self, intended_by: Callable[[float], int]) -> None:
        self._intended_by = intended_by
        self._seconds: list[list[int]] = []  # sent, achieved, skipped
        self._delays_ms: dict[int, float] = {}
        self._seen = (0, 0, 0)
        self._ended_s = math.inf

    def observe(
        self, elapsed_s: float, acknowledged: int, *, sent: int = 0, skipped: int = 0, delay_ms: float | None = None
    ) -> None:
        """Note how many events it is by now; call several times a second.

        :param delay_ms: the longest publish delay since the last call.
        """
        second = int(elapsed_s)
        self._seconds.extend([0, 0, 0] for _ in range(second + 1 - len(self._seconds)))
        now = (sent, acknowledged, skipped)
        for place, (count, seen) in enumerate(zip(now, self._seen, strict=True)):
            self._seconds[second][place] += count - seen
        self._seen = now
        if delay_ms is not None:
            self._delays_ms[second] = max(delay_ms, self._delays_ms.get(second, 0.0))

    def end(self, elapsed_s: float) -> None:
        """Note that nothing is sent any more, so that nothing is intended either."""
        self._ended_s = elapsed_s

    def windows(self, earlier: list[RateWindow], gaps: Sequence[RateGap] = ()) -> list[RateWindow]:
        """Return the windows of earlier attempts and of this one, numbered on, about ``MAX_WINDOWS`` at most.

        :param gaps: what there are no windows of, before this attempt.
        """
        first = seconds_before(earlier, gaps)
        windows, before = list(earlier), 0
        for second, (sent, achieved, skipped) in enumerate(self._seconds):
            by = self._intended_by(min(second + 1, self._ended_s))
            delay_ms = self._delays_ms.get(second)
            windows.append(
                RateWindow(
                    second=first + second,
                    intended=by - before,
                    sent=sent,
                    achieved=achieved,
                    skipped=skipped,
                    delay_ms=None if delay_ms is None else round(delay_ms, 1),
                )
            )
            before = by
        while len(windows) > MAX_WINDOWS and len(fewer := _halved(windows)) < len(windows):
            windows = fewer
        return windows


def seconds_before(earlier: Sequence[RateWindow], gaps: Sequence[RateGap]) -> int:
    """Return how many seconds of the run earlier attempts took."""
    return max([0, *(each.end for each in earlier), *(each.end for each in gaps)])


def _halved(windows: list[RateWindow]) -> list[RateWindow]:
    """Join windows two by two, but for those that a gap lies between."""
    joined: list[RateWindow] = []
    for place in range(0, len(windows), 2):
        pair = windows[place : place + 2]
        apart = len(pair) == 2 and pair[0].end != pair[1].second
        joined += pair if apart else [_merged(pair)]
    return joined


def _merged(windows: list[RateWindow]) -> RateWindow:
    return RateWindow(
        second=windows[0].second,
        seconds=sum(window.seconds for window in windows),
        intended=sum(window.intended for window in windows),
        sent=sum(window.sent for window in windows),
        achieved=sum(window.achieved for window in windows),
        skipped=sum(window.skipped for window in windows),
        delay_ms=max((window.delay_ms for window in windows if window.delay_ms is not None), default=None),
    )
