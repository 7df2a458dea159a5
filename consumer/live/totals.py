"""Totals by name as a counter published them: the newest record of the topic that it writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from cluster.reading import GROUP_PREFIX, TopicReader
from consumer.counter.output import last_in
from consumer.live.asking import NOT_YET, NotYet, Reading
from consumer.live.offsets import Marks
from consumer.live.snapshot import GroupSight, NameTotal, TotalsSight

_SILENCE_S = 3.0


class CountedQuestion:
    """Finds out which topic a counter of a topic writes to, by the group that it tells, and reads its newest record.

    :param groups: the groups of a topic, as last found out.
    """

    def __init__(
        self, kafka: KafkaSettings, groups: Callable[[str], Reading[tuple[GroupSight, ...]]], marks: Marks
    ) -> None:
        self._kafka = kafka
        self._groups = groups
        self._marks = marks
        self._outputs: dict[str, str] = {}
        self._readers: dict[str, TopicReader] = {}
        self._stop = threading.Event()  # nobody sets it: what is waited for has a deadline

    def ask(self, topic: str) -> TotalsSight | None:
        """Return the totals of the newest output; ``None`` where nobody counts the topic.

        :raises StreamproofError: Kafka does not answer, or a record of totals cannot be read.
        """
        output = self._output(topic)
        if output is None:
            return None
        if topic not in self._readers:
            self._readers[topic] = TopicReader(self._kafka, output, purpose="live", silence_s=_SILENCE_S)
        try:
            totals = last_in(self._readers[topic], self._stop)
        except StreamproofError:
            self._drop(topic)
            raise
        if totals is None or totals.topic != topic:
            return None
        ends = {partition: mark.high for partition, mark in self._marks(topic).items()}
        behind = sum(max(0, end - totals.positions.get(partition, 0)) for partition, end in ends.items())
        rows = sorted(totals.totals.items(), key=lambda total: -total[1])
        return TotalsSight(
            tuple(NameTotal(name, count) for name, count in rows),
            source="counter",
            source_topic=output,
            field=totals.field,
            behind=behind,
            received_at=totals.received_at,
        )

    def keep(self, topics: Collection[str]) -> None:
        """Close the readers for other topics."""
        for topic in [topic for topic in self._readers if topic not in topics]:
            self._drop(topic)
        self._outputs = {topic: output for topic, output in self._outputs.items() if topic in topics}

    def _output(self, topic: str) -> str | None:
        """Return the topic that a counter writes to; one that was found once stays, while groups are unknown."""
        groups = self._groups(topic)
        if groups.unknown == NOT_YET:
            raise NotYet
        outputs = [output_in(group.name, topic) for group in groups.known or ()]
        found = next((output for output in outputs if output is not None), self._outputs.get(topic))
        if found is not None and found != self._outputs.get(topic):
            self._drop(topic)
            self._outputs[topic] = found
        return found

    def _drop(self, topic: str) -> None:
        reader = self._readers.pop(topic, None)
        if reader is not None:
            reader.close()


def output_in(group: str, topic: str) -> str | None:
    """Return the topic that the counter of a group writes to; ``None`` for a group of another kind or topic."""
    begin, end = f"{GROUP_PREFIX}count-", f"-{topic}"
    if not (group.startswith(begin) and group.endswith(end)):
        return None
    return group[len(begin) : -len(end)] or None
