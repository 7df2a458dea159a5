"""The one bounded reader of a topic: records from given positions up to fixed ends.

It hands on :class:`cluster.records.Records`: columns, whatever client stands behind.

Partitions are read one after the other, in the order of their numbers. Then the same topic gives the same records in
the same order to every reader, however often it is killed, and whatever depends on that order (which schema comes
first, and so which columns) is the same too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

import numpy as np
from confluent_kafka import TopicPartition

from cluster.connection import KafkaSettings
from cluster.errors import BrokerSilent
from cluster.reading.client import TopicClient
from cluster.records import Message, Records, Span
from cluster.silence import Silence

SILENCE_S = 10.0
_NEVER = threading.Event()
_FETCH_ROWS = 10_000
# consume() waits for as many records as it was asked for. It lets no signal through meanwhile, and a partition that
# ends with offsets without a record gives fewer, so it never waits longer than this.
_WAIT_S = 0.05
_CLIENT = {
    "queued_max_messages_kbytes": 32 * 1024,  # what librdkafka has fetched ahead
    # What is read is there already: the broker waits only behind the end of a partition, where nothing is wanted, and
    # the first request for the next partition waits for that answer.
    "fetch_wait_max_ms": 1,
}


class TopicReader(TopicClient):
    """A consumer of one topic. Use it as a context manager.

    :param purpose: names the group that :meth:`commit` tells, with the topic. Nothing is read from a group, and who may
        not use it reads all the same.
    :param silence_s: how long the broker may deliver nothing below the ends; it may be changed meanwhile.
    """

    def __init__(
        self, settings: KafkaSettings, topic: str, *, purpose: str = "read", silence_s: float = SILENCE_S
    ) -> None:
        super().__init__(settings, topic, purpose=purpose, patience_s=silence_s, more=_CLIENT)
        self.silence_s = silence_s
        self._address = settings.bootstrap_servers
        self._ends = np.zeros(0, np.int64)

    def assign(self, positions: Mapping[int, int], ends: Mapping[int, int]) -> None:
        """Read every partition from its position up to its end (half-open), one after the other."""
        self._intake.positions = dict(sorted(positions.items()))
        self._ends = np.zeros(max(ends, default=-1) + 1, np.int64)
        for partition, end in ends.items():
            self._ends[partition] = end
        self._turn_to_next()

    @property
    def finished(self) -> bool:
        """Tell whether every position has reached its end."""
        return not self._unfinished()

    @property
    def left(self) -> int:
        """Return how many offsets lie between the positions and their ends."""
        return sum(int(self._ends[partition]) - at for partition, at in self._intake.positions.items())

    def fetch(self, max_rows: int, stop: threading.Event) -> tuple[Records, list[Span]]:
        """Return up to ``max_rows`` records and the offsets that they cover; less at the end, or when stopped.

        A span without records is possible: its offsets hold none.

        :raises BrokerSilent: nothing came for ``silence_s`` although the end is not reached.
        :raises TopicRecreated: a position is not in the topic any more.
        """
        starts = dict(self._intake.positions)
        chunk = self._gathering.begin(max_rows)
        heard = time.monotonic()
        quiet, answers = Silence("Kafka", until_s=self.silence_s), 0
        while not (self.finished or chunk.full or stop.is_set()):
            got = self._consumer.consume(min(chunk.wanted, self._left_here()), _WAIT_S)
            chunk.add(self._take(got))
            if got:
                heard = time.monotonic()
                self._watch.answered()
            elif time.monotonic() - heard > self.silence_s:
                raise self._silent()
            answers += len(got)
            quiet.look(time.monotonic(), answers, self.left, "records")
            self._watch.check()
        return chunk.records(), self._intake.spans_since(starts)

    def messages(self, stop: threading.Event = _NEVER) -> Iterator[Message]:
        """Yield the records up to the ends one by one, as messages of Kafka's client. A stop ends it early.

        :raises BrokerSilent: nothing came for ``silence_s`` although the end is not reached.
        :raises TopicRecreated: a position is not in the topic any more.
        """
        while not (self.finished or stop.is_set()):
            records, _ = self.fetch(_FETCH_ROWS, stop)
            yield from records.messages

    def _unfinished(self) -> list[int]:
        return [partition for partition, at in self._intake.positions.items() if at < self._ends[partition]]

    def _take(self, got: list[Message]) -> Records:
        """Move the positions over what came, and return the records that lie before the ends."""
        before = self._unfinished()
        records = self._intake.take(got)
        for partition, at in self._intake.positions.items():
            self._intake.positions[partition] = min(at, int(self._ends[partition]))
        if self._unfinished() != before:
            self._turn_to_next()
        inside = records.offsets < self._ends[records.partitions]
        return records if inside.all() else records.only(inside)

    def _turn_to_next(self) -> None:
        """Read the first partition that is not finished, and no other."""
        wanted = [TopicPartition(self.topic, p, self._intake.positions[p]) for p in self._unfinished()[:1]]
        self._consumer.assign(wanted)

    def _left_here(self) -> int:
        """Return how many offsets the partition at hand still has before its end."""
        partition = self._unfinished()[0]
        return int(self._ends[partition]) - self._intake.positions[partition]

    def _silent(self) -> BrokerSilent:
        positions = self._intake.positions
        waiting = ", ".join(f"{p} at {positions[p]} of {self._ends[p]}" for p in self._unfinished()[:5])
        return BrokerSilent(
            f"nothing came for {self.silence_s:.0f} s although records are there",
            where=f"{self._address}, {self.topic}, partitions {waiting}",
            hint="Run the same command again when the broker answers",
        )
