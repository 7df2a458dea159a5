"""What a partition holds, in little room: how many records, the offsets that have none, and sums of checksums."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cluster.errors import Misconfigured
from schemas.manifest import MAX_CRC_WINDOWS, CrcWindows, Range

# So many ranges still fit into one record of the control topic, packed.
MOST_GAPS = 100_000
_LEAST_WINDOW = 256

Numbers = NDArray[np.int64]


class PartitionLedger:
    """The records ``[first, end)`` of one partition, taken in their order.

    :ivar records: how many there are.
    :ivar keyed: how many of them have a key.
    :ivar gaps: how many ranges of offsets without a record were met between them.
    """

    def __init__(self, topic: str, partition: int, first: int, end: int) -> None:
        self.partition = partition
        self.first = first
        self.end = end
        self.records = 0
        self.keyed = 0
        self.gaps = 0
        self._topic = topic
        self._next = first
        self._gaps: list[Numbers] = []
        self._size = window_size(first, end)
        self._sums = np.zeros(-(-(end - first) // self._size), dtype=np.int64)

    def add(self, offsets: Numbers, crcs: NDArray[np.uint32], keyed: int) -> None:
        """Take records.

        :param offsets: ascending, behind those that were taken before.
        :param crcs: CRC-32 of each value; 0 of a tombstone.
        :param keyed: how many of them have a key.
        :raises Misconfigured: there are more ranges without a record than can be written down.
        """
        if not len(offsets):
            return
        before = np.concatenate([[self._next], offsets[:-1] + 1])
        holes = np.flatnonzero(offsets > before)
        if len(holes):
            self._gaps.append(np.column_stack([before[holes], offsets[holes]]))
            self.gaps += len(holes)
            if self.gaps > MOST_GAPS:
                raise Misconfigured(
                    f"partition {self.partition} has more than {MOST_GAPS:,} stretches of offsets without a record",
                    where=f"topic {self._topic}, up to offset {int(offsets[-1]):,}",
                    hint="They come of compaction, or of many small transactions; such a topic has no ledger",
                )
        windows = (offsets - self.first) // self._size
        low = int(windows[0])
        # Exact in float64: a call adds fewer than 2^21 numbers below 2^32.
        added = np.bincount(windows - low, weights=crcs)
        self._sums[low : low + len(added)] += added.astype(np.int64)
        self.records += len(offsets)
        self.keyed += keyed
        self._next = int(offsets[-1]) + 1

    def without_record(self) -> list[Range]:
        """Return the ranges of offsets that have no record, to the end."""
        ranges = [(int(first), int(end)) for part in self._gaps for first, end in part.tolist()]
        return [*ranges, (self._next, self.end)] if self._next < self.end else ranges

    def checksums(self) -> CrcWindows:
        """Return the sums."""
        return CrcWindows(size=self._size, sums=self._sums.tolist())


def window_size(first: int, end: int) -> int:
    """Return how many offsets a window of checksums covers: there are 4,096 windows at most."""
    return max(_LEAST_WINDOW, -(-(end - first) // MAX_CRC_WINDOWS))


def by_partition(partitions: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each partition with the rows that are of it."""
    for partition in np.unique(partitions).tolist():
        yield partition, np.flatnonzero(partitions == partition)
