"""Asking for one kind of thing, again and again, in a thread of its own: whatever it meets, the others go on.

What was found out is kept with its time. What could not be found out is known to be unknown, with the reason, however
long ago it was known; and so is what nobody answered in time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from cluster.errors import StreamproofError

log = logging.getLogger(__name__)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
NOT_YET = "not asked yet"


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What is known of one thing.

    :ivar value: the newest that was found out; ``None`` if nothing ever was.
    :ivar asked_s: when, by a monotonic clock, in seconds.
    :ivar at_s: the time of day, in seconds since 1970.
    :ivar unknown: why nothing newer is known, in words; empty where the value is what it is now.
    """

    value: T | None = None
    asked_s: float = 0.0
    at_s: float = 0.0
    unknown: str = NOT_YET

    @property
    def known(self) -> T | None:
        """Return the value if it is what it is now, else ``None``."""
        return None if self.unknown else self.value

    @property
    def as_of(self) -> str | None:
        """Return the time of day as snapshots have it; ``None`` if nothing was ever found out."""
        return moment(self.at_s) if self.at_s else None


class NotYet(Exception):
    """A question waits for the answer to another one."""


class Question(Protocol[T_co]):
    """Something that can be asked about a topic. One thread calls it."""

    def ask(self, topic: str) -> T_co:
        """Return what there is to know of a topic now, within seconds.

        :raises NotYet: something else has to be found out before.
        :raises StreamproofError: it cannot be found out.
        """
        ...

    def keep(self, topics: Collection[str]) -> None:
        """Let go of what is held for topics that are not among these; of all of it for none."""
        ...


class Asking(Generic[T]):
    """A question that is asked about every topic that is looked at.

    :param every_s: from the beginning of one round to that of the next.
    :param stale_s: an answer that is older is unknown: the next one is overdue.
    :param topics: which are looked at, asked before each round.
    """

    def __init__(
        self,
        name: str,
        question: Question[T],
        topics: Callable[[], Collection[str]],
        *,
        every_s: float,
        stale_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._question = question
        self._topics = topics
        self._every_s = every_s
        self._stale_s = stale_s
        self._clock = clock
        self._readings: dict[str, Reading[T]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._thread = threading.Thread(target=self._run, name=f"live-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; the thread ends when the answer that it waits for has come or failed."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def of(self, topic: str) -> Reading[T]:
        """Return what is known of a topic. Never waits."""
        reading: Reading[T] = self._readings.get(topic) or Reading()
        age_s = self._clock() - reading.asked_s
        if not reading.unknown and age_s > self._stale_s:
            return replace(reading, unknown=f"no answer for {age_s:.0f} s")
        return reading

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                began = self._clock()
                self._round()
                self._stop.wait(max(0.0, began + self._every_s - self._clock()))
        finally:
            self._question.keep(())

    def _round(self) -> None:
        topics = sorted(self._topics())
        self._question.keep(topics)
        self._readings = {topic: self._readings[topic] for topic in topics if topic in self._readings}
        for topic in topics:
            if self._stop.is_set():
                return
            self._readings[topic] = self._ask(topic)

    def _ask(self, topic: str) -> Reading[T]:
        try:
            value = self._question.ask(topic)
        except NotYet:
            return self._readings.get(topic) or Reading()
        except StreamproofError as error:
            return replace(self._readings.get(topic) or Reading(), unknown=error.message)
        except Exception:  # whoever looks on is told, and the other questions go on
            log.exception("a bug: asking for %s", self._name)
            return replace(self._readings.get(topic) or Reading(), unknown="a bug: the log has the trace")
        return Reading(value, self._clock(), time.time(), "")


def moment(at_s: float) -> str:
    """Return a time of day, seconds since 1970, as snapshots have it: ISO 8601, UTC, milliseconds."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
