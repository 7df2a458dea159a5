"""What a shard of a run is to do: its request, read once. Whatever comes after the request takes this."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from producer.faults.spec import Fault, as_text
from producer.plan.mixing import Mixing
from producer.scenarios.options import Options
from producer.shapes import Shape, ShardSchedule, WholeSchedule, duration_s, to_text
from producer.toolkit.sharing import share
from schemas.columns.at_hand import AtHand
from schemas.incidents import Incident
from schemas.registry.history import ColumnConflicts

# How the settings call what the whole run was asked for, where each shard has its share.
OF_ALL_SHARDS = "all_"
AS_FAST_AS_POSSIBLE = "as fast as possible"
AT_THEIR_TIMES = "at their own times"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One shard of one run. ``events``, ``seconds``, ``rate`` and ``shape`` are of the whole run, over all shards.

    What is not said here is as :class:`producer.plan.request.ProduceRequest` has it.

    :param scenario: its name, or the path of its file.
    :param options: what the scenario is asked for, in the types that it declares, of the whole run.
    :param shared: names of those of which each shard has its share.
    :param own_times: an option has each event sent when its stream says that it is due.
    :param places: names of those that say where something is: another attempt may be told another place.
    :param ends_by_itself: an option, or the scenario, ends the run.
    :param rate: events a second where a rate was asked for, 0 beside a shape and for as fast as possible.
    :param shape: when events are due, also that of a rate; ``None`` for as fast as possible.
    :param faults: what is injected on purpose.
    :param next_version: share of the events that are written with the next version of the schema, or a ramp to it;
        ``None`` for a run of one version.
    :param incidents: what is done to the local stack meanwhile; nothing of the data depends on it.
    :param table: the warehouse that the events will come to, if there is one at hand.
    :param column_conflicts: what to do about a field that no column of it holds; ``None`` for what the settings say.
    """

    topic: str
    run_id: str
    new_run_id: bool
    scenario: str
    options: Options
    shared: tuple[str, ...]
    places: tuple[str, ...]
    ends_by_itself: bool
    own_times: bool
    shard: int
    shards: int
    seed: int
    events: int | None
    seconds: float | None
    endless: bool
    rate: float
    shape: Shape | None
    catch_up: str
    require_rate: float | None
    schema_version: int | None
    next_version: float | Literal["ramp"] | None
    faults: tuple[Fault, ...]
    incidents: tuple[Incident, ...]
    event_log: Path | None
    delivery_timeout_s: float
    table: AtHand | None = None
    column_conflicts: ColumnConflicts | None = None

    def for_shard(self, shard: int) -> Plan:
        """Return the same run's plan for another shard."""
        return replace(self, shard=shard)

    @property
    def schedule(self) -> ShardSchedule | None:
        """When each event of this shard is due, ``None`` for as fast as possible."""
        return None if self.shape is None else ShardSchedule(_whole(self.shape, self.seed), self.shard, self.shards)

    @property
    def paced(self) -> bool:
        """Whether events are sent when they are due, and not as fast as possible."""
        return self.own_times or self.shape is not None

    @property
    def mean_rate(self) -> float:
        """Events a second of the run: the rate, or the average of a shape that ends; 0 where nothing says it."""
        schedule = self.schedule
        if self.rate or self.shape is None or schedule is None or schedule.whole.planned is None:
            return self.rate
        return schedule.whole.planned / duration_s(self.shape)

    @property
    def pace(self) -> str:
        """The shape in words, for people."""
        if self.own_times:
            return AT_THEIR_TIMES
        return AS_FAST_AS_POSSIBLE if self.shape is None else to_text(self.shape)

    @property
    def lasts_s(self) -> float | None:
        """Seconds that the run takes as it is planned; ``None`` where something else than time ends it."""
        schedule = self.schedule
        ends = [] if self.seconds is None else [self.seconds]
        if schedule is not None:
            ends.append(schedule.whole.duration_s)
            ends += [] if self.events is None else [schedule.whole.end(self.events)]
        lasts_s = min(ends, default=math.inf)
        return lasts_s if math.isfinite(lasts_s) else None

    @property
    def target(self) -> int | None:
        """Events of this shard, or ``None`` when only time or a signal ends it. Skipped ones count."""
        whole = self._bound
        return None if whole is None else share(whole, self.shards, self.shard)

    @property
    def asked(self) -> int | None:
        """Events of the run that are asked for; ``None`` where time, an option or a signal may end it before."""
        return None if self.ends_by_itself else self._bound

    @property
    def _bound(self) -> int | None:
        bounds = [] if self.events is None else [self.events]
        schedule = self.schedule
        if schedule is not None:
            whole = schedule.whole
            bounds += [] if whole.planned is None else [whole.planned]
            bounds += [] if self.seconds is None else [whole.before(self.seconds)]
        return min(bounds) if bounds else None

    @property
    def mixing(self) -> Mixing | None:
        """Which events of this shard are written with the next version, ``None`` for a run of one."""
        if self.next_version is None:
            return None
        if self.next_version == "ramp":
            return Mixing(self.seed, self.shard, ramp_over=self.target)
        return Mixing(self.seed, self.shard, self.next_version)

    @property
    def shard_options(self) -> dict[str, int | float | str | None]:
        """The options as this shard is asked for them."""
        shares = {name: share(int(self.options[name] or 0), self.shards, self.shard) for name in self.shared}
        return {**self.options, **shares}

    @property
    def own_settings(self) -> frozenset[str]:
        """Names of settings that differ from shard to shard: their share of what the run has."""
        return frozenset(self.shared)

    def settings(self) -> dict[str, int | float | str | None]:
        """Return what must be equal when the same run is asked for again.

        Every shard of the run says the same, except for :attr:`own_settings`.
        """
        return {
            **{f"{OF_ALL_SHARDS}{name}": self.options[name] for name in self.shared},
            "events": self.events,
            "seconds": self.seconds,
            "shape": None if self.shape is None else to_text(self.shape),
            "catch_up": self.catch_up,
            "endless": int(self.endless),
            "faults": as_text(self.faults),
            "next_version": self.next_version,
            **{name: value for name, value in self.shard_options.items() if name not in self.places},
        }


@lru_cache(maxsize=8)
def _whole(shape: Shape, seed: int) -> WholeSchedule:
    return shape.schedule(seed)
