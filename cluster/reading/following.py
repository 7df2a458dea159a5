"""Reading a topic on and on: all partitions at once, without an end.

What is handed on are the same records and spans as a bounded reader's. The order among partitions is that of arrival.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from confluent_kafka import TopicPartition

from cluster.connection import KafkaSettings
from cluster.reading.client import TopicClient
from cluster.records import Records, Span

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


class TopicFollower(TopicClient):
    """A consumer of one topic that has no end. Use it as a context manager.

    :param purpose: names the group that :meth:`commit` tells, with the topic. Nothing is read from a group.
    :param patience_s: how long all brokers may be down.
    """

    def __init__(
        self, settings: KafkaSettings, topic: str, *, purpose: str = "follow", patience_s: float = PATIENCE_S
    ) -> None:
        super().__init__(settings, topic, purpose=purpose, patience_s=patience_s, more=_CLIENT)

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
