"""Generating events and delivering them to Kafka, with a manifest of what was acknowledged.

Open ``emit.py`` first: ``produce_shard`` is the whole protocol. ``scenarios/`` says what the events are,
``shapes/`` when each is due, ``delivery.py`` what became of it, ``resume.py`` what an earlier attempt left.

The names below are imported when they are asked for: whoever only reads a shape or a fault, as Airflow's Dag processor
does every few seconds, loads neither numpy nor Kafka's client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from producer.emit import produce_shard
    from producer.meter import Progress
    from producer.plan import ProduceRequest
    from producer.workers import RunResult, produce_run
else:
    _HOMES = {
        "ProduceRequest": "plan",
        "Progress": "meter",
        "RunResult": "workers",
        "produce_run": "workers",
        "produce_shard": "emit",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = ["ProduceRequest", "Progress", "RunResult", "produce_run", "produce_shard"]
