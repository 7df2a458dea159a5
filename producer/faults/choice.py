"""Which rows of a block get which fault. Every row has one fault at most."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from cluster.errors import Misconfigured
from producer.faults.spec import Fault
from producer.toolkit.chance import chances
from producer.toolkit.sharing import share
from schemas.faults import CLOCK_SKEW

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Choice:
    """Which sequences of one shard are meant to get a fault, before anyone looks at the events.

    :param kinds: the kinds of each fault, by its name.
    :param target: events of this shard, ``None`` when nobody knows.
    :raises Misconfigured: a number of faults is asked for and the number of events is not known.
    """

    def __init__(  # noqa: PLR0917 - what the choice is a function of
        self,
        faults: tuple[Fault, ...],
        kinds: dict[str, tuple[str, ...]],
        seed: int,
        shard: int,
        shards: int,
        target: int | None,
    ) -> None:
        self._seed = seed
        self._shard = shard
        self._shares: list[tuple[Fault, tuple[str, ...]]] = []
        self._counted: dict[str, Ints] = {}
        for fault in faults:
            if fault.name == CLOCK_SKEW:
                continue
            if fault.count is None:
                self._shares.append((fault, kinds[fault.name]))
                continue
            if target is None:
                raise Misconfigured(
                    f"{fault} asks for a number of faults, and the number of events is not known",
                    hint="Give --events, or --rate with --seconds, or ask for a share",
                )
            own = share(fault.count, shards, shard)
            for number, kind in enumerate(kinds[fault.name]):
                self._counted[kind] = np.union1d(
                    self._counted.get(kind, np.zeros(0, dtype=np.int64)),
                    _drawn(seed, shard, kind, share(own, len(kinds[fault.name]), number), target),
                )

    def of(self, first: int, rows: int) -> dict[str, Ints]:
        """Return the rows of the block that begins with sequence ``first``, by kind, ascending."""
        chosen: dict[str, Ints] = {}
        for kind, sequences in self._counted.items():
            inside = sequences[np.searchsorted(sequences, first) : np.searchsorted(sequences, first + rows)]
            chosen[kind] = inside - first
        if self._shares:
            numbers = np.arange(first, first + rows, dtype=np.int64)
            for fault, kinds in self._shares:
                hit = np.flatnonzero(chances(self._seed, self._shard, fault.name, numbers) < (fault.share or 0))
                which = chances(self._seed, self._shard, f"{fault.name}/kind", numbers[hit]) * len(kinds)
                for number, kind in enumerate(kinds):
                    own = hit[which.astype(np.int64) == number]
                    chosen[kind] = np.union1d(chosen[kind], own) if kind in chosen else own
        return chosen


def _drawn(seed: int, shard: int, kind: str, count: int, target: int) -> Ints:
    """Return ``count`` different sequences below ``target``, all of them if there are not so many."""
    digest = hashlib.sha256(f"{seed}/{shard}/{kind}/count".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    return np.sort(rng.choice(target, min(count, target), replace=False)).astype(np.int64)


def placed(wanted: Ints, open_rows: Bools) -> Ints:
    """Return where faults go that are wanted in some rows: there if the row is open, else in the next open ones.

    What finds no open row up to the end of the block goes into the last ones before it, and is left out when there is
    none.
    """
    open_at = np.flatnonzero(open_rows)
    here = wanted[open_rows[wanted]]
    moving = wanted[~open_rows[wanted]]
    if not len(moving):
        return here
    spare = np.setdiff1d(open_at, here, assume_unique=True)
    if len(moving) >= len(spare):
        return np.union1d(here, spare)
    place = np.searchsorted(spare, moving)
    steps = np.arange(len(moving))
    place = np.maximum.accumulate(place - steps) + steps  # each its own, none before its wish
    # From the end back, the same for those that would pass it.
    place = np.minimum(place, len(spare) - len(moving) + steps)
    return np.union1d(here, spare[place])


def skew_s(faults: tuple[Fault, ...], seed: int, shard: int, shards: int) -> float:
    """Return how far the clock of a shard is ahead, seconds; 0 for a shard that keeps time."""
    for fault in faults:
        if fault.name == CLOCK_SKEW:
            many = fault.count if fault.count is not None else max(1, round((fault.share or 0) * shards))
            order = np.argsort(chances(seed, 0, CLOCK_SKEW, np.arange(shards, dtype=np.int64)), kind="stable")
            return (fault.seconds or 0.0) if shard in order[:many] else 0.0
    return 0.0
