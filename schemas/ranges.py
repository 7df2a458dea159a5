"""Ranges of sequences as arrays: how many of them lie before a number, and whether one is among them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from schemas.manifest import Manifest, Range

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ranges:
    """Half-open ranges that ascend and do not overlap, by their bounds."""

    firsts: Numbers
    ends: Numbers

    @classmethod
    def of(cls, ranges: Iterable[Range]) -> Self:
        """Take ranges that do not overlap, in any order."""
        bounds = np.array(sorted(ranges), dtype=np.int64).reshape(-1, 2)
        return cls(bounds[:, 0], bounds[:, 1])

    @classmethod
    def not_acknowledged(cls, manifest: Manifest) -> Self:
        """Return what a manifest says was not acknowledged; of a ledger, the offsets without a record."""
        return cls.of([*manifest.failed, *manifest.unknown])

    def before(self, numbers: Numbers) -> Numbers:
        """Return how many of their numbers lie before each of ``numbers``."""
        whole = np.concatenate([[0], np.cumsum(self.ends - self.firsts)])
        place = np.searchsorted(self.firsts, numbers)
        last = np.concatenate([[0], self.ends])[place]
        found: Numbers = whole[place] - np.maximum(0, last - numbers)
        return found

    def has(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Return which of ``numbers`` are in one of them."""
        found: NDArray[np.bool_] = self.before(numbers + 1) > self.before(numbers)
        return found

    def outside(self, ranges: Iterable[Range]) -> int:
        """Return how many numbers of other ranges are in none of these."""
        bounds = np.array(list(ranges), dtype=np.int64).reshape(-1, 2)
        inside = self.before(bounds[:, 1]) - self.before(bounds[:, 0])
        return int((bounds[:, 1] - bounds[:, 0] - inside).sum())
