"""How a play went: how much was watched, at which quality and speed, and what the customer did meanwhile.

Figures are drawn once and the rest follows from them, so that they agree: the wall-clock time of a play is the time
watched at the speed in force, plus the pauses; the quality at the end is what the last change led to.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from producer.scenarios.customer_events.world.tables import NETWORK_MEDIAN_MBPS, QUALITY_BANDWIDTH, SPEEDS
from producer.toolkit.draws import Bools, Floats, Ints, cumulative, draw

# What a customer does during a play, in order, and how often. A pause is always followed by its resume.
SCRIPTS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.36, ()),
    (0.20, ("pause",)),
    (0.12, ("seek",)),
    (0.11, ("quality_change",)),
    (0.06, ("pause", "seek")),
    (0.04, ("quality_change", "quality_change")),
    (0.04, ("speed_change",)),
    (0.03, ("seek", "seek")),
    (0.02, ("quality_change", "pause")),
    (0.02, ("pause", "pause")),
)
# Where only one quality is possible, the same script without its quality changes.
_WITHOUT_QUALITY = np.array([0, 1, 2, 0, 4, 0, 6, 7, 1, 9])
SPEED_SCRIPT = 6
MAX_STEPS = 2
COMPLETED_PERCENT = 95.0
_SCRIPT_SHARES = cumulative([share for share, _ in SCRIPTS])
_PAUSES = np.array([steps.count("pause") for _, steps in SCRIPTS])
_QUALITY_CHANGES = np.array([steps.count("quality_change") for _, steps in SCRIPTS])

COMPLETED_SHARE, ABANDONED_SHARE = 0.46, 0.22
_TO_THE_LAST_SECOND = 0.6
_MIN_PLAYED_S = 5
PAUSE_MEDIAN_S, PAUSE_SIGMA, _PAUSE_MAX_S = 70.0, 1.0, 1500
_START_SPEED = cumulative((0.0, 0.94, 0.035, 0.025, 0.0))
_NORMAL_SPEED = SPEEDS.index(1.0)
BANDWIDTH_SIGMA = 0.55
_BANDWIDTH_MIN_MBPS = 1.2
# Stalls in an hour of a play without head-room.
STALLS_PER_HOUR = 1.8


@dataclass(frozen=True, slots=True)
class Plays:
    """Plays, by columns. ``turn`` is when the steps of the script happen, as shares of the time that ran.

    ``first_quality`` to ``quality``: at the start and at the end; a script with two changes goes there and back.
    ``pause_s`` has a column for each pause that a script can have.
    """

    played_s: Ints
    percentage: Floats
    wall_ms: Ints
    ran_ms: Ints
    script: Ints
    turn: Floats
    pause_s: Ints
    first_quality: Ints
    other_quality: Ints
    quality: Ints
    first_speed: Ints
    speed: Ints
    buffering: Ints
    bandwidth: Floats

    def __len__(self) -> int:
        return len(self.played_s)

    @property
    def completed(self) -> Bools:
        """Whether at least 95 percent was played."""
        return self.percentage >= COMPLETED_PERCENT

    @property
    def paused(self) -> Bools:
        """Whether the customer paused at least once."""
        pauses: Bools = _PAUSES[self.script] > 0
        return pauses

    def take(self, rows: Ints) -> Self:
        """Return some plays."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Return several lots of plays as one."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def draw_completed(rng: np.random.Generator, size: int) -> Bools:
    """Return which of ``size`` plays are watched to the end."""
    completed: Bools = rng.random(size) < COMPLETED_SHARE
    return completed


