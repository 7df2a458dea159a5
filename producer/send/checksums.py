"""Sums of CRC-32 over windows of sequences, as ``schemas.manifest.CrcWindows`` describes them."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from schemas.manifest import MAX_CRC_WINDOWS, CrcWindows

_FIRST_SIZE = 256


def crc32s(values: list[bytes]) -> NDArray[np.int64]:
    """Return zlib's CRC-32 of each value."""
    return np.fromiter(map(zlib.crc32, values), dtype=np.int64, count=len(values))


class ChecksumWindows:
    """Windows that start small and double as the run grows, so that a manifest never holds more than its maximum."""

    def __init__(self) -> None:
        self._size = _FIRST_SIZE
        self._sums = np.zeros(MAX_CRC_WINDOWS, dtype=np.int64)
        self._used = 0

    def add(self, sequences: NDArray[np.int64], checksums: NDArray[np.int64]) -> None:
        """Count events in."""
        if not len(sequences):
            return
        lowest, highest = int(sequences.min()), int(sequences.max())
        while highest >= self._size * MAX_CRC_WINDOWS:
            self._double()
        windows = sequences // self._size
        first, last = lowest // self._size, highest // self._size
        # Exact in float64: a window would need 2^21 events before a sum of CRCs passes 2^53, and one call adds fewer.
        added = np.bincount(windows - first, weights=checksums, minlength=last - first + 1)
        self._sums[first : last + 1] += added.astype(np.int64)
        self._used = max(self._used, last + 1)

    def remove(self, sequence: int, checksum: int) -> None:
        """Count one event out again: it was not acknowledged."""
        self._sums[sequence // self._size] -= checksum

    def windows(self) -> CrcWindows:
        """Return the sums for the manifest."""
        return CrcWindows(size=self._size, sums=self._sums[: self._used].tolist())

    def _double(self) -> None:
        pairs = self._sums.reshape(-1, 2).sum(axis=1)
        self._sums = np.concatenate([pairs, np.zeros(MAX_CRC_WINDOWS - len(pairs), dtype=np.int64)])
        self._used = (self._used + 1) // 2
        self._size *= 2
