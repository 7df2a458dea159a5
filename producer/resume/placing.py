"""Noting where records lie, as delivery reports or the topic itself tell it: ``schemas/places.py`` says what for."""

from __future__ import annotations

from itertools import chain

import numpy as np
from confluent_kafka import Message

from schemas.manifest import PlaceWindows
from schemas.places import PlaceSums, crcs_of_keys, crcs_of_values


class Placing:
    """Messages on their way into sums. :attr:`note` takes one; it is the list's own method, as it is called per event.

    Noted messages hold their values until :meth:`settle`: call it after each poll.
    """

    def __init__(self) -> None:
        self._noted: list[Message] = []
        self._sums = PlaceSums()
        self.note = self._noted.append

    def settle(self) -> None:
        """Count what was noted into the sums. The calls per event are ``map``'s, not Python's: half a microsecond."""
        noted = self._noted
        many = len(noted)
        if not many:
            return
        partitions = np.fromiter(map(Message.partition, noted), np.int64, many)
        offsets = np.fromiter(map(Message.offset, noted), np.int64, many)
        times = np.fromiter(chain.from_iterable(map(Message.timestamp, noted)), np.int64, 2 * many)[1::2]
        values = crcs_of_values(list(map(Message.value, noted)))
        keys = crcs_of_keys(list(map(Message.key, noted)))
        self._sums.add(partitions, offsets, times, values, keys)
        noted.clear()

    def windows(self) -> PlaceWindows:
        """Return the sums for the manifest."""
        self.settle()
        return self._sums.windows()
