"""Reading a topic on and on: all partitions at once, without an end.

What is handed on are the same records and spans as a bounded reader's. The order among partitions is that of arrival.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Self

from confluent_kafka import KafkaException, TopicPartition

from cluster.connection import KafkaSettings
from cluster.kafka_errors import BrokerWatch
from cluster.reading.gathering import Gathering
from cluster.reading.group_note import Telling, group_of, tell_group
from cluster.reading.intake import Intake, open_client
from cluster.reading.watermarks import Watermarks, offsets_at, watermarks
from cluster.records import Records, Span
from cluster.topics import Admin, TopicInfo, admin_client, describe

# How long all brokers may be down before a follower gives up.
PATIENCE_S = 60.0
# One call of consume() lets no signal through, and waits for as many records as it was asked for.
_SLICE_S = 0.02
_CLIENT = {
    "queued_max_messages_kbytes": 32 * 1024,
    # The broker answers as soon as there is a record; this is how long it waits where there is none, and how long a
    # change of the assignment waits for that answer.
    "fetch_wait_max_ms": 100,
}


class TopicFollower:
    """A consumer of one topic that has no end. Use it as a context manager.

    :param purpose: names the group that :meth:`commit` tells, with the topic. Nothing is read from a group.
    :param patience_s: how long all brokers may be down.
    """

    def __init__(
        self, settings: KafkaSettings, topic: str, *, purpose: str = "follow", patience_s: float = PATIENCE_S
    ) -> None:
        self.topic = topic
        self._group = group_of(purpose, topic)
        self._admin: Admin = admin_client(settings)
        self._telling = Telling(self._admin, self._group, topic)
        self._watch = BrokerWatch(settings, patience_s=patience_s)
        self._consumer = open_client(settings, self._group, self._watch, **_CLIENT)
        self._intake = Intake(topic)
        self._gathering = Gathering()

    def identify(self) -> TopicInfo:
        """Return the topic's id, cluster and partitions.

        :raises TopicMissing: there is no such topic.
        :raises BrokerUnreachable: no broker answers.
        """
        return describe(self._admin, self.topic)

    def watermarks(self, partitions: Iterable[int]) -> dict[int, Watermarks]:
        """Return what :func:`cluster.reading.watermarks` does."""
        return watermarks(self._admin, self.topic, partitions)

    def offsets_at(self, partitions: Iterable[int], time_ms: int) -> dict[int, int]:
        """Return what :func:`cluster.reading.watermarks.offsets_at` does."""
        return offsets_at(self._admin, self.topic, partitions, time_ms)

    def assign(self, positions: Mapping[int, int]) -> None:
        """Read these partitions, each from its position (the next offset), and no others."""
        self._intake.positions = dict(sorted(positions.items()))
        self._consumer.assign([TopicPartition(self.topic, *where) for where in self._intake.positions.items()])

    @property
    def positions(self) -> dict[int, int]:
        """Return the next offset of each partition."""
        return dict(self._intake.positions)

    @property
    def lag(self) -> dict[int, int | None]:
        """Return how many offsets are behind each position, as of the broker's last answer; ``None`` before one."""
        lags: dict[int, int | None] = {}
        for partition, at in self._intake.positions.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(self.topic, partition), cached=True)
            lags[partition] = max(0, high - at) if high >= 0 else None
        return lags

    def fetch(self, max_rows: int, stop: threading.Event, *, wait_s: float = 0.1) -> tuple[Records, list[Span]]:
        """Return what comes within ``wait_s``, and the offsets that it covers; sooner when there is enough, or a stop.

        A span without records is possible: its offsets hold none.

        :param max_rows: how many records are enough.
        :raises TopicRecreated: a position is not in the topic any more.
        :raises BrokerUnreachable: all brokers have been down for too long.
        """
        began = time.perf_counter()
        starts = self.positions
        chunk = self._gathering.begin(max_rows)
        while not (chunk.full or stop.is_set()) and (left_s := wait_s - (time.perf_counter() - began)) > 0:
            got = self._consumer.consume(chunk.wanted, min(left_s, _SLICE_S))
            if got:
                self._watch.answered()
                chunk.add(self._intake.take(got))
            self._watch.check("following the topic")
        return chunk.records(), self._intake.spans_since(starts)

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
