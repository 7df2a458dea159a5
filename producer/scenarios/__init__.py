"""What the events are: the public interface of a scenario (docs/scenarios.md).

A scenario is an object with the members of :class:`Scenario`: in this package, under the entry point group
``streamproof.scenarios``, or as ``SCENARIO`` in a module of a folder that is named. ``declared/`` makes one of a YAML
file. :func:`find_scenario` finds all of them.

Nobody looks for a member that is not named here. What not every scenario can do, :class:`BaseScenario` and
:class:`BaseStream` say "none" to.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from cluster.connection import RegistrySettings
from producer.scenarios.options import Option, Options, fitted
from schemas.formats import AVRO_NAME

if TYPE_CHECKING:  # finding a scenario by its name loads neither Arrow nor Avro
    import pyarrow as pa

    from producer.shapes import Schedule
    from schemas.fault_targets import FaultTargets
    from schemas.registry.contract import Contract

# What the manifest keeps of a run.
Settings = Mapping[str, int | float | str | None]
# Where an event carries its id: in the field ``event_id`` of its value, first in the schema, or in a header.
Identity = Literal["field", "header"]

# Name of the setting that is a digest of a scenario's file and its schema.
DECLARATION = "declaration"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the run asks for, beside how many events. ``rate`` is of the whole run; 0 is as fast as possible.

    ``options`` has every option that the scenario declares, with its default where nothing is asked; one that shards
    share is the share of this shard. ``stop`` ends what takes long before the first event.
    """

    shards: int = 1
    shard: int = 0
    rate: float = 0.0
    options: Options = field(default_factory=dict)
    stop: threading.Event | None = field(default=None, compare=False)


NOTHING_MORE = Asked()


class EventStream(Protocol):
    """The events of one shard, in blocks that can be asked for in any order and by any thread.

    Event ``n`` is row ``n % block_events`` of block ``n // block_events``: a function of the scenario's version, the
    seed, the shard, ``n`` and the settings, and of nothing else. Only the last block below ``limit`` may be shorter.
    """

    block_events: int
    limit: int  # events that there are: the run ends there at the latest

    @property
    def due(self) -> Schedule | None:
        """When each event is due where an option with ``own_times`` is asked for; else rate or shape say it."""
        ...

    def block(self, number: int) -> pa.RecordBatch:
        """Return ``block_events`` rows: the schema's columns, without ``event_id`` if that is where the identity is."""
        ...

    def later_columns(self, number: int, block: pa.RecordBatch, /) -> Mapping[str, pa.Array[Any]]:
        """Return what later versions of the schema add to block ``number``, by the name of the column.

        Asked for only where a field is written that the block does not have; one that is in neither is null.
        """
        ...


class BaseStream:
    """A stream that knows no later version of its schema, and no times of its own at which its events are due."""

    due: Schedule | None = None

    def later_columns(self, number: int, block: pa.RecordBatch, /) -> Mapping[str, pa.Array[Any]]:  # noqa: ARG002
        """Return no column: what a later version adds is null."""
        return {}


class Rule(Protocol):
    """What no event may break: a short name, and what must hold in words."""

    @property
    def id(self) -> str:
        """Return the name."""
        ...

    @property
    def text(self) -> str:
        """Return what must hold."""
        ...


@dataclass(frozen=True, slots=True)
class Examined:
    """What a run was, of which the events are examined. ``sent_at`` is when the last one was sent.

    :param began: when event time begins, if that is known.
    """

    seed: int
    sent_at: dt.datetime
    began: dt.datetime | None = None


