"""Noting where records lie, as delivery reports or the topic itself tell it: ``schemas/places.py`` says what for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from confluent_kafka import Message
from numpy.typing import NDArray

from schemas.manifest import PlaceWindows
from schemas.places import PlaceSums, crcs_of_keys, crcs_of_values

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Placed:
    """Records that Kafka has, row by row: where, the time it stamped them with, and the CRC-32 of value and key.

    The columns are those of :func:`schemas.places.mixed`.
    """

    partitions: Numbers
    offsets: Numbers
    times_ms: Numbers
    value_crcs: Numbers
    key_crcs: Numbers

    @classmethod
    def of(cls, messages: Sequence[Message], stamps_ms: Sequence[int] | None = None) -> Placed:
        """Read messages of the client's. The calls per message are ``map``'s, not Python's: half a microsecond.

        :param stamps_ms: the times that the records have, where those of the messages need not be right.
        """
        many = len(messages)
        times: Numbers = (
            np.fromiter(chain.from_iterable(map(Message.timestamp, messages)), np.int64, 2 * many)[1::2]
            if stamps_ms is None
            else np.fromiter(stamps_ms, np.int64, many)
        )
        return cls(
            np.fromiter(map(Message.partition, messages), np.int64, many),
            np.fromiter(map(Message.offset, messages), np.int64, many),
            times,
            crcs_of_values(list(map(Message.value, messages))),
            crcs_of_keys(list(map(Message.key, messages))),
        )

    def __len__(self) -> int:
        return len(self.offsets)


class Placing:
    """Records on their way into sums. Messages are noted until :meth:`settle`, and hold their values so long."""

    def __init__(self) -> None:
        self._noted: list[Message] = []
        self._sums = PlaceSums()
        self.note = self._noted.append

    def settle(self) -> None:
        """Count what was noted into the sums."""
        if self._noted:
            self.add(Placed.of(self._noted))
            self._noted.clear()

    def add(self, placed: Placed) -> None:
        """Count records into the sums."""
        self._sums.add(placed.partitions, placed.offsets, placed.times_ms, placed.value_crcs, placed.key_crcs)

    def windows(self) -> PlaceWindows:
        """Return the sums for the manifest."""
        self.settle()
        return self._sums.windows()
