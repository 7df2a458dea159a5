"""Splitting a number over shards."""

from __future__ import annotations


def share(total: int, shards: int, shard: int) -> int:
    """Return how many of ``total`` a shard gets: shares differ by one at most and sum to ``total``."""
    return total // shards + (1 if shard < total % shards else 0)
