"""Who comes: visitors who return, some much more often than others, each with a device and a home."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from producer.toolkit.visits import draw_distinct

Ints = NDArray[np.int64]

VISITORS = 65_536  # of one shard
FIRST_USER = 1000
ACTIVITY_SIGMA = 1.2  # of the log-normal share of sessions that a visitor has
DEVICES = ("mobile", "computer", "tablet")
_DEVICE_WEIGHTS = np.array([0.58, 0.34, 0.08])
_USUAL_DEVICE = 0.85
_ON_THE_WAY = 0.45  # share of mobile sessions that are not at home

# 198.18.0.0/15 is set aside for tests (RFC 2544): its first half for homes, 1,024 of the second for mobile networks.
_HOMES = 32_768
_GATEWAYS = 1_024


@dataclass(frozen=True, slots=True)
class Visitors:
    """The visitors of one shard: their numbers are apart from those of every other shard."""

    users: NDArray[np.int32]
    log_activity: NDArray[np.float32]
    device: NDArray[np.int8]
    home: Ints
    addresses: Any  # Arrow: homes, then gateways


@dataclass(frozen=True, slots=True)
class Visits:
    """One value for each session."""

    user: NDArray[np.int32]
    device: NDArray[np.int8]
    address: Ints


def draw_visitors(rng: np.random.Generator, shard: int, shards: int) -> Visitors:
    """Draw the visitors of a shard. Households share an address."""
    homes = [f"198.18.{number >> 8}.{number & 255}" for number in range(_HOMES)]
    gateways = [f"198.19.{number >> 8}.{number & 255}" for number in range(_GATEWAYS)]
    return Visitors(
        users=(FIRST_USER + np.arange(VISITORS) * shards + shard).astype(np.int32),
        log_activity=(ACTIVITY_SIGMA * rng.standard_normal(VISITORS)).astype(np.float32),
        device=rng.choice(len(DEVICES), VISITORS, p=_DEVICE_WEIGHTS).astype(np.int8),
        home=rng.integers(0, _HOMES, VISITORS),
        addresses=pa.array(homes + gateways),
    )


def draw_visits(rng: np.random.Generator, visitors: Visitors, count: int) -> Visits:
    """Draw who has the ``count`` sessions of a block: by activity, and nobody twice, so that no visits overlap."""
    chosen = draw_distinct(rng, visitors.log_activity, count)
    other = rng.choice(len(DEVICES), count, p=_DEVICE_WEIGHTS)
    device = np.where(rng.random(count) < _USUAL_DEVICE, visitors.device[chosen], other).astype(np.int8)
    away = (device == 0) & (rng.random(count) < _ON_THE_WAY)
    gateway = _HOMES + rng.integers(0, _GATEWAYS, count)
    return Visits(visitors.users[chosen], device, np.where(away, gateway, visitors.home[chosen]))
