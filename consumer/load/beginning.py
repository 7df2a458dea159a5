"""What a load begins with: a warehouse of this topic and of no other, and the partitions that it is to take."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

from cluster.errors import Misconfigured, TopicRecreated
from cluster.reading import TopicReader
from cluster.topics import TopicInfo
from consumer.load.positions import check_topic
from consumer.sinks import Place, Sink


def step_aside_if_other(
    place: Place, source: TopicReader, topic: TopicInfo, opened: Callable[[], AbstractContextManager[Sink]]
) -> str | None:
    """Rename a sink that holds another topic, or one whose log was cut, and return its new name."""
    with opened() as sink:
        try:
            check_topic(sink, topic, source.watermarks(range(topic.partitions)))
            return None
        except TopicRecreated:
            sink.checkpoint()
    return place.set_aside()


def chosen_partitions(topic: TopicInfo, asked: Collection[int] | None) -> frozenset[int]:
    """Return the partitions to load.

    :raises Misconfigured: the topic does not have one of them, or none was named.
    """
    there = frozenset(range(topic.partitions))
    if asked is None:
        return there
    missing = sorted(set(asked) - there)
    if missing or not asked:
        said = f"partition {missing[0]} is not in the topic" if missing else "no partition is named"
        raise Misconfigured(said, where=topic.name, hint=f"It has the partitions 0 to {topic.partitions - 1}")
    return frozenset(asked)