def draw_plays(rng: np.random.Generator, duration_s: Ints, *, completed: Bools, cap: Ints, network: Ints) -> Plays:
    """Return one play for each content duration, within a quality cap (index of ``QUALITIES``), on a network."""
    size = len(duration_s)
    played_s = _played(rng, duration_s, completed)
    bandwidth = np.array(NETWORK_MEDIAN_MBPS)[network] * np.exp(BANDWIDTH_SIGMA * rng.standard_normal(size))
    bandwidth = np.round(np.maximum(bandwidth, _BANDWIDTH_MIN_MBPS), 1)
    held = np.searchsorted(QUALITY_BANDWIDTH, bandwidth, side="right") - 1
    quality = np.minimum(cap, held)

    script = draw(rng, _SCRIPT_SHARES, size)
    script = np.where(cap == 0, _WITHOUT_QUALITY[script], script)
    # Where the bandwidth holds the lowest quality only, nobody goes up and comes back.
    script = np.where((quality == 0) & (_QUALITY_CHANGES[script] == 2), _WITHOUT_QUALITY[script], script)
    changes = _QUALITY_CHANGES[script]
    neighbour = np.where(quality > 0, quality - 1, quality + 1)
    pauses = _PAUSES[script][:, None] > np.arange(MAX_STEPS)
    pause_s = np.exp(PAUSE_SIGMA * rng.standard_normal((size, MAX_STEPS))) * PAUSE_MEDIAN_S
    pauses_s = np.where(pauses, np.clip(pause_s, 2, _PAUSE_MAX_S).astype(np.int64), 0)

    first_speed = draw(rng, _START_SPEED, size)
    shifted = (first_speed + rng.integers(1, len(SPEEDS), size)) % len(SPEEDS)
    first_speed = np.where(script == SPEED_SCRIPT, _NORMAL_SPEED, first_speed)
    shifted = np.where(shifted == _NORMAL_SPEED, _NORMAL_SPEED + 1, shifted)
    speed = np.where(script == SPEED_SCRIPT, shifted, first_speed)
    turn = np.sort(0.03 + 0.94 * rng.random((size, MAX_STEPS)), axis=1)
    factor = np.array(SPEEDS)
    mean_speed = factor[first_speed] * turn[:, 0] + factor[speed] * (1 - turn[:, 0])
    ran_ms = np.rint(1000 * played_s / mean_speed).astype(np.int64)

    return Plays(
        played_s=played_s,
        percentage=np.round(100 * played_s / duration_s, 2),
        wall_ms=ran_ms + 1000 * pauses_s.sum(axis=1),
        ran_ms=ran_ms,
        script=script,
        turn=turn,
        pause_s=pauses_s,
        first_quality=np.where(changes == 1, neighbour, quality),
        other_quality=neighbour,
        quality=quality,
        first_speed=first_speed,
        speed=speed,
        buffering=_buffering(rng, bandwidth, quality, ran_ms),
        bandwidth=bandwidth,
    )


def _played(rng: np.random.Generator, duration_s: Ints, completed: Bools) -> Ints:
    """Return how long was watched: nearly half to the end, a fifth given up early, the rest in between."""
    size = len(duration_s)
    within = rng.random(size)
    abandoned = rng.random(size) < ABANDONED_SHARE / (1 - COMPLETED_SHARE)
    # From 95.1 percent on, so that rounding to seconds never makes 94.99 of it.
    to_the_end = np.where(rng.random(size) < _TO_THE_LAST_SECOND, 1.0, 0.951 + 0.049 * within)
    given_up = 0.12 * within**2
    share = np.where(completed, to_the_end, np.where(abandoned, given_up, 0.12 + 0.82 * within))
    return np.clip(np.rint(share * duration_s), _MIN_PLAYED_S, duration_s).astype(np.int64)


def _buffering(rng: np.random.Generator, bandwidth: Floats, quality: Ints, ran_ms: Ints) -> Ints:
    """Return stalls: a Poisson count that grows with the time that ran and shrinks with the head-room."""
    headroom = bandwidth / np.maximum(np.array(QUALITY_BANDWIDTH)[quality], 1.5)
    stalls: Ints = rng.poisson(np.minimum(STALLS_PER_HOUR * (ran_ms / 3_600_000) / headroom, 12.0))
    return stalls
