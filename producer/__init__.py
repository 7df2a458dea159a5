"""Generating events and delivering them to Kafka, with a manifest of what was acknowledged.

Open ``emit.py`` first: ``produce_shard`` is the whole protocol. ``scenarios/`` says what the events are,
``shapes/`` when each is due, ``delivery.py`` what became of it, ``resume.py`` what an earlier attempt left.
"""

from producer.emit import produce_shard
from producer.meter import Progress
from producer.plan import ProduceRequest
from producer.preview import Preview, preview
from producer.workers import RunResult, produce_run

__all__ = ["Preview", "ProduceRequest", "Progress", "RunResult", "preview", "produce_run", "produce_shard"]
