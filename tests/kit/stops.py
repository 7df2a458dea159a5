"""Stopping a generator at a number of events, however long the machine pauses meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

from producer import Progress
from producer.send.pacing import CHUNK


class StopAt:
    """A stop, and the display that sets it: pass ``stop`` as the stop and the object as the progress.

    A display is shown five times a second. On a machine that pauses for a second, a run of one second is over before
    it is shown again. The ``stop_at`` fixture has it shown after each step instead, and a step is at most ``CHUNK``
    events: so many more than asked have been handed over at the stop, and never the whole run.

    :param events: the number of events handed over, those of earlier attempts included.
    :param total: how many the run would send.
    :param also: a display to call first.
    """

    def __init__(self, events: int, *, total: int, also: Callable[[Progress], None] | None = None) -> None:
        assert events + CHUNK < total, f"a step may end the run: {events} and {CHUNK} of {total} events"
        self.events = events
        self.stop = threading.Event()
        self._also = also

    def __call__(self, progress: Progress) -> None:
        if self._also is not None:
            self._also(progress)
        if progress.generated >= self.events:
            self.stop.set()
