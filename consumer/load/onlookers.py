"""Telling whoever looks on how far a load is: its group, after each commit, in passing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from consumer.sinks import Stored, Totals

# Tells positions, and a note that is kept with them; returns whether it was the time for that.
Tell = Callable[[Mapping[int, int], str], bool]


class Onlookers:
    """Adds up what a load stores, and tells it.

    The note says how much is in the quarantine in all, and where the newest of it lies, with its class:
    ``{"quarantined": 3, "last_error": "partition 0, offset 17, decode/short"}``.

    :param tell: waits for nothing: :meth:`cluster.reading.TopicReader.tell`.
    :param held: what the sink held before.
    :param then: is told of each batch as well.
    """

    def __init__(self, tell: Tell, held: Totals, then: Callable[[Stored], None]) -> None:
        self._tell = tell
        self._then = then
        self._quarantined = held.quarantined
        self._last_error = ""
        self._positions: dict[int, int] = {}
        self._told = True

    @property
    def note(self) -> str:
        """What is kept with the positions."""
        return json.dumps({"quarantined": self._quarantined, "last_error": self._last_error})

    def add(self, stored: Stored) -> None:
        """Take one committed batch."""
        self._quarantined += stored.quarantined
        self._last_error = stored.first_reject or self._last_error
        self._positions.update(stored.positions)
        self._told = False
        self.again()
        self._then(stored)

    def again(self) -> None:
        """Tell the newest, if it came too soon after what was told before."""
        self._told = self._told or self._tell(self._positions, self.note)
