"""Columns of identifiers, built as one matrix of ASCII digits instead of one Python string for each event."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from producer.toolkit.arrays import strings
from schemas.identity import MAX_SEQUENCE, event_id

_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_LETTERS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789", dtype=np.uint8)
_HALF, _ROUNDS, _ODD = 36**4, 4, np.uint64(0x9E3779B97F4A7C15)
_SEQUENCE_DIGITS = 15  # the sixteenth holds the two variant bits, and no run reaches 2^60
# Where those fifteen digits stand in the canonical form, which has a hyphen after the first three.
_FIRST_GROUP = slice(20, 23)
_SECOND_GROUP = slice(24, 36)


def event_ids(run_id: str, shard: int, sequences: NDArray[np.int64]) -> Any:
    """Return ``schemas.identity.event_id`` of every sequence, as one column."""
    if len(sequences) and int(sequences[-1]) > MAX_SEQUENCE >> 2:
        raise ValueError(f"sequence {sequences[-1]} is too large for a column")
    text = np.empty((len(sequences), 36), dtype=np.uint8)
    text[:] = np.frombuffer(event_id(run_id, shard, 0).encode(), dtype=np.uint8)
    digits = _hexadecimal(sequences, _SEQUENCE_DIGITS)
    text[:, _FIRST_GROUP] = digits[:, :3]
    text[:, _SECOND_GROUP] = digits[:, 3:]
    return strings(text)


def numbered(prefix: str, numbers: NDArray[np.int64], digits: int) -> Any:
    """Return ``prefix`` and each number in hexadecimal, padded to ``digits``."""
    text = np.empty((len(numbers), len(prefix) + digits), dtype=np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    text[:, len(prefix) :] = _hexadecimal(numbers, digits)
    return strings(text)


def _hexadecimal(numbers: NDArray[np.int64], digits: int) -> NDArray[np.uint8]:
    shifts = np.arange(4 * (digits - 1), -1, -4, dtype=np.int64)
    nibbles: NDArray[np.uint8] = _DIGITS[(numbers[:, None] >> shifts) & 0xF]
    return nibbles


def scrambled(numbers: NDArray[np.int64], seed: int) -> Any:
    """Return eight small letters and digits for each number below 36^8: different ones for different numbers.

    Four rounds of a Feistel network over pairs of four letters; which number gets which text follows from the seed.
    """
    left, right = np.divmod(numbers.astype(np.uint64), np.uint64(_HALF))
    keys = np.random.SeedSequence([seed, _HALF]).generate_state(_ROUNDS, np.uint64)
    for key in keys:
        with np.errstate(over="ignore"):
            mixed = (right ^ key) * _ODD
            mixed ^= mixed >> np.uint64(29)
            mixed *= _ODD
        left, right = right, (left + (mixed >> np.uint64(32))) % np.uint64(_HALF)
    places = np.uint64(36) ** np.arange(3, -1, -1, dtype=np.uint64)
    digits = np.concatenate([half[:, None] // places % np.uint64(36) for half in (left, right)], axis=1)
    return strings(_LETTERS[digits])


def letters(rng: np.random.Generator, count: int, length: int) -> Any:
    """Return texts of ``length`` small letters and digits, drawn."""
    return strings(_LETTERS[rng.integers(0, len(_LETTERS), (count, length))])
