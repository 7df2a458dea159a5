"""Where records lie, as sums that a manifest can hold: a witness of partition, offset, key and time.

Each record gives one 64-bit number, mixed from its partition, offset, timestamp and the CRC-32 of its value and of its
key. The numbers are summed, modulo 2^64, over windows of offsets of one partition. Two records that change places
change the sums, as the number of a record is not a sum of its parts.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.manifest import MAX_PLACE_WINDOWS, PlaceWindows

Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]

NO_KEY = -1  # stands for the CRC-32 of a key that is not there: an empty one has 0
NO_TIME = -1
# The years 1 to 9999: no calendar knows what is earlier or later.
FIRST_TIMESTAMP_MS, LAST_TIMESTAMP_MS = -62_135_596_800_000, 253_402_300_799_999

_FIRST_SIZE = 256
_LARGEST_SIZE = 1 << 48
_PARTITION_BITS = 48
_FOLD_ROWS = 16_384
_UP = (np.uint64(30), np.uint64(27), np.uint64(31))
_BY = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def mixed(partitions: Numbers, offsets: Numbers, at_ms: Numbers, crcs: Numbers, key_crcs: Numbers) -> Hashes:
    """Return one number per record. Times that a record does not carry, or before 1970 or after 9999: ``NO_TIME``.

    :param key_crcs: as :func:`crcs_of_keys` gives them.
    """
    known = np.where((at_ms < 0) | (at_ms > LAST_TIMESTAMP_MS), NO_TIME, at_ms)
    number = _scrambled(crcs.astype(np.uint64) ^ (key_crcs.astype(np.uint64) << np.uint64(32)))
    place = (partitions.astype(np.uint64) << np.uint64(_PARTITION_BITS)) | offsets.astype(np.uint64)
    return _scrambled(_scrambled(number + place) + known.astype(np.uint64))


def _scrambled(numbers: Hashes) -> Hashes:
    """Return the finalizer of SplitMix64 of each number: every bit depends on every bit."""
    numbers = (numbers ^ (numbers >> _UP[0])) * _BY[0]
    numbers = (numbers ^ (numbers >> _UP[1])) * _BY[1]
    return numbers ^ (numbers >> _UP[2])


def crcs_of_values(values: Sequence[bytes | None]) -> Numbers:
    """Return the CRC-32 of each value; a record without one counts as empty."""
    try:
        return np.fromiter(map(zlib.crc32, values), np.int64, len(values))  # type: ignore[arg-type]  # see below
    except TypeError:
        return np.fromiter((zlib.crc32(value or b"") for value in values), np.int64, len(values))


def crcs_of_keys(keys: Sequence[bytes | None]) -> Numbers:
    """Return the CRC-32 of each key, ``NO_KEY`` for a record without one."""
    try:
        return np.fromiter(map(zlib.crc32, keys), np.int64, len(keys))  # type: ignore[arg-type]  # see below
    except TypeError:
        return np.fromiter((NO_KEY if key is None else zlib.crc32(key) for key in keys), np.int64, len(keys))


class PlaceSums:
    """Windows that start small and double as the run grows, so that a manifest never holds many more than its maximum.

    Each partition has one window at least.
    """

    def __init__(self) -> None:
        self._size = _FIRST_SIZE
        self._windows: dict[int, tuple[int, int]] = {}  # partition and number of the window: records, sum
        self._waiting: list[tuple[Numbers, Numbers, Numbers, Numbers, Numbers]] = []
        self._rows = 0

    def add(self, partitions: Numbers, offsets: Numbers, at_ms: Numbers, crcs: Numbers, key_crcs: Numbers) -> None:
        """Count records in; the columns are those of :func:`mixed`."""
        self._waiting.append((partitions, offsets, at_ms, crcs, key_crcs))
        self._rows += len(offsets)
        if self._rows >= _FOLD_ROWS:
            self._fold()

    def windows(self) -> PlaceWindows:
        """Return the sums for the manifest."""
        self._fold()
        rows = sorted((*self._of(place), records, total) for place, (records, total) in self._windows.items())
        return PlaceWindows(size=self._size, windows=rows)

    def _of(self, place: int) -> tuple[int, int]:
        return place >> _PARTITION_BITS, (place & ((1 << _PARTITION_BITS) - 1)) // self._size

    def _fold(self) -> None:
        if not self._rows:
            return
        columns = [np.concatenate(parts) for parts in zip(*self._waiting, strict=True)]
        self._waiting, self._rows = [], 0
        hashes = mixed(*columns)
        starts = ((columns[0] << _PARTITION_BITS) | columns[1]) & ~np.int64(self._size - 1)
        order = np.argsort(starts, kind="stable")
        windows, first, counts = np.unique(starts[order], return_index=True, return_counts=True)
        sums = np.add.reduceat(hashes[order], first)
        for window, records, total in zip(windows.tolist(), counts.tolist(), sums.tolist(), strict=True):
            self._count(window, records, total)
        while len(self._windows) > MAX_PLACE_WINDOWS and self._size < _LARGEST_SIZE:
            self._double()

    def _count(self, window: int, records: int, total: int) -> None:
        before, said = self._windows.get(window, (0, 0))
        self._windows[window] = (before + records, (said + total) & 0xFFFF_FFFF_FFFF_FFFF)

    def _double(self) -> None:
        old, self._windows = self._windows, {}
        self._size *= 2
        for window, (records, total) in old.items():
            self._count(window & ~(self._size - 1), records, total)