class Scenario(Protocol):
    """A kind of events. Implementations hold no state of a run; ``open`` returns what does."""

    @property
    def name(self) -> str:
        """Return what it is called in manifests and file names."""
        ...

    @property
    def version(self) -> int:
        """Raised whenever the same seed gives other events."""
        ...

    @property
    def contract(self) -> str | Contract:
        """A folder under schemas/, the path of an .avsc file, or a contract."""
        ...

    @property
    def key(self) -> str | None:
        """Column whose text is the key of the records; ``None`` if they have none."""
        ...

    @property
    def identity(self) -> Identity:
        """Where an event carries its id."""
        ...

    @property
    def format(self) -> str:
        """How values are written: one of ``schemas.formats.NAMES``."""
        ...

    @property
    def options(self) -> Sequence[Option]:
        """What it may be asked for beside what every run has."""
        ...

    @property
    def pace(self) -> float:
        """Events a second and shard when no rate is asked for; 0 is as fast as possible."""
        ...

    @property
    def mix(self) -> str | None:
        """Column whose shares a preview shows."""
        ...

    @property
    def event_time(self) -> str | None:
        """Column that a preview shows the range of."""
        ...

    @property
    def fault_targets(self) -> FaultTargets | None:
        """Fields that faults are put into; ``None`` says that only the event time is known."""
        ...

    @property
    def most(self) -> int:
        """Events that one shard can hold."""
        ...

    @property
    def common(self) -> Sequence[str]:
        """Return names of settings that every shard of a run must have alike."""
        ...

    @property
    def remarks(self) -> Sequence[str]:
        """Return what a preview says of the values beside showing them, such as what was left out."""
        ...

    def prepare(self, asked: Asked, /) -> None:
        """Do what takes long before the first event, once for all that is asked afterwards.

        :raises Interrupted: ``asked.stop`` was set.
        """
        ...

    def settings(
        self, planned: int | None, started_at_ms: int, asked: Asked = ..., /
    ) -> dict[str, int | float | str | None]:
        """Return what the data depends on beside seed and shard; the manifest keeps it, a resumed run reads it back.

        :param planned: events of this shard, or ``None`` when only time bounds the run.
        :param asked: shards, rate and options of the run.
        """
        ...

    def resumed(self, settings: Settings, asked: Asked, /) -> Settings:
        """Return the settings of a run that goes on: those that it was begun with, but for where something is now.

        :raises Misconfigured: what is asked for now would give other events.
        """
        ...

    def libraries(self) -> dict[str, str]:
        """Return versions of what draws the numbers; part of the settings, and equal for every attempt at a run."""
        ...

    def open(self, seed: int, shard: int, settings: Settings) -> EventStream:
        """Return the events of one shard. Builds vocabularies, so it takes a moment."""
        ...

    def examine(
        self, connection: Any, source: str, run: Examined, progress: Callable[[Rule], None] | None = ..., /
    ) -> dict[str, Any] | None:
        """Hold events of one run against the rules of the scenario; ``None`` says that it declares none.

        Returns ``events``, ``violations``, ``violations_per_million``, ``rules``, ``figures`` and ``curves``, as
        ``streamproof realism --json`` prints them. Everything that is made in the database is temporary.

        :param connection: of DuckDB.
        :param source: a relation in SQL with the columns of the contract.
        :param progress: is told each rule before it is checked.
        :raises Misconfigured: columns are missing.
        """
        ...


class BaseScenario:
    """What a scenario may leave unsaid.

    Its values are Avro, it takes no options, has no pace, and nothing is known of its fields.
    """

    format: str = AVRO_NAME
    options: Sequence[Option] = ()
    pace: float = 0.0
    mix: str | None = None
    event_time: str | None = None
    fault_targets: FaultTargets | None = None
    common: Sequence[str] = ()
    remarks: Sequence[str] = ()

    def prepare(self, asked: Asked, /) -> None:
        """Do nothing: the first event is there at once."""

    def resumed(self, settings: Settings, asked: Asked, /) -> Settings:  # noqa: ARG002
        """Return what the run was begun with."""
        return settings

    def libraries(self) -> dict[str, str]:
        """Return no version: the events depend on this code alone."""
        return {}

    def examine(
        self,
        connection: Any,  # noqa: ARG002 - what a scenario with rules looks at
        source: str,  # noqa: ARG002
        run: Examined,  # noqa: ARG002
        progress: Callable[[Rule], None] | None = None,  # noqa: ARG002
        /,
    ) -> dict[str, Any] | None:
        """Return ``None``: no rule is declared."""
        return None


def contract_of(scenario: Scenario) -> Contract:
    """Return the contract that a scenario's events follow.

    :raises Misconfigured: there is none by that name, or it cannot be read.
    """
    from schemas.registry.contract import load_contract

    return load_contract(scenario.contract) if isinstance(scenario.contract, str) else scenario.contract


def own_rate(scenario: Scenario, shards: int, given: Mapping[str, object]) -> float:
    """Return events a second of a run that asks for no rate: the scenario's own pace for every shard.

    :param given: the options that it asks for, as texts or in their types.
    :raises Misconfigured: the scenario does not take one of them.
    """
    asked = fitted(scenario.options, given, scenario.name)
    unpaced = any((option.unpaced or option.own_times) and asked.get(option.name) for option in scenario.options)
    return 0.0 if unpaced else scenario.pace * shards


def find_scenario(reference: str, *, registry: RegistrySettings | None = None) -> Scenario:
    """Return a scenario by its name or file; see ``producer/scenarios/find.py``."""
    from producer.scenarios.find import find  # deferred: the places import what they find

    return find(reference, registry=registry)
