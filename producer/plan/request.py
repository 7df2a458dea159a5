"""What is asked for: one run, split into shards. Here, and nowhere else, texts become values: :class:`Plan`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cluster.errors import Misconfigured
from cluster.text.names import DEFAULT_NAME
from producer.faults.spec import Fault, parse_faults
from producer.plan.incidents import beyond_the_end, parse_incidents
from producer.plan.plan import Plan
from producer.plan.rules import contradictions
from producer.scenarios.find import ends_by_itself as scenario_ends
from producer.scenarios.find import options_of
from producer.scenarios.options import fit, in_words
from producer.shapes import Constant, Shape, duration_s, parse
from producer.shapes.kinds import MAX_DURATION_S, MAX_RATE
from schemas.columns.at_hand import AtHand
from schemas.identity import MAX_SHARDS
from schemas.incidents import Incident
from schemas.ledgers import RUN_PREFIX, is_ledger_id
from schemas.registry.history import ColumnConflicts

_MAX_RUN_ID = 240
CATCH_UP = ("report", "skip")
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
        declares, and the plan leaves out what is the same as not asking.
    :param event_log: folder for a log of the events, a file for each shard.
    :param faults: what is injected on purpose, each as ``producer/faults/spec.py`` reads it.
    :param incidents: what is done to the local stack meanwhile, each as ``producer/plan/incidents.py`` reads it.
    :param next_version_share: share of the events that are written with the next version of the schema.
    :param next_version_ramp: write none of the events with the next version at first, and all at last.
    :param endless: no bound: only a signal ends it.
    :param delivery_timeout_s: how long an event may wait for its acknowledgement before it counts as unknown.
    :param table: the warehouse that the events will come to, if there is one at hand.
    :param column_conflicts: ``refuse`` or ``warn`` where no column of it holds a field; as the settings say by default.
    :param plan: what all of this means; made here, for everything that follows.
    :raises Misconfigured: names every fault at once.
    """

    topic: str
    run_id: str
    new_run_id: bool = False
    scenario: str = DEFAULT_NAME
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
    incidents: tuple[str, ...] = ()
    next_version_share: float = 0.0
    next_version_ramp: bool = False
    options: Mapping[str, object] = field(default_factory=dict)
    event_log: Path | None = None
    delivery_timeout_s: float = 30.0
    table: AtHand | None = None
    column_conflicts: ColumnConflicts | None = None
    plan: Plan = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        declared = options_of(self.scenario) if self.options else ()
        options, wrong_options = fit(declared, self.options, Path(self.scenario).stem) if self.options else ({}, [])
        shape, wrong_shape = _read_shape(self.shape)
        faults, wrong_faults = _read_faults(self.faults)
        incidents, wrong_incidents = _read_incidents(self.incidents)
        own_times = next((option.name for option in declared if option.own_times and option.name in options), None)
        ends_by_itself = scenario_ends(self.scenario) or any(
            option.ends_run and option.name in options for option in declared
        )
        # A shape that cannot be read may have any end: what it is wrong with is told already.
        lasts_s = None if self.shape is None else math.inf if shape is None else duration_s(shape)
        unsure = bool(wrong_shape or wrong_options)
        broken = self._broken(lasts_s, ends_by_itself=ends_by_itself, own_times=own_times, unsure=unsure)
        wrong = [*wrong_shape, *wrong_options, *wrong_faults, *wrong_incidents, *broken]
        if wrong:
            hint = in_words(declared) if wrong_options else "See `streamproof produce --help`"
            raise Misconfigured("the request is not valid: " + "; ".join(wrong), hint=hint)
        plan = Plan(
            topic=self.topic,
            run_id=self.run_id,
            new_run_id=self.new_run_id,
            scenario=self.scenario,
            options=options,
            shared=tuple(option.name for option in declared if option.over_shards and option.name in options),
            places=tuple(option.name for option in declared if option.place),
            ends_by_itself=ends_by_itself,
            own_times=own_times is not None,
            shard=self.shard,
            shards=self.shards,
            seed=self.seed,
            events=self.events,
            seconds=self.seconds,
            endless=self.endless,
            rate=self.rate,
            shape=Constant(self.rate) if shape is None and self.rate > 0 else shape,
            catch_up=self.catch_up,
            require_rate=self.require_rate,
            schema_version=self.schema_version,
            next_version="ramp" if self.next_version_ramp else self.next_version_share or None,
            faults=faults,
            incidents=incidents,
            event_log=self.event_log,
            delivery_timeout_s=self.delivery_timeout_s,
            table=self.table,
            column_conflicts=self.column_conflicts,
        )
        object.__setattr__(self, "plan", plan)
        if late := beyond_the_end(incidents, plan.lasts_s):
            raise Misconfigured("the request is not valid: " + "; ".join(late), hint="Ask for them earlier, or shorter")

    def _broken(self, lasts_s: float | None, *, ends_by_itself: bool, own_times: str | None, unsure: bool) -> list[str]:
        """Return what is out of bounds or contradicts something else, a sentence each.

        :param lasts_s: duration of the shape, seconds, infinite without an end; ``None`` without a shape.
        :param unsure: the shape or the options cannot be read, so that nobody knows whether they end the run.
        """
        bounded = self.events is not None or self.seconds is not None or ends_by_itself
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
            own_times=own_times,
        )
        checks = {
            "topic is empty": not self.topic,
            f"run id must have 1 to {_MAX_RUN_ID} characters": not 1 <= len(self.run_id) <= _MAX_RUN_ID,
            "run id is not text: it holds bytes that are not UTF-8": not _is_text(self.run_id),
            f"run id begins with {RUN_PREFIX}, as ledgers of topics are called": is_ledger_id(self.run_id),
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
            "an endless run (--endless)": not (bounded or self.endless or ending or unsure),
            "an endless run has neither events nor seconds": bounded and self.endless,
            "the shape has an end, an endless run has none": ending and self.endless,
            f"next version share is {self.next_version_share}, it must be 0 to 1": not 0
            <= self.next_version_share
            <= 1,
            f"delivery timeout is {self.delivery_timeout_s}, it must be {_LEAST_TIMEOUT_S} to {_MOST_TIMEOUT_S}": not (
                _LEAST_TIMEOUT_S <= self.delivery_timeout_s <= _MOST_TIMEOUT_S
            ),
        }
        return [fault for fault, holds in checks.items() if holds] + together

    def for_shard(self, shard: int) -> ProduceRequest:
        """Return the same run's request for another shard."""
        return replace(self, shard=shard)


def _read_shape(text: str | None) -> tuple[Shape | None, list[str]]:
    try:
        return None if text is None else parse(text), []
    except Misconfigured as fault:
        return None, [f"{fault.message} ({fault.where})"]


def _read_faults(texts: Iterable[str]) -> tuple[tuple[Fault, ...], list[str]]:
    try:
        return parse_faults(texts), []
    except Misconfigured as fault:
        return (), [fault.message]


def _read_incidents(texts: Iterable[str]) -> tuple[tuple[Incident, ...], list[str]]:
    try:
        return parse_incidents(texts), []
    except Misconfigured as fault:
        return (), [fault.message]


def _is_text(value: str) -> bool:
    """Return whether the text can be written as UTF-8: an argument of other bytes arrives as surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
