"""The one bounded reader of a topic: identity, watermarks, and records from given positions up to fixed ends.

Open :class:`TopicReader` first. It hands on :class:`cluster.records.Records`: columns, whatever client stands behind.

Positions are assigned, never subscribed to: no consumer group can move, steal or repeat them. A partition's end is
reached when its *position* is there, not when its last record is: compaction, transaction markers and aborted records
leave offsets without a record.

Partitions are read one after the other, in the order of their numbers. Then the same topic gives the same records in
the same order to every reader, however often it is killed, and whatever depends on that order (which schema comes
first, and so which columns) is the same too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple, Self

import numpy as np
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.connection import KafkaSettings
from cluster.errors import (
    BrokerSilent,
    DependencyDown,
    Misconfigured,
    Refused,
    StreamproofError,
    TopicMissing,
    TopicRecreated,
)
from cluster.kafka_errors import NO_GROUP, BrokerWatch, translate
from cluster.leaders import list_offsets
from cluster.records import Message, Records, Span
from cluster.silence import Silence
from cluster.topics import Admin, TopicInfo, admin_client, describe

log = logging.getLogger(__name__)

# Group ids of Streamproof begin with this: one rule with a prefix allows them all.
GROUP_PREFIX = "streamproof-"
SILENCE_S = 10.0
_NEVER = threading.Event()
_FETCH_ROWS = 10_000
# consume() waits for as many records as it was asked for. It lets no signal through meanwhile, and a partition that
# ends with offsets without a record gives fewer, so it never waits longer than this.
_WAIT_S = 0.05
# A chunk is closed by size as well, so that memory does not depend on how large the records are.
MAX_CHUNK_BYTES = 16 * 1024 * 1024
_FIRST_GUESS_BYTES = 1024 * 1024
_CONSUMER = {
    "enable_auto_commit": False,
    "enable_auto_offset_store": False,
    "auto_offset_reset": "error",  # a position that is gone is a finding, never a reason to start elsewhere
    "isolation_level": "read_committed",
    "enable_partition_eof": True,  # tells the position behind trailing offsets that hold no record
    "check_crcs": True,
    "queued_max_messages_kbytes": 32 * 1024,  # what librdkafka has fetched ahead
    # What is read is there already: the broker waits only behind the end of a partition, where nothing is wanted, and
    # the first request for the next partition waits for that answer.
    "fetch_wait_max_ms": 1,
    # How long a partition whose queue was full is left alone. librdkafka's own second stops a reader dead: it has
    # emptied the queue long before.
    "fetch_queue_backoff_ms": 10,
    "reconnect_backoff_max_ms": 1000,
}
_DAMAGED = {KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION}  # noqa: SLF001 - so librdkafka spells its own codes
_GONE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001
# Errors that librdkafka does not get over by itself; it retries all others, and silence ends the run if they stay.
_FINAL = (TopicMissing, Refused, Misconfigured)


class Watermarks(NamedTuple):
    """What a partition holds: ``[low, high)``, ``high`` being the last stable offset."""

    low: int
    high: int


def look_at_topic(settings: KafkaSettings, topic: str) -> tuple[TopicInfo, dict[int, Watermarks]]:
    """Return the topic's identity, and where each partition begins and ends; no record is read.

    :raises TopicMissing: there is no such topic.
    :raises LeaderMoving: a partition has no leader that answers.
    :raises BrokerUnreachable: no broker answers.
    """
    admin = admin_client(settings)
    info = describe(admin, topic)
    return info, watermarks(admin, topic, range(info.partitions))


def watermarks(admin: Admin, topic: str, partitions: Iterable[int]) -> dict[int, Watermarks]:
    """Return the first offset and the last stable offset of each partition.

    :raises LeaderMoving: a partition has no leader that answers.
    :raises BrokerUnreachable: no broker answers.
    """
    wanted = list(partitions)
    low, high = (
        list_offsets(admin, topic, dict.fromkeys(wanted, spec), "reading the watermarks")
        for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]
    )
    return {partition: Watermarks(low[partition], high[partition]) for partition in wanted}


class TopicReader:
    """A consumer of one topic. Use it as a context manager.

    :param purpose: names the group that :meth:`commit` tells, with the topic. Nothing is read from a group, and who may
        not use it reads all the same.
    :param silence_s: how long the broker may deliver nothing below the ends.
    """

    def __init__(
        self, settings: KafkaSettings, topic: str, *, purpose: str = "read", silence_s: float = SILENCE_S
    ) -> None:
        self.topic = topic
        self._group = f"{GROUP_PREFIX}{purpose}-{topic}"
        self._silence_s = silence_s
        self._address = settings.bootstrap_servers
        self._admin: Admin = admin_client(settings)
        self._watch = BrokerWatch(settings, patience_s=silence_s)
        self._consumer = self._open(settings)
        self._positions: dict[int, int] = {}
        self._ends = np.zeros(0, np.int64)
        self._largest_bytes = _FIRST_GUESS_BYTES

    def identify(self) -> TopicInfo:
        """Return the topic's id, cluster and partitions.

        :raises TopicMissing: there is no such topic.
        :raises BrokerUnreachable: no broker answers.
        """
        return describe(self._admin, self.topic)

    def watermarks(self, partitions: Iterable[int]) -> dict[int, Watermarks]:
        """Return what :func:`watermarks` does."""
        return watermarks(self._admin, self.topic, partitions)

    def assign(self, positions: Mapping[int, int], ends: Mapping[int, int]) -> None:
        """Read every partition from its position up to its end (half-open), one after the other."""
        self._positions = dict(sorted(positions.items()))
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
        return sum(int(self._ends[partition]) - at for partition, at in self._positions.items())

    def fetch(self, max_rows: int, stop: threading.Event) -> tuple[Records, list[Span]]:
        """Return up to ``max_rows`` records and the offsets that they cover; less at the end, or when stopped.

        A span without records is possible: its offsets hold none.

        :raises BrokerSilent: nothing came for ``silence_s`` although the end is not reached.
        :raises TopicRecreated: a position is not in the topic any more.
        """
        began = time.perf_counter()
        starts = dict(self._positions)
        parts: list[Records] = []
        rows = size_bytes = 0
        heard = time.monotonic()
        quiet, answers = Silence("Kafka", until_s=self._silence_s), 0
        while not self.finished and rows < max_rows and size_bytes < MAX_CHUNK_BYTES and not stop.is_set():
            fits = (MAX_CHUNK_BYTES - size_bytes) // self._largest_bytes
            got = self._consumer.consume(max(1, min(max_rows - rows, self._left_here(), fits)), _WAIT_S)
            if fresh := self._take(got):
                parts.append(fresh)
                rows += len(fresh)
                size_bytes += int(fresh.sizes.sum())
                self._largest_bytes = max(1, int(fresh.sizes.max()), self._largest_bytes // 2)
            if got:
                heard = time.monotonic()
                self._watch.answered()
            elif time.monotonic() - heard > self._silence_s:
                raise self._silent()
            answers += len(got)
            quiet.look(time.monotonic(), answers, self.left, "records")
            self._watch.check()
        spans = [Span(p, start, self._positions[p]) for p, start in starts.items() if self._positions[p] > start]
        return Records.joined(parts, time.perf_counter() - began), spans

    def messages(self, stop: threading.Event = _NEVER) -> Iterator[Message]:
        """Yield the records up to the ends one by one, as messages of Kafka's client. A stop ends it early.

        :raises BrokerSilent: nothing came for ``silence_s`` although the end is not reached.
        :raises TopicRecreated: a position is not in the topic any more.
        """
        while not (self.finished or stop.is_set()):
            records, _ = self.fetch(_FETCH_ROWS, stop)
            yield from records.messages

    def commit(self, positions: Mapping[int, int], *, timeout_s: float = 3.0) -> None:
        """Tell the consumer group what has been dealt with, so that lag tools see it. Best effort; nothing reads it."""
        offsets = [TopicPartition(self.topic, partition, offset) for partition, offset in positions.items()]
        # By the administrator: a consumer that waits for a group it has no right to closes only after a minute.
        asked = self._admin.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(self._group, offsets)], request_timeout=timeout_s
        )
        try:
            for answer in asked.values():
                told = self._admin.ask(answer, "telling the group how far it is", timeout_s=timeout_s)
                for partition in told.topic_partitions:
                    if partition.error is not None:
                        log.info("the group's offset was not committed: %s", partition.error)
        except StreamproofError as error:
            log.info("the group's offset was not committed: %s", error)

    def close(self) -> None:
        """Leave Kafka."""
        with suppress(KafkaException, RuntimeError):
            self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, settings: KafkaSettings) -> Consumer:
        known = settings.as_librdkafka(group_id=self._group, **_CONSUMER)
        try:
            return Consumer(known | self._watch.settings())
        except KafkaException as error:
            raise translate(error, "opening the connection", where=self._address) from None

    def _unfinished(self) -> list[int]:
        return [partition for partition, at in self._positions.items() if at < self._ends[partition]]

    def _take(self, got: list[Message]) -> Records:
        """Move the positions over what came, and return the records that lie before the ends."""
        messages = [message for message in got if message.error() is None]
        records = Records.of(messages)
        for partition in np.unique(records.partitions).tolist():
            these = records.offsets[records.partitions == partition]
            self._advance(partition, int(these[0]), int(these[-1]) + 1)
        inside = records.offsets < self._ends[records.partitions]
        if len(messages) < len(got):
            for message in got:
                if message.error() is not None:
                    self._heed(message.error(), message.partition(), message.offset())
        return records if inside.all() else records.only(inside)

    def _advance(self, partition: int, first: int, after: int) -> None:
        at, end = self._positions[partition], int(self._ends[partition])
        if first < at:
            raise RuntimeError(f"{self.topic}/{partition}: offset {first} came after the position was {at}")
        self._positions[partition] = min(after, end)
        if at < end <= after:
            self._turn_to_next()

    def _turn_to_next(self) -> None:
        """Read the first partition that is not finished, and no other."""
        wanted = [TopicPartition(self.topic, p, self._positions[p]) for p in self._unfinished()[:1]]
        self._consumer.assign(wanted)

    def _left_here(self) -> int:
        """Return how many offsets the partition at hand still has before its end."""
        partition = self._unfinished()[0]
        return int(self._ends[partition]) - self._positions[partition]

    def _heed(self, error: KafkaError, partition: int, offset: int) -> None:
        """Take the end of a partition as news of its position, and anything else that is final as an error."""
        code = error.code()
        where = f"{self.topic}/{partition}, offset {self._positions.get(partition, offset)}"
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001
            at = self._positions[partition]
            self._advance(partition, at, max(at, offset))
        elif code in _GONE:
            raise TopicRecreated(
                "records were deleted before they were read: the topic does not hold the position any more",
                where=where,
                hint="Run the command again: it says what is stored and what is there",
            )
        elif code in _DAMAGED:
            raise DependencyDown(f"the broker delivered a damaged batch of records: {error.str()}", where=where)
        elif code == NO_GROUP:
            log.debug("no right to the group: lag tools will not see this load")
        elif isinstance(meaning := translate(error, "reading", where=where), _FINAL) or error.fatal():
            raise meaning
        else:
            log.debug("kafka: %s", error)

    def _silent(self) -> BrokerSilent:
        waiting = ", ".join(f"{p} at {self._positions[p]} of {self._ends[p]}" for p in self._unfinished()[:5])
        return BrokerSilent(
            f"nothing came for {self._silence_s:.0f} s although records are there",
            where=f"{self._address}, {self.topic}, partitions {waiting}",
            hint="Run the same command again when the broker answers",
        )
