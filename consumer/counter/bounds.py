"""When totals are published, and when a count ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cluster.errors import Misconfigured
from cluster.reading import Watermarks
from cluster.text.durations import seconds_in
from consumer.counter.result import Ended

EVENT = "event"
_LEAST_S = 0.01
_NEVER = threading.Event()


@dataclass(frozen=True, slots=True)
class Every:
    """When totals are published.

    :param seconds: one output after so long, if anything was counted; ``None`` for one after every event.
    :param alone: a transaction for each output.
    """

    seconds: float | None = None
    alone: bool = False

    @classmethod
    def parse(cls, text: str, *, alone: bool = False) -> Self:
        """Read ``event``, or a duration such as ``200ms``.

        :raises Misconfigured: it is neither, or shorter than 10 ms, or both are asked for.
        """
        if text.strip().lower() == EVENT:
            return cls(alone=alone)
        seconds = seconds_in(text)
        if seconds < _LEAST_S:
            raise Misconfigured(f"--every {text} is too short", hint="Give 10ms or more, or `event`")
        if alone:
            raise Misconfigured(
                f"--transaction-per-event needs --every event, and not {text}", hint="Leave one of the two out"
            )
        return cls(seconds)


@dataclass(frozen=True, slots=True)
class Until:
    """When a count ends by itself; never, unless one of them is given.

    :param seconds: after so long.
    :param end: when what is in the topic at the moment is counted; ``ending``: the same, from when it is set.
    """

    seconds: float | None = None
    end: bool = False
    ending: threading.Event = _NEVER


AFTER_EVERY_EVENT, FOR_EVER = Every(), Until()


class Bounds:
    """Watches for the end of a count that begins now."""

    def __init__(self, until: Until, stop: threading.Event) -> None:
        self._until = until
        self._stop = stop
        self._deadline = None if until.seconds is None else time.monotonic() + until.seconds
        self._ends: dict[int, int] | None = None

    def look(self, marks: Mapping[int, Watermarks]) -> None:
        """Take the ends of this moment as those to reach, if it is the moment."""
        if self._ends is None and (self._until.end or self._until.ending.is_set()):
            self._ends = {partition: mark.high for partition, mark in marks.items()}

    @property
    def left_s(self) -> float:
        """Return how much time is left."""
        return float("inf") if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    @property
    def over(self) -> Ended | None:
        """Return why a count ends now, wherever it is."""
        if self._stop.is_set():
            return "stop"
        return "time" if not self.left_s else None

    def reached(self, positions: Mapping[int, int]) -> Ended | None:
        """Return why a count that is at these positions ends; ``None`` if it goes on."""
        if self._ends is not None and all(positions.get(p, 0) >= end for p, end in self._ends.items()):
            return "end"
        return self.over
