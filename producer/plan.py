"""What is asked for: one run, split into shards."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.errors import Misconfigured
from schemas.identity import MAX_SHARDS

_MAX_RUN_ID = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class ProduceRequest:
    """One shard of one run. ``events``, ``seconds`` and ``rate`` are of the whole run, over all shards.

    :param rate: events a second; 0 is as fast as possible.
    :param users: sessions of the run, for scenarios that count them: they end it.
    :param no_delay: leave out the time between the events of a session, for scenarios that have it.
    :param event_log: folder for a log of the events, a file for each shard.
    :param endless: no bound: only a signal ends it.
    :param delivery_timeout_s: how long an event may wait for its acknowledgement before it counts as unknown.
    :raises Misconfigured: names every fault at once.
    """

    topic: str
    run_id: str
    scenario: str = "customer_events"
    shard: int = 0
    shards: int = 1
    seed: int = 1
    events: int | None = None
    seconds: float | None = None
    rate: float = 0.0
    endless: bool = False
    schema_version: int | None = None
    users: int | None = None
    no_delay: bool = False
    event_log: Path | None = None
    delivery_timeout_s: float = 30.0

    def __post_init__(self) -> None:
        faults = self._faults()
        if faults:
            raise Misconfigured(
                "the request is not valid: " + "; ".join(faults), hint="See `streamproof produce --help`"
            )

    def _faults(self) -> list[str]:
        bounded = self.events is not None or self.seconds is not None or self.users is not None
        checks = {
            "topic is empty": not self.topic,
            f"run id must have 1 to {_MAX_RUN_ID} characters": not 1 <= len(self.run_id) <= _MAX_RUN_ID,
            f"shards is {self.shards}, it must be 1 to {MAX_SHARDS}": not 1 <= self.shards <= MAX_SHARDS,
            f"shard is {self.shard}, it must be 0 to {self.shards - 1}": not 0 <= self.shard < max(1, self.shards),
            f"seed is {self.seed}, it must be 0 or more": self.seed < 0,
            f"events is {self.events}, it must be 0 or more": self.events is not None and self.events < 0,
            f"seconds is {self.seconds}, it must be above 0": self.seconds is not None
            and not (self.seconds > 0 and math.isfinite(self.seconds)),
            f"users is {self.users}, it must be 1 or more": self.users is not None and self.users < 1,
            f"rate is {self.rate}, it must be 0 (as fast as possible) or more": not (
                self.rate >= 0 and math.isfinite(self.rate)
            ),
            "neither events nor seconds is given; say how much, or ask for an endless run": not bounded
            and not self.endless,
            "an endless run has neither events nor seconds": bounded and self.endless,
            f"delivery timeout is {self.delivery_timeout_s}, it must be above 0": not self.delivery_timeout_s > 0,
        }
        return [fault for fault, holds in checks.items() if holds]

    def for_shard(self, shard: int) -> ProduceRequest:
        """Return the same run's request for another shard."""
        return replace(self, shard=shard)

    @property
    def shard_rate(self) -> float:
        """Events a second of this shard."""
        return self.rate / self.shards

    @property
    def target(self) -> int | None:
        """Events of this shard, or ``None`` when only time or a signal ends it."""
        bounds = []
        if self.events is not None:
            bounds.append(self.events)
        if self.seconds is not None and self.rate > 0:
            bounds.append(round(self.rate * self.seconds))
        return share(min(bounds), self.shards, self.shard) if bounds else None

    def options(self) -> dict[str, int | float | str | None]:
        """Return what only some scenarios take, where it was asked for; ``users`` are those of this shard."""
        asked: dict[str, int | float | str | None] = {}
        if self.users is not None:
            asked["users"] = share(self.users, self.shards, self.shard)
        if self.no_delay:
            asked["no_delay"] = 1
        return asked

    def settings(self) -> dict[str, int | float | str | None]:
        """Return what must be equal when the same run is asked for again."""
        return {
            "events": self.events,
            "seconds": self.seconds,
            "rate": self.rate,
            "endless": int(self.endless),
            **self.options(),
        }


def share(total: int, shards: int, shard: int) -> int:
    """Return how many of ``total`` a shard gets: shares differ by one at most and sum to ``total``."""
    return total // shards + (1 if shard < total % shards else 0)
