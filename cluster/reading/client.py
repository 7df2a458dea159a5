"""What every reader of one topic has beside its records: who the topic is, its watermarks, and a group to tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Self

from confluent_kafka import KafkaException

from cluster.connection import KafkaSettings
from cluster.kafka_errors import BrokerWatch
from cluster.reading.gathering import Gathering
from cluster.reading.group_note import Telling, group_of, tell_group
from cluster.reading.intake import Intake, open_client
from cluster.reading.watermarks import Watermarks, offsets_at, watermarks
from cluster.topics import Admin, TopicInfo, admin_client, describe


class TopicClient:
    """A consumer of one topic, and an administrator beside it. Use it as a context manager.

    :param purpose: names the group that :meth:`commit` tells, with the topic. Nothing is read from a group, and who may
        not use it reads all the same.
    :param patience_s: how long all brokers may be down.
    :param more: what the kind of reader says to its client.
    """

    def __init__(
        self, settings: KafkaSettings, topic: str, *, purpose: str, patience_s: float, more: Mapping[str, object]
    ) -> None:
        self.topic = topic
        self._group = group_of(purpose, topic)
        self._admin: Admin = admin_client(settings)
        self._telling = Telling(self._admin, self._group, topic)
        self._watch = BrokerWatch(settings, patience_s=patience_s)
        self._consumer = open_client(settings, self._group, self._watch, **more)
        self._intake = Intake(topic)
        self._gathering = Gathering()

    def identify(self) -> TopicInfo:
        """Return the topic's id, cluster and partitions.

        :raises TopicMissing: there is no such topic.
        :raises BrokerUnreachable: no broker answers.
        """
        return describe(self._admin, self.topic)

    def watermarks(self, partitions: Iterable[int], *, committed: bool = True) -> dict[int, Watermarks]:
        """Return what :func:`cluster.reading.watermarks` does."""
        return watermarks(self._admin, self.topic, partitions, committed=committed)

    def offsets_at(self, partitions: Iterable[int], time_ms: int) -> dict[int, int]:
        """Return what :func:`cluster.reading.watermarks.offsets_at` does."""
        return offsets_at(self._admin, self.topic, partitions, time_ms)

    def commit(self, positions: Mapping[int, int], *, timeout_s: float = 3.0, note: str = "") -> None:
        """Tell the consumer group what has been dealt with, so that lag tools see it. Best effort; nothing reads it.

        :param note: what is kept with each position, for whoever looks on.
        """
        tell_group(self._admin, self._group, self.topic, positions, timeout_s=timeout_s, note=note)

    def tell(self, positions: Mapping[int, int], note: str = "") -> bool:
        """Do so while there is more to do: nothing is waited for. Return whether it was done: not if it is too soon."""
        return self._telling.tell(positions, note)

    def close(self) -> None:
        """Leave Kafka."""
        with suppress(KafkaException, RuntimeError):
            self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
