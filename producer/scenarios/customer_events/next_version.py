"""What version 2 of the schema adds to an event: the experiment that a customer is in, and when the client sent it.

Drawn from chances of their own, so that version 1 of every event stays the same, byte for byte.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from producer.toolkit.arrays import column, taken
from producer.toolkit.chance import chances

# A customer is in one of them for good, or in none.
EXPERIMENTS = ("home_rows/control", "home_rows/compact", "autoplay/control", "autoplay/off")
IN_AN_EXPERIMENT = 0.4
# The way from the client's queue to the network: log-normal, half of the events within 180 ms, one in 100 above 1.6 s.
_MEDIAN_MS, _SIGMA, _MOST_MS = 180.0, 0.95, 30_000.0
_NAMES = pa.array(EXPERIMENTS)


def later_columns(seed: int, shard: int, first: int, block: pa.RecordBatch) -> dict[str, Any]:
    """Return the columns ``experiment`` and ``client_sent_at`` of a block that begins with event ``first``."""
    return {
        "experiment": _experiments(block.column("user_id")),
        "client_sent_at": _sent_at(seed, shard, first, block.column("timestamp")),
    }


def _experiments(users: Any) -> Any:
    """Assign customers by a hash of their id, whatever the seed: as a service does it."""
    distinct = users.dictionary_encode()
    places = np.array([_place(user) for user in distinct.dictionary.to_pylist()], dtype=np.float64)
    chance = places[distinct.indices.to_numpy(zero_copy_only=False)]
    number = np.minimum((chance / IN_AN_EXPERIMENT * len(EXPERIMENTS)).astype(np.int64), len(EXPERIMENTS) - 1)
    return taken(_NAMES, number, missing=chance >= IN_AN_EXPERIMENT)


def _place(user: str) -> float:
    return int.from_bytes(hashlib.sha256(f"experiment/{user}".encode()).digest()[:6], "little") / 2.0**48


def _sent_at(seed: int, shard: int, first: int, happened: Any) -> Any:
    numbers = np.arange(first, first + len(happened), dtype=np.int64)
    # Box and Muller's normal numbers, of two chances each.
    radius = np.sqrt(-2 * np.log1p(-chances(seed, shard, "client_sent_at/radius", numbers)))
    normal: NDArray[np.float64] = radius * np.cos(2 * np.pi * chances(seed, shard, "client_sent_at/angle", numbers))
    delay_ms = np.minimum(_MEDIAN_MS * np.exp(_SIGMA * normal), _MOST_MS).astype(np.int64)
    times: Any = happened.cast(pa.timestamp("ms")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    # Nothing is sent later than the newest event of the block happened, so that none is ahead of its Kafka record.
    newest = int(times.max()) if len(times) else 0
    return column(np.minimum(times + delay_ms, np.maximum(times, newest))).cast(happened.type)
