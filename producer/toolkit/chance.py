"""Chances that are a function of (seed, shard, stream, sequence): no state, so any event can be asked about alone."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_TO_UNIT = 2.0**-53


def chances(seed: int, shard: int, stream: str, sequences: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each sequence, evenly distributed.

    SplitMix64's output function (Steele, Lea and Flood, 2014) over the sequence, from a start that seed, shard and
    stream decide. The same on every machine and with every version of NumPy.

    :param stream: what the chance is for; different streams are independent.
    """
    digest = hashlib.sha256(f"{seed}/{shard}/{stream}".encode()).digest()
    start = np.uint64(int.from_bytes(digest[:8], "little"))
    with np.errstate(over="ignore"):
        bits = start + (sequences.astype(np.uint64) + np.uint64(1)) * _GOLDEN
        bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
        bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
        bits ^= bits >> np.uint64(31)
    unit: NDArray[np.float64] = (bits >> np.uint64(11)).astype(np.float64) * _TO_UNIT
    return unit
