"""Who comes: people who return, each mostly on one device, and new ones, of whom some sign up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from producer.toolkit.draws import cumulative, draw
from producer.toolkit.ids import numbered
from producer.toolkit.visits import draw_distinct

Ints = NDArray[np.int64]

PEOPLE = 4_096  # of one shard, who return
ACTIVITY_SIGMA = 1.2  # of the log-normal share of sessions that a person has
DEVICES = ("desktop", "mobile", "tablet")
DEVICE_SHARES = (0.52, 0.42, 0.06)
_USUAL_DEVICE = 0.88
# Where shard, block and session stand in the numbers of people and sessions: 3, 5 and 4 hexadecimal digits.
_SHARD, _BLOCK, _DIGITS = 36, 16, 12


@dataclass(frozen=True, slots=True)
class People:
    """The people of one shard who return: their ids are apart from those of every other shard."""

    shard: int
    log_activity: NDArray[np.float32]
    device: Ints


@dataclass(frozen=True, slots=True)
class Sessions:
    """One value for each session of a block."""

    user_ids: Any  # Arrow
    session_ids: Any
    device: Ints


def draw_people(rng: np.random.Generator, shard: int) -> People:
    """Draw the people of a shard."""
    return People(
        shard=shard,
        log_activity=(ACTIVITY_SIGMA * rng.standard_normal(PEOPLE)).astype(np.float32),
        device=draw(rng, cumulative(DEVICE_SHARES), PEOPLE),
    )


def draw_sessions(rng: np.random.Generator, people: People, block: int, signs_up: NDArray[np.bool_]) -> Sessions:
    """Draw who has the sessions of a block: by activity, nobody twice; and someone new wherever somebody signs up.

    :param signs_up: for each session.
    """
    count = len(signs_up)
    person = draw_distinct(rng, people.log_activity, count)
    usual = rng.random(count) < _USUAL_DEVICE
    device = np.where(usual & ~signs_up, people.device[person], draw(rng, cumulative(DEVICE_SHARES), count))
    shard, session = people.shard << _SHARD, np.arange(count)
    # Those who return have a 0 where others have the block, from 1, in which they were new.
    user = shard + np.where(signs_up, ((block + 1) << _BLOCK) + session, person)
    return Sessions(
        user_ids=numbered("u", user, _DIGITS),
        session_ids=numbered("s", shard + (block << _BLOCK) + session, _DIGITS),
        device=device,
    )
