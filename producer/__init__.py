"""Generating events and delivering them to Kafka, with a manifest of what was acknowledged.

Open ``emit.py`` first: ``produce_shard`` is the whole protocol. The folders follow it:

1. ``plan/``: what is asked for, and what a shard's events depend on, agreed before the first one
2. ``resume/``: what an earlier attempt left, and the control topic that tells of it
3. ``scenarios/``: what the events are, ``shapes/``: when each is due, ``faults/``: what is wrong with some on purpose
4. ``send/``: generated and encoded ahead, sent when due, and what became of each
5. ``preview/``: the same without a broker

The names below are imported when they are asked for: whoever only reads a shape or a fault, as Airflow's Dag processor
does every few seconds, loads neither numpy nor Kafka's client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from producer.emit import produce_shard
    from producer.plan.request import ProduceRequest
    from producer.send.meter import Progress
    from producer.workers import RunResult, produce_feeds, produce_run
else:
    _HOMES = {
        "ProduceRequest": "plan.request",
        "Progress": "send.meter",
        "RunResult": "workers",
        "produce_feeds": "workers",
        "produce_run": "workers",
        "produce_shard": "emit",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = ["ProduceRequest", "Progress", "RunResult", "produce_feeds", "produce_run", "produce_shard"]
