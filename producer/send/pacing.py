"""Open-loop pacing: events are sent when they are due, whether or not earlier ones were acknowledged.

What a stall held up is sent late, as fast as possible, and shows in the publish delay, which counts from the intended
time. Or it is given up: then its slots are counted as skipped, and the events that would have filled them are never
generated. Slots are the schedule's numbers, sequences the events'; giving up a slot moves on in the schedule and leaves
the sequences dense. The clock is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from producer.send.meter import Due
from producer.shapes import Schedule

# Waiting in steps of a millisecond makes the rate smooth at that grain.
TICK_S = 0.001
# At most this many events between two looks at the clock, so that stop and deadline are seen soon.
CHUNK = 512
# Later than this is a stall, which may be skipped; less is the jitter of an ordinary machine.
STALL_S = 0.1


@dataclass(frozen=True, slots=True)
class Ready:
    """That a shard can begin: the second of its schedule at which it would, and that of its next event.

    :param landed: whether it goes on, and does not begin from the start.
    """

    begin_s: float
    next_s: float
    landed: bool


class Pacer:
    """Says how many events may go out now.

    :param schedule: when each slot is due; ``None`` for as fast as possible.
    :param clock: seconds, monotonic; the schedule starts at ``start``.
    :param end: slot after the last, ``None`` without one.
    :param first: the slot to begin with; it is due at the start. 0 begins the schedule from its own start.
    :param overdue: events from before ``first`` that are sent at once, and never skipped.
    :param skip: give up what a stall held up, instead of sending it late.
    """

    def __init__(
        self,
        schedule: Schedule | None,
        *,
        clock: Callable[[], float],
        end: int | None = None,
        first: int = 0,
        overdue: int = 0,
        skip: bool = False,
        limit_s: float | None = None,
    ) -> None:
        self._schedule = schedule
        self._clock = clock
        self._end = end
        self._first = self._slot = first
        self._overdue = self._overdue_left = overdue
        self._skip = skip
        self._limit_s = limit_s
        begin_s = schedule.at(first) if schedule is not None and first else 0.0
        self._begin_s = begin_s if math.isfinite(begin_s) else 0.0
        self.start = clock()
        self.skipped = 0

    @property
    def ready(self) -> Ready:
        """Where in the schedule it goes on, if nobody says otherwise."""
        return Ready(self._begin_s, self._schedule.at(self._first) if self._schedule else 0.0, landed=self._first > 0)

    def begin(self, begin_s: float | None = None) -> None:
        """Start the clock now.

        :param begin_s: second of the schedule that it is now; where it goes on by itself if not given.
        """
        if begin_s is not None:
            if self._limit_s is not None:
                self._limit_s += self._begin_s - begin_s
            self._begin_s = begin_s
        self.start = self._clock()

    def elapsed_s(self) -> float:
        """Return seconds since the start."""
        return self._clock() - self.start

    def over(self) -> bool:
        """Return whether the time limit has passed, or every slot is behind."""
        if self._limit_s is not None and self.elapsed_s() >= self._limit_s:
            return True
        paced = self._schedule is not None and self._end is not None
        return paced and self._slot >= (self._end or 0) and not self._overdue_left

    def seconds_left(self) -> float | None:
        """Return seconds to the last slot or to the limit, ``None`` where neither is known."""
        ends = [] if self._limit_s is None else [self._limit_s]
        if self._schedule is not None and self._end:
            last_s = self._schedule.at(self._end - 1) - self._begin_s
            ends += [last_s] if math.isfinite(last_s) else []
        return max(0.0, min(ends) - self.elapsed_s()) if ends else None

    def allowance(self) -> int:
        """Return how many events are due and not yet sent, at most ``CHUNK``. May skip slots first."""
        if self._schedule is None:
            return CHUNK
        if self._overdue_left:
            return min(CHUNK, self._overdue_left)
        now_s = self._begin_s + self.elapsed_s()
        due = self._upto(self._schedule.due(now_s)) - self._slot
        if self._skip and due > 0 and now_s - self._schedule.at(self._slot) > STALL_S:
            self._slot += due
            self.skipped += due
            return 0
        return max(0, min(CHUNK, due))

    def took(self, events: int) -> None:
        """Note that the next ``events`` events were sent."""
        overdue = min(events, self._overdue_left)
        self._overdue_left -= overdue
        self._slot += events - overdue

    def caught_up(self) -> None:
        """Note that nothing from before ``first`` is left: what was dropped on purpose is not sent again."""
        self._overdue_left = 0

    def intended(self, events: int) -> Due:
        """Return the clock's times at which the next ``events`` events are due; now, when there is no schedule."""
        if self._schedule is None:
            now = self._clock()
            return Due(now, now, events)
        if self._overdue_left:
            return Due(self.start, self.start, events)
        shift = self.start - self._begin_s
        last = min(self._schedule.at(self._slot + events - 1), self._begin_s + self.elapsed_s())
        return Due(shift + self._schedule.at(self._slot), shift + last, events)

    def intended_by(self, elapsed_s: float) -> int:
        """Return how many events fall due in the first ``elapsed_s`` seconds; 0 without a schedule."""
        if self._schedule is None or elapsed_s <= 0:
            return 0
        return self._overdue + max(0, self._upto(self._schedule.before(self._begin_s + elapsed_s)) - self._first)

    def asked_by(self, elapsed_s: float) -> float | None:
        """Return what the first ``elapsed_s`` seconds ask for, in parts of events; ``None`` without a schedule."""
        if self._schedule is None:
            return None
        amount = self._schedule.amount(self._begin_s + max(0.0, elapsed_s))
        if self._end is not None:
            amount = min(amount, float(self._end))
        return self._overdue + max(0.0, amount - self._first)

    def asks_no_more(self, elapsed_s: float) -> bool:
        """Return whether the schedule is over by then, or asks for no more than the run has."""
        if self._schedule is None:
            return False
        now_s = self._begin_s + elapsed_s
        ended = self._end is not None and self._schedule.amount(now_s) >= self._end
        return ended or now_s >= self._schedule.duration_s

    def asked_for_s(self) -> float:
        """Return how long the schedule asks to send what went: to its end, or to now; 0 without one."""
        if self._schedule is None:
            return 0.0
        last_s = math.inf if self._end is None else self._schedule.end(self._end)
        if not math.isfinite(last_s):
            last_s = self._schedule.duration_s
        whole_s = max(0.0, last_s - self._begin_s)
        done = self._end is not None and self._slot >= self._end and not self._overdue_left
        return whole_s if done else min(whole_s, self.elapsed_s())

    @property
    def taken(self) -> int:
        """Events that went, and slots that were given up."""
        return self._overdue - self._overdue_left + self._slot - self._first

    def late_s(self, taken: int | None = None) -> float:
        """Return for how long the event after the first ``taken`` has been due; 0 when it is not yet.

        :param taken: as many as went, if not given.
        """
        if self._schedule is None:
            return 0.0
        slot = self._first + (self.taken if taken is None else taken) - self._overdue
        if self._end is not None and slot >= self._end:
            return 0.0
        due_s = 0.0 if slot < self._first else self._schedule.at(slot) - self._begin_s
        return max(0.0, self.elapsed_s() - due_s) if math.isfinite(due_s) else 0.0

    def _upto(self, slot: int) -> int:
        return slot if self._end is None else min(slot, self._end)
