"""What is asked for: one run, split into shards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from cluster.errors import Misconfigured
from producer.faults.spec import as_text, parse_faults
from producer.plan.rules import contradictions
from producer.scenarios.find import options_of
from producer.scenarios.options import Option, Options, fit, in_words
from producer.shapes import Constant, Shape, ShardSchedule, WholeSchedule, duration_s, parse, to_text
from producer.shapes.kinds import MAX_DURATION_S, MAX_RATE
from producer.toolkit.sharing import share
from schemas.identity import MAX_SHARDS

_MAX_RUN_ID = 240
CATCH_UP = ("report", "skip")
# How the settings call what the whole run was asked for, where each shard has its share.
OF_ALL_SHARDS = "all_"
# librdkafka counts milliseconds in 32 bits, and takes 0 of them for no end at all.
_LEAST_TIMEOUT_S = 0.001
_MOST_TIMEOUT_S = 2_147_483


@dataclass(frozen=True, slots=True, kw_only=True)
class ProduceRequest:
    """One shard of one run. ``events``, ``seconds``, ``rate`` and ``shape`` are of the whole run, over all shards.

    :param rate: events a second, short for the shape ``constant(rate)``; 0 is as fast as possible.
    :param shape: when events are due, as text: see ``producer/shapes/grammar.py``.
    :param catch_up: what becomes of events that a stall held up: ``report`` sends them late, ``skip`` gives them up.
    :param require_rate: share of the rate that has to be reached, or the run fails; it changes nothing of the data.
    :param new_run_id: the run id was made up just now, so that nothing of the run can be anywhere.
    :param options: what only this scenario may be asked for, by the names that it declares; texts are read as what it
        declares, and what is the same as not asking is left out.
    :param event_log: folder for a log of the events, a file for each shard.
    :param faults: what is injected on purpose, each as ``producer/faults/spec.py`` reads it.
    :param next_version_share: share of the events that are written with the next version of the schema.
    :param next_version_ramp: write none of the events with the next version at first, and all at last.
    :param endless: no bound: only a signal ends it.
    :param delivery_timeout_s: how long an event may wait for its acknowledgement before it counts as unknown.
    :raises Misconfigured: names every fault at once.
    """

    topic: str
    run_id: str
    new_run_id: bool = False
    scenario: str = "customer_events"
    shard: int = 0
    shards: int = 1
    seed: int = 1
    events: int | None = None
    seconds: float | None = None
    rate: float = 0.0
    shape: str | None = None
    catch_up: str = "report"
    require_rate: float | None = None
    endless: bool = False
    schema_version: int | None = None
    faults: tuple[str, ...] = ()
    next_version_share: float = 0.0
    next_version_ramp: bool = False
    options: Options = field(default_factory=dict)
    event_log: Path | None = None
    delivery_timeout_s: float = 30.0

    def __post_init__(self) -> None:
        declared = self._declared
        wrong_options: list[str] = []
        if self.options:
            fitting, wrong_options = fit(declared, self.options, Path(self.scenario).stem)
            object.__setattr__(self, "options", fitting)
        faults = self._faults(wrong_options)
        if faults:
            hint = in_words(declared) if wrong_options else "See `streamproof produce --help`"
            raise Misconfigured("the request is not valid: " + "; ".join(faults), hint=hint)

    def _faults(self, wrong_options: list[str]) -> list[str]:
        bounded = self.events is not None or self.seconds is not None or self._ends_by_itself
        wrong = self._wrong_shape()
        unsaid = not bounded and not self.endless and not wrong_options
        # A shape that cannot be read may have any end: what it is wrong with is told already.
        lasts_s = None if self.shape is None else math.inf if wrong else duration_s(parse(self.shape))
        ending = lasts_s is not None and math.isfinite(lasts_s)
        together = contradictions(
            rate=self.rate,
            lasts_s=lasts_s,
            events=self.events,
            seconds=self.seconds,
            catch_up=self.catch_up,
            require_rate=self.require_rate,
            next_version_share=self.next_version_share,
            next_version_ramp=self.next_version_ramp,
        )
        checks = {
            "topic is empty": not self.topic,
            f"run id must have 1 to {_MAX_RUN_ID} characters": not 1 <= len(self.run_id) <= _MAX_RUN_ID,
            "run id is not text: it holds bytes that are not UTF-8": not _is_text(self.run_id),
            f"shards is {self.shards}, it must be 1 to {MAX_SHARDS}": not 1 <= self.shards <= MAX_SHARDS,
            f"shard is {self.shard}, it must be 0 to {self.shards - 1}": not 0 <= self.shard < max(1, self.shards),
            f"seed is {self.seed}, it must be 0 or more": self.seed < 0,
            f"events is {self.events}, it must be 0 or more": self.events is not None and self.events < 0,
            f"seconds is {self.seconds}, it must be above 0 and at most {MAX_DURATION_S:g}": self.seconds is not None
            and not 0 < self.seconds <= MAX_DURATION_S,
            f"rate is {self.rate}, it must be 0 (as fast as possible) to {MAX_RATE:g}": not 0 <= self.rate <= MAX_RATE,
            f"catch-up is {self.catch_up}, it must be report or skip": self.catch_up not in CATCH_UP,
            f"require-rate is {self.require_rate}, it must be above 0 and at most 1": self.require_rate is not None
            and not 0 < self.require_rate <= 1,
            "neither events nor seconds is given; say how much (--events, --seconds, a --shape that ends), or ask for "
            "an endless run (--endless)": unsaid and not ending and not wrong,
            "an endless run has neither events nor seconds": bounded and self.endless,
            "the shape has an end, an endless run has none": ending and self.endless,
            f"next version share is {self.next_version_share}, it must be 0 to 1": not 0
            <= self.next_version_share
            <= 1,
            f"delivery timeout is {self.delivery_timeout_s}, it must be {_LEAST_TIMEOUT_S} to {_MOST_TIMEOUT_S}": not (
                _LEAST_TIMEOUT_S <= self.delivery_timeout_s <= _MOST_TIMEOUT_S
            ),
        }
        broken = [fault for fault, holds in checks.items() if holds]
        return wrong + wrong_options + self._wrong_injections() + broken + together

    def _wrong_shape(self) -> list[str]:
        try:
            if self.shape is not None:
                parse(self.shape)
        except Misconfigured as fault:
            return [f"{fault.message} ({fault.where})"]
        return []

    def _wrong_injections(self) -> list[str]:
        try:
            parse_faults(self.faults)
        except Misconfigured as fault:
            return [fault.message]
        return []

    def for_shard(self, shard: int) -> ProduceRequest:
        """Return the same run's request for another shard."""
        return replace(self, shard=shard)

    @property
    def asked_shape(self) -> Shape | None:
        """The shape, also that of a rate; ``None`` for as fast as possible."""
        if self.shape is not None:
            return parse(self.shape)
        return Constant(self.rate) if self.rate > 0 else None

    @property
    def schedule(self) -> ShardSchedule | None:
        """When each event of this shard is due, ``None`` for as fast as possible."""
        shape = self.asked_shape
        return None if shape is None else ShardSchedule(_whole(shape, self.seed), self.shard, self.shards)

    @property
    def mean_rate(self) -> float:
        """Events a second of the run: the rate, or the average of a shape that ends; 0 where nothing says it."""
        schedule = self.schedule
        if self.shape is None or schedule is None or schedule.whole.planned is None:
            return self.rate
        return schedule.whole.planned / duration_s(parse(self.shape))

    @property
    def pace(self) -> str:
        """The shape in words, for people."""
        shape = self.asked_shape
        return "as fast as possible" if shape is None else to_text(shape)

    @property
    def target(self) -> int | None:
        """Events of this shard, or ``None`` when only time or a signal ends it. Skipped ones count."""
        whole = self._bound
        return None if whole is None else share(whole, self.shards, self.shard)

    @property
    def asked(self) -> int | None:
        """Events of the run that are asked for; ``None`` where time, an option or a signal may end it before."""
        return None if self._ends_by_itself else self._bound

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
    def _declared(self) -> Sequence[Option]:
        """What the scenario declares; its code is loaded only where something of it is asked for."""
        return options_of(self.scenario) if self.options else ()

    @property
    def _ends_by_itself(self) -> bool:
        return any(option.ends_run and option.name in self.options for option in self._declared)

    @property
    def _shared(self) -> list[str]:
        """Names of the options of which each shard has its share."""
        return [option.name for option in self._declared if option.over_shards and option.name in self.options]

    @property
    def shard_options(self) -> dict[str, int | float | str | None]:
        """The options as this shard is asked for them."""
        shares = {name: share(int(self.options[name] or 0), self.shards, self.shard) for name in self._shared}
        return {**self.options, **shares}

    @property
    def own_settings(self) -> frozenset[str]:
        """Names of settings that differ from shard to shard: their share of what the run has."""
        return frozenset(self._shared)

    def settings(self) -> dict[str, int | float | str | None]:
        """Return what must be equal when the same run is asked for again.

        Every shard of the run says the same, except for :attr:`own_settings`.
        """
        return {
            **{f"{OF_ALL_SHARDS}{name}": self.options[name] for name in self._shared},
            "events": self.events,
            "seconds": self.seconds,
            "shape": None if self.asked_shape is None else to_text(self.asked_shape),
            "catch_up": self.catch_up,
            "endless": int(self.endless),
            "faults": as_text(parse_faults(self.faults)),
            "next_version": "ramp" if self.next_version_ramp else self.next_version_share or None,
            **self.shard_options,
        }


@lru_cache(maxsize=8)
def _whole(shape: Shape, seed: int) -> WholeSchedule:
    return shape.schedule(seed)


def _is_text(value: str) -> bool:
    """Return whether the text can be written as UTF-8: an argument of other bytes arrives as surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
