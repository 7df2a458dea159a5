"""How much of a topic is not stored yet: its ends against the stored positions. No record is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.connection import KafkaSettings
from cluster.reading import Watermarks, look_at_topic
from consumer.load.positions import check_identity
from consumer.sinks import DEFAULT_WAIT_S, Place


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is in a topic beyond what is stored.

    :ivar positions: the next offset of each partition that has one; nothing where nothing is stored yet.
    :ivar offsets: how many offsets lie behind them; markers of transactions and compacted records are among them.
    """

    positions: Mapping[int, int]
    offsets: int


def stored_positions(kafka: KafkaSettings, topic: str, place: Place, *, wait_s: float = DEFAULT_WAIT_S) -> Ahead:
    """Open a warehouse for a moment, and return its positions and what is behind them now.

    :raises WarehouseLocked: a loader has it open.
    :raises TopicRecreated: it was loaded from another topic of this name.
    :raises StreamproofError: Kafka or the store does not answer.
    """
    info, marks = look_at_topic(kafka, topic)
    positions: Mapping[int, int] = {}
    if place.exists():
        with place.open(topic=topic, wait_s=wait_s, create=False) as sink:
            check_identity(sink, info)
            positions = sink.positions()
    return Ahead(positions, _behind(marks, positions))


def offsets_behind(kafka: KafkaSettings, topic: str, positions: Mapping[int, int]) -> int:
    """Return how many offsets lie behind positions, all of them in a partition without one.

    What retention deleted before it was read does not count: nobody can load it.
    """
    return _behind(look_at_topic(kafka, topic)[1], positions)


def _behind(marks: Mapping[int, Watermarks], positions: Mapping[int, int]) -> int:
    return sum(max(0, mark.high - max(mark.low, positions.get(p, mark.low))) for p, mark in marks.items())
