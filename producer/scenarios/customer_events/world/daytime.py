"""When customers are there: the rhythm of the day by their own clock, and the windows of event time that follow.

Blocks hold equal numbers of events. So a block covers less event time when many are awake and more when few are: its
bounds are quantiles of the intensity of all customers together, and every time zone keeps its rhythm exactly.
"""

from __future__ import annotations

import datetime as dt
import importlib.resources
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from producer.scenarios.customer_events.world.tables import CITIES, RHYTHM
from producer.toolkit.draws import Floats, Ints

ZONES = tuple(sorted({city.timezone for city in CITIES}))
CITY_ZONE: Ints = np.array([ZONES.index(city.timezone) for city in CITIES], dtype=np.int64)
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_QUARTER_MS = _HOUR_MS // 4
_QUARTERS = 96
_RHYTHM: Floats = np.array(RHYTHM) / np.mean(RHYTHM)


@dataclass(frozen=True, slots=True)
class Window:
    """The event time of one block, ``[from_ms, until_ms)`` since the epoch, and when sessions of it begin.

    ``edges`` are the moments between which a zone's intensity is even, from ``lead`` before the window on.
    ``by_zone`` holds, one zone after the other, ``zone + cumulative share`` for each step between edges: one sorted
    array, so that one search draws for customers of many zones at once. ``mass`` is the intensity of each zone.
    """

    from_ms: int
    until_ms: int
    edges: Ints
    by_zone: Floats
    mass: Floats

    def starts(self, rng: np.random.Generator, zone: Ints) -> Ints:
        """Return when a session of each of ``zone`` begins, milliseconds from the start of the window."""
        size, steps = len(zone), len(self.edges) - 1
        step = np.searchsorted(self.by_zone, zone + rng.random(size), side="right") - zone * steps
        step = np.minimum(step, steps - 1)
        width = np.diff(self.edges)[step]
        starts: Ints = self.edges[step] - self.from_ms + (rng.random(size) * width).astype(np.int64)
        return starts

    def time_by_hour(self) -> Floats:
        """Return how long, in milliseconds, each zone (row) lives through each hour of its day (column)."""
        local = self.edges[:-1] + np.stack([_offsets_ms(zone, self.edges[:-1]) for zone in ZONES])
        hour, width = local // _HOUR_MS % 24, np.diff(self.edges)
        return np.stack([np.bincount(row, weights=width, minlength=24) for row in hour])


class Daytime:
    """The rhythm of all customers together, as a clock: it runs as fast as they are active, a day in a day.

    Its hours are those of the offsets from UTC that hold at ``reference_ms``; windows know daylight saving time.
    """

    def __init__(self, reference_ms: int) -> None:
        starts = np.arange(_QUARTERS) * _QUARTER_MS
        shares = np.array([city.share for city in CITIES], dtype=np.float64)
        weight = np.bincount(CITY_ZONE, weights=shares, minlength=len(ZONES))
        moments = np.array([reference_ms])
        local = starts + np.stack([_offsets_ms(zone, moments) for zone in ZONES])
        intensity = weight @ _RHYTHM[local // _HOUR_MS % 24]
        self._passed: Floats = np.concatenate([[0.0], np.cumsum(intensity) / intensity.sum()])

    def activity_days(self, at_ms: float) -> float:
        """Return the days of activity from the epoch to a moment."""
        day, within = divmod(at_ms, _DAY_MS)
        return float(day + np.interp(within / _QUARTER_MS, np.arange(_QUARTERS + 1), self._passed))

    def moment_ms(self, activity_days: float) -> float:
        """Return the moment until which so many days of activity have passed."""
        day, share = divmod(activity_days, 1.0)
        return float(day * _DAY_MS + _QUARTER_MS * np.interp(share, self._passed, np.arange(_QUARTERS + 1)))

    def start_ms(self, end_ms: int, activity_ms: float) -> int:
        """Return where event time begins that ends at ``end_ms`` and lasts so long at average activity."""
        return int(self.moment_ms(self.activity_days(end_ms) - activity_ms / _DAY_MS)) - 1

    def bounds_ms(self, start_ms: int, number: int, span_ms: float) -> tuple[int, int]:
        """Return the bounds of window ``number`` of windows that last ``span_ms`` at average activity."""
        begun = self.activity_days(start_ms)
        first, last = (begun + turn * span_ms / _DAY_MS for turn in (number, number + 1))
        return int(self.moment_ms(first)), int(self.moment_ms(last))


def window(from_ms: int, until_ms: int, *, lead_ms: int) -> Window:
    """Return a window; sessions begin up to ``lead_ms`` before it."""
    first = from_ms - lead_ms
    quarters = np.arange(first // _QUARTER_MS + 1, -(-until_ms // _QUARTER_MS)) * _QUARTER_MS
    edges = np.concatenate([[first], quarters, [until_ms]]).astype(np.int64)
    local = edges[:-1] + np.stack([_offsets_ms(zone, edges[:-1]) for zone in ZONES])
    weights = _RHYTHM[local // _HOUR_MS % 24] * np.diff(edges)
    mass = weights.sum(axis=1)
    by_zone = np.arange(len(ZONES))[:, None] + np.cumsum(weights, axis=1) / mass[:, None]
    return Window(from_ms, until_ms, edges, by_zone.ravel(), mass)


def _offsets_ms(zone: str, moments: Ints) -> Ints:
    """Return the offsets from UTC at ascending moments; asked one by one only where the clocks change between them."""
    first, last = (_offset_ms(zone, int(moment)) for moment in (moments[0], moments[-1]))
    if first == last:
        return np.full(len(moments), first, dtype=np.int64)
    return np.array([_offset_ms(zone, moment) for moment in moments.tolist()], dtype=np.int64)


def _offset_ms(zone: str, moment_ms: int) -> int:
    offset = dt.datetime.fromtimestamp(moment_ms / 1000, _zone(zone)).utcoffset()
    return int((offset or dt.timedelta()) / dt.timedelta(milliseconds=1))


@cache
def _zone(name: str) -> ZoneInfo:
    """Return a zone of the pinned package ``tzdata``: the machine's own tables would differ between machines."""
    with importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
