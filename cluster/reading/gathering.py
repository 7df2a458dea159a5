"""Fetches into a chunk: bounded in records and in bytes, so that memory does not depend on how large records are."""

from __future__ import annotations

import time
from collections.abc import Collection

import numpy as np

from cluster.records import Records

MAX_CHUNK_BYTES = 16 * 1024 * 1024
_FIRST_GUESS_BYTES = 1024 * 1024


class Gathering:
    """Makes chunks, one after the other, and remembers how large records are."""

    def __init__(self) -> None:
        self.largest_bytes = _FIRST_GUESS_BYTES

    def begin(self, max_rows: int) -> Gathered:
        """Return an empty chunk that takes up to ``max_rows`` records."""
        return Gathered(self, max_rows)


class Gathered:
    """A chunk that grows."""

    def __init__(self, sizes: Gathering, max_rows: int) -> None:
        self._began = time.perf_counter()
        self._sizes = sizes
        self._left_rows = max_rows
        self._left_bytes = MAX_CHUNK_BYTES
        self._parts: list[Records] = []

    @property
    def full(self) -> bool:
        """Tell whether it takes no more."""
        return self._left_rows <= 0 or self._left_bytes <= 0

    @property
    def wanted(self) -> int:
        """Return how many records may be fetched next: at least one, and as many as fit if they are all large."""
        return max(1, min(self._left_rows, self._left_bytes // self._sizes.largest_bytes))

    def add(self, fresh: Records) -> None:
        """Take what was fetched."""
        if fresh:
            self._parts.append(fresh)
            self._left_rows -= len(fresh)
            self._left_bytes -= int(fresh.sizes.sum())
            self._sizes.largest_bytes = max(1, int(fresh.sizes.max()), self._sizes.largest_bytes // 2)

    def forget(self, partitions: Collection[int]) -> None:
        """Leave out what was taken of some partitions: somebody else has them."""
        gone = np.array(sorted(partitions), np.int32)
        self._parts = [part.only(~np.isin(part.partitions, gone)) for part in self._parts]

    def records(self) -> Records:
        """Return all that was taken, and the seconds since the chunk was begun as what fetching took."""
        return Records.joined(self._parts, time.perf_counter() - self._began)
