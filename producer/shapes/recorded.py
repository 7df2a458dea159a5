"""When events are due that were recorded: at the times at which they happened, so many times as fast.

One clock counts for all shards and feeds of a run: its second 0 is their earliest time. Where nothing happened
anywhere for longer than a limit, the rest of that gap may be cut out. An event that is recorded behind a later one is
due with that one: events go in their order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

# Two moments closer than this are one, as for every schedule.
_GRAIN_S = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """What second of a replay an event time is: ``origin_ms`` is second 0, epoch milliseconds.

    :param speed: seconds of event time for each second.
    :param cut_at: event times, epoch milliseconds, ascending, at which a gap ends that is cut; int64.
    :param cut_ms: milliseconds that are left out before each of them, summed up; int64.
    """

    origin_ms: int
    speed: float
    cut_at: NDArray[np.int64]
    cut_ms: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        parts: Iterable[NDArray[np.int64]],
        *,
        speed: float,
        longest_gap_s: float | None = None,
        begin_ms: int | None = None,
    ) -> Self:
        """Return the clock of events whose times are given in parts, in any order, epoch milliseconds.

        Memory is bounded by the number of gaps that there can be, not by the events.

        :param longest_gap_s: seconds of event time; longer gaps are cut to it. ``None`` cuts none.
        :param begin_ms: what is second 0 instead of the earliest time; what is earlier is due then.
        :raises ValueError: there is no event.
        """
        if longest_gap_s is None:
            earliest = [int(part.min()) for part in parts if len(part)]
            if not earliest:
                raise ValueError("there is no event")
            none = np.zeros(0, dtype=np.int64)
            return cls(min(earliest) if begin_ms is None else begin_ms, speed, none, none)
        gap_ms = max(1, round(longest_gap_s * 1000))
        buckets = np.zeros((3, 0), dtype=np.int64)
        for part in parts:
            if len(part):
                buckets = _joined(buckets, _occupied(part if begin_ms is None else np.maximum(part, begin_ms), gap_ms))
        if not buckets.shape[1]:
            raise ValueError("there is no event")
        if begin_ms is not None:
            buckets = _joined(buckets, _occupied(np.array([begin_ms], dtype=np.int64), gap_ms))
        _, first, last = buckets
        # Events of one bucket are closer than a gap, so every gap lies between two that follow each other.
        over = first[1:] - last[:-1] - gap_ms
        long = over > 0
        return cls(int(first[0]), speed, first[1:][long], np.cumsum(over[long]))

    def offsets_ms(self, times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how long after second 0 each time is, gaps left out, in milliseconds of event time; 0 if before."""
        offsets = times_ms - self.origin_ms - self._left_out(times_ms)
        return np.asarray(np.maximum(offsets, 0), dtype=np.int64)

    def latest_ms(self, offset_ms: int) -> int:
        """Return the latest event time that is no later than so long after second 0."""
        ends = self.cut_at - self.origin_ms - self.cut_ms
        cuts = int(np.searchsorted(ends, offset_ms, side="right"))
        left_out = int(self.cut_ms[cuts - 1]) if cuts else 0
        latest = offset_ms + self.origin_ms + left_out
        return latest if cuts == len(ends) else min(latest, int(self.cut_at[cuts]) - 1)

    def seconds(self, offset_ms: int) -> float:
        """Return the second of the replay that is so long after second 0."""
        return offset_ms / (1000 * self.speed)

    def offset_at(self, second: float) -> int:
        """Return the longest whole offset that is no later than a second of the replay, to the bit."""
        offset = math.floor(second * 1000 * self.speed)
        while self.seconds(offset) > second:
            offset -= 1
        while self.seconds(offset + 1) <= second:
            offset += 1
        return offset

    def _left_out(self, times_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        cuts = np.searchsorted(self.cut_at, times_ms, side="right")
        return np.concatenate([np.zeros(1, dtype=np.int64), self.cut_ms])[cuts]


class RecordedSchedule:
    """When each event of one shard is due.

    :param times_ms: epoch milliseconds that never go back, one for each event, int64; may be mapped from a file.
    """

    def __init__(self, times_ms: NDArray[np.int64], clock: Clock) -> None:
        self._times_ms = times_ms
        self._clock = clock

    @property
    def planned(self) -> int:
        """Return how many events there are."""
        return len(self._times_ms)

    @property
    def duration_s(self) -> float:
        """Return when the last event is due."""
        return self.at(self.planned - 1) if self.planned else 0.0

    def at(self, number: int) -> float:
        """Return when event ``number`` is due; infinite beyond the last."""
        if number >= self.planned:
            return math.inf
        return self._clock.seconds(int(self._clock.offsets_ms(self._times_ms[number : number + 1])[0]))

    def amount(self, until_s: float) -> float:
        """Return how many events are due by a moment: these come as they came, and have no parts."""
        return float(self.due(until_s))

    def end(self, events: int) -> float:
        """Return when the first ``events`` have had their time: the next is due; infinite after the last."""
        return self.at(events) if events else 0.0

    def due(self, until_s: float) -> int:
        """Return how many events are due by a moment."""
        if until_s < 0:
            return 0
        if until_s >= self.duration_s:
            return self.planned
        return self._upto(self._clock.offset_at(until_s))

    def before(self, until_s: float) -> int:
        """Return how many events are due before a moment, to the nanosecond."""
        limit_s = until_s - _GRAIN_S
        if limit_s < 0:
            return 0
        if limit_s > self.duration_s:
            return self.planned
        offset = self._clock.offset_at(limit_s)
        return self._upto(offset - 1 if self._clock.seconds(offset) >= limit_s else offset)

    def _upto(self, offset_ms: int) -> int:
        if offset_ms < 0:
            return 0
        return int(np.searchsorted(self._times_ms, self._clock.latest_ms(offset_ms), side="right"))


def _occupied(times_ms: NDArray[np.int64], width_ms: int) -> NDArray[np.int64]:
    """Return the spans of ``width_ms`` that hold events: their numbers, ascending, and first and last time in each."""
    ordered = np.sort(times_ms)
    numbers = ordered // width_ms
    begins = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]]))
    ends = np.concatenate([begins[1:], [len(ordered)]]) - 1
    return np.stack([numbers[begins], ordered[begins], ordered[ends]])


def _joined(held: NDArray[np.int64], more: NDArray[np.int64]) -> NDArray[np.int64]:
    both = np.concatenate([held, more], axis=1)
    order = np.argsort(both[0], kind="stable")
    numbers, first, last = both[:, order]
    begins = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]]))
    return np.stack([numbers[begins], np.minimum.reduceat(first, begins), np.maximum.reduceat(last, begins)])
