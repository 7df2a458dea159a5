"""The truth about injected faults, as a shard's manifest says it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.faults import CLOCK_SKEW, DROPPED, DUPLICATE, KINDS, TOMBSTONE, UNDECODABLE
from schemas.manifest import FaultTruth, Range

Ints = NDArray[np.int64]


class Truth:
    """What was injected into one shard, collected while it is sent."""

    def __init__(self) -> None:
        self._injected: dict[str, list[Ints]] = {}

    def note(self, truth: dict[str, Ints]) -> None:
        """Add what a part holds, by kind."""
        for kind, sequences in truth.items():
            self._injected.setdefault(kind, []).append(sequences)

    def take_back(self, kind: str, sequences: Ints) -> None:
        """Note that a fault was not injected after all."""
        if kind in self._injected:
            self._injected[kind] = [np.setdiff1d(np.concatenate(self._injected[kind]), sequences)]

    def of(self, kind: str, end: int) -> Ints:
        """Return the sequences below ``end`` that a kind was injected into."""
        found = np.concatenate(self._injected.get(kind, [np.zeros(0, dtype=np.int64)]))
        return np.sort(found[found < end])

    def without_value(self, end: int) -> Ints:
        """Return the sequences below ``end`` that no decoder can read."""
        kinds = [kind for kind in self._injected if kind in (DROPPED, TOMBSTONE) or kind.split(".")[0] == UNDECODABLE]
        return np.concatenate([np.zeros(0, dtype=np.int64), *(self.of(kind, end) for kind in kinds)])

    def documents(
        self, end: int, *, away: Ints, copies_away: Ints, copies_unsure: Ints, skewed: bool
    ) -> list[FaultTruth]:
        """Return the truth about ``[0, end)``.

        :param away: sequences that were not acknowledged, so that nothing is known to be injected there.
        :param copies_away: events whose second record was not written.
        :param copies_unsure: events whose second record was never answered.
        :param skewed: whether the clock of the shard is wrong.
        """
        found: dict[str, FaultTruth] = {}
        for kind in self._injected:
            sequences = self.of(kind, end)
            unsure = np.zeros(0, dtype=np.int64)
            if kind != DROPPED:
                sequences = np.setdiff1d(sequences, away)
            if kind == DUPLICATE:
                unsure = np.intersect1d(sequences, copies_unsure)
                sequences = np.setdiff1d(sequences, np.concatenate([copies_away, copies_unsure]))
            if len(sequences) or len(unsure):
                found[kind] = FaultTruth(kind=kind, sequences=ranges_of(sequences), unsure=ranges_of(unsure))
        if skewed and end:
            sent = np.setdiff1d(np.arange(end, dtype=np.int64), np.concatenate([away, self.of(DROPPED, end)]))
            found[CLOCK_SKEW] = FaultTruth(kind=CLOCK_SKEW, sequences=ranges_of(sent))
        return [found[kind] for kind in KINDS if kind in found]


def ranges_of(sequences: Ints) -> list[Range]:
    """Fold ascending sequences into half-open ranges."""
    if not len(sequences):
        return []
    breaks = np.flatnonzero(np.diff(sequences) > 1)
    firsts = sequences[np.concatenate([[0], breaks + 1])]
    ends = sequences[np.concatenate([breaks, [len(sequences) - 1]])] + 1
    return list(zip(firsts.tolist(), ends.tolist(), strict=True))
