"""Figures of a run while it goes: events per second, and the delay from intended time to acknowledgement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from schemas.manifest import RateWindow

_HIGHEST_US = 3_600_000_000
_PERCENTILES = (50.0, 90.0, 99.0, 99.9)
# A manifest is one record: longer runs keep wider windows.
MAX_WINDOWS = 3600


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one shard is. ``rate`` is acknowledged events a second, over the last second or so."""

    shard: int
    generated: int
    acknowledged: int
    failed: int
    queued: int
    rate: float
    target: int | None
    seconds_left: float | None


class DelayHistogram:
    """Publish delay in microseconds, three significant digits (HDR histogram)."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, _HIGHEST_US, 3)

    def record(self, seconds: float) -> None:
        """Count one event."""
        self._histogram.record_value(min(_HIGHEST_US, max(1, int(seconds * 1e6))))

    def percentiles_ms(self) -> dict[str, float]:
        """Return ``p50``, ``p90``, ``p99``, ``p99.9`` and ``max`` in milliseconds; empty if nothing was counted."""
        if not self._histogram.get_total_count():
            return {}
        values = {f"p{q:g}": self._histogram.get_value_at_percentile(q) / 1000 for q in _PERCENTILES}
        return values | {"max": self._histogram.get_max_value() / 1000}


class RateMeter:
    """Acknowledged events in each second of the run, beside what was intended.

    :param intended_in: how many events fall due in a second of the run.
    """

    def __init__(self, intended_in: Callable[[int], int]) -> None:
        self._intended_in = intended_in
        self._achieved: list[int] = []
        self._seen = 0

    def observe(self, elapsed_s: float, acknowledged: int) -> None:
        """Note how many events are acknowledged by now; call several times a second."""
        second = int(elapsed_s)
        self._achieved.extend([0] * (second + 1 - len(self._achieved)))
        self._achieved[second] += acknowledged - self._seen
        self._seen = acknowledged

    def windows(self, earlier: list[RateWindow], target: int | None) -> list[RateWindow]:
        """Return the windows of earlier attempts and of this one, numbered on, at most ``MAX_WINDOWS``.

        :param target: events of this attempt, so that nothing is intended beyond them.
        """
        first = earlier[-1].second + 1 if earlier else 0
        windows = list(earlier)
        left = target
        for second, achieved in enumerate(self._achieved):
            intended = self._intended_in(second)
            if left is not None:
                intended = min(intended, left)
                left -= intended
            windows.append(RateWindow(second=first + second, intended=intended, achieved=achieved))
        while len(windows) > MAX_WINDOWS:
            windows = [_merged(windows[place : place + 2]) for place in range(0, len(windows), 2)]
        return windows


def _merged(windows: list[RateWindow]) -> RateWindow:
    return RateWindow(
        second=windows[0].second,
        intended=sum(window.intended for window in windows),
        achieved=sum(window.achieved for window in windows),
    )
