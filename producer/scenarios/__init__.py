"""What the events are. A scenario is one folder or module that follows :class:`Scenario`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Protocol

import pyarrow as pa

from cluster.errors import Misconfigured

Settings = Mapping[str, int | float | str | None]


class EventStream(Protocol):
    """The events of one shard, in blocks that can be asked for in any order.

    Event ``n`` is row ``n % block_events`` of block ``n // block_events``: a function of the scenario's version, the
    seed, the shard, ``n`` and the settings, and of nothing else.
    """

    block_events: int
    limit: int

    def block(self, number: int) -> pa.RecordBatch:
        """Return ``block_events`` rows: the contract's columns except ``event_id``, which belongs to the run."""
        ...


class Scenario(Protocol):
    """A kind of events. Implementations hold no state; ``open`` returns what does."""

    name: str
    version: int
    contract: str
    key: str
    most: int  # events that one shard can hold

    def settings(self, planned: int | None, started_at_ms: int) -> dict[str, int | float | str | None]:
        """Return what the data depends on beside seed and shard; the manifest keeps it, a resumed run reads it back.

        :param planned: events of this shard, or ``None`` when only time bounds the run.
        """
        ...

    def libraries(self) -> dict[str, str]:
        """Return versions of what draws the numbers; part of the settings, and equal for every attempt at a run."""
        ...

    def open(self, seed: int, shard: int, settings: Settings) -> EventStream:
        """Return the events of one shard. Builds vocabularies, so it takes a moment."""
        ...


def _customer_events() -> Scenario:
    from producer.scenarios.customer_events import CustomerEvents  # deferred: Faker takes a moment to import

    return CustomerEvents()


SCENARIOS: dict[str, Callable[[], Scenario]] = {"customer_events": _customer_events}


def find_scenario(name: str) -> Scenario:
    """Return the scenario called ``name``.

    :raises Misconfigured: no scenario has that name.
    """
    if name not in SCENARIOS:
        near = difflib.get_close_matches(name, SCENARIOS, n=1)
        raise Misconfigured(
            f"unknown scenario {name!r}",
            hint=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(SCENARIOS))}",
        )
    return SCENARIOS[name]()
