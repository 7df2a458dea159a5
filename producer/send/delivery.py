"""Handing events to the outbox, and counting what its reports say. Nothing else counts as delivered."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable

import numpy as np
from confluent_kafka import KafkaException
from numpy.typing import NDArray

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError, TakenOver
from cluster.kafka_errors import BrokerWatch, translate
from producer.resume.placing import Placing
from producer.send.checksums import ChecksumWindows, crc32s
from producer.send.delivery_reports import NOT_WRITTEN, OF_ONE_EVENT, Copies
from producer.send.librdkafka import Librdkafka
from producer.send.meter import DelayHistogram, Due
from producer.send.outbox import Failure, Outbox, Outgoing, Reports
from producer.send.refusals import Reasons
from producer.send.right import AlwaysSends, Sends
from schemas.manifest import Range, to_ranges

QUEUE_EVENTS = 65_536
QUEUE_KBYTES = 65_536
BATCH_BYTES = 512 * 1024
_ROOM_WAIT_S = 0.05
# What was handed over in the last millisecond of the right is as good as before it; a process that stood still
# meanwhile was away for longer.
_STOOD_STILL_S = 0.5


class Delivery:
    """An idempotent producer of one topic, and the ledger of its reports.

    :param identity_of: reads the identity of an event from its value.
    :param clock: seconds; the clock that intended times are in.
    :param skew_s: how far the clock that records are stamped with is ahead: an injected fault.
    :param batch_bytes: how large a batch of records may become: the broker refuses a batch as a whole that is above the
        topic's ``max.message.bytes``, and librdkafka does not divide it.
    :param keeps_times: the topic is known to keep the times that records are stamped with.
    :param placing: gets the place of each record that is acknowledged.
    :param right: to send; nothing is handed over without it.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        *,
        timeout_s: float,
        identity_of: Callable[[bytes], bytes],
        clock: Callable[[], float],
        skew_s: float = 0.0,
        batch_bytes: int = BATCH_BYTES,
        keeps_times: bool = False,
        placing: Placing | None = None,
        right: Sends | None = None,
    ) -> None:
        self._topic = topic
        self._right = right or AlwaysSends()
        self.certain = True
        self.placing = placing or Placing()
        self._skew_ms = round(1000 * skew_s)
        self.reasons = Reasons()
        self.copies = Copies()
        self._clock = clock
        self._watch = BrokerWatch(kafka, patience_s=timeout_s)
        self._failed: list[int] = []
        self._unknown: list[int] = []
        self.acknowledged = 0
        self.handed_over = 0
        self.broken: StreamproofError | None = None
        self.waited_for_room_s = 0.0
        self.checksums = ChecksumWindows()
        self.delays = DelayHistogram()
        settings = kafka.as_librdkafka(
            enable_idempotence=True,
            acks="all",
            # The partition that Java's default partitioner chooses for the key.
            partitioner="murmur2_random",
            compression_type="lz4",
            linger_ms=20,
            batch_size=batch_bytes,
            message_timeout_ms=int(timeout_s * 1000),
            queue_buffering_max_messages=QUEUE_EVENTS,
            queue_buffering_max_kbytes=QUEUE_KBYTES,
        )
        try:
            self._outbox: Outbox = Librdkafka(
                settings | self._watch.settings(),
                topic,
                identity_of=identity_of,
                clock=clock,
                skew_ms=self._skew_ms,
                keeps_times=keeps_times,
            )
        except KafkaException as error:
            raise translate(error, "opening the producer", where=kafka.bootstrap_servers) from None

    @property
    def skewed(self) -> bool:
        """Whether records are stamped by a clock that is wrong on purpose."""
        return bool(self._skew_ms)

    @property
    def failed(self) -> list[Range]:
        """Sequences that were not written."""
        return to_ranges(self._failed)

    @property
    def unknown(self) -> list[Range]:
        """Sequences that may have been written or not."""
        return to_ranges(self._unknown)

    @property
    def unsettled(self) -> int:
        """Records that were handed over and have no report yet."""
        events = self.handed_over - self.acknowledged - len(self._failed) - len(self._unknown)
        return events + self.copies.unsettled

    @property
    def not_delivered(self) -> int:
        """Records whose report says failed or unknown."""
        return len(self._failed) + len(self._unknown) + len(self.copies.failed) + len(self.copies.unknown)

    def send(
        self,
        sequences: NDArray[np.int64],
        keys: list[bytes | None],
        values: list[bytes],
        intended: Due,
        *,
        ids: list[bytes] | None = None,
    ) -> int:
        """Hand events over until the queue is full, and return how many went.

        The publish delay is sampled: the acknowledgement of the first event of a call stands for that of the rest.

        :param intended: when they were due.
        :param ids: identities that travel in a header, where the values hold none.
        """
        went = self._outbox.put(Outgoing(sequences, keys, values, ids), intended, self._right.holds)
        # Reports are served by ``poll`` alone, so none of these has taken its checksum away yet.
        self.checksums.add(sequences[:went], crc32s(values[:went]))
        self.handed_over += went
        intended.cut(went)
        self._heed_sleep(went)
        if went < len(values):
            self._wait_for_room()
        return went

    def send_special(
        self, sequence: int, key: bytes | None, value: bytes | None, identity: bytes | None, *, copy: bool
    ) -> bool:
        """Hand over a record that an injected fault made special; return whether there was room.

        :param identity: travels in a header, where the value does not give it.
        :param copy: the second record of an event: it is not an event of its own, and counted apart.
        """
        record = Outgoing(np.array([sequence]), [key], [value], [identity], copies=copy, named=True)
        went = self._outbox.put(record, None, self._right.holds)
        self._heed_sleep(went)
        if not went:
            self._wait_for_room()
            return False
        if copy:
            self.copies.handed_over += 1
        else:
            self.checksums.add(record.sequences, np.array([zlib.crc32(value or b"")]))
            self.handed_over += 1
        return True

    def poll(self, timeout_s: float) -> None:
        """Serve delivery reports for up to ``timeout_s``."""
        self._count(self._outbox.serve(timeout_s))
        self.heed_loss()
        try:
            self._watch.check()
        except StreamproofError as error:
            self.broken = self.broken or error

    def _wait_for_room(self) -> None:
        """Back-pressure: reports make room. Bounded, as each event has one after the delivery timeout."""
        began = self._clock()
        self.poll(_ROOM_WAIT_S)
        self.waited_for_room_s += self._clock() - began

    def heed_loss(self) -> None:
        """Give up what is queued if the right to send is lost; what is in flight keeps its chance of a report."""
        lost = self._right.lost
        if lost is not None and self.broken is not lost:
            self._give_up(lost)

    def _heed_sleep(self, went: int) -> None:
        """Give up what was just handed over if this process stood still meanwhile, and its right ended."""
        overslept_s = self._right.overslept_s() if went else 0.0
        if overslept_s > _STOOD_STILL_S and self.broken is None:
            self._give_up(
                TakenOver(
                    f"this process stood still, and woke up {overslept_s:.0f} s after its right to the shard ended",
                    where=f"topic {self._topic}",
                    hint="Another process may have taken the shard. If there is none, the same command continues",
                )
            )

    def _give_up(self, why: StreamproofError) -> None:
        self._outbox.purge(in_flight=False)
        self.broken = why

    def settle(self, deadline_s: Callable[[], float]) -> None:
        """Wait for the outstanding reports; at the deadline drop what is left, and count it as what it is.

        Events still in the queue were never sent: failed. Events in flight may have been written: unknown, and
        nobody is ``certain`` any more that nothing is on its way.

        :param deadline_s: seconds left; asked again and again, because a signal shortens it.
        """
        while self.unsettled and deadline_s() > 0:
            self.heed_loss()
            self._count(self._outbox.flush(min(0.1, max(0.0, deadline_s()))))
        if self.unsettled:
            self.certain = False
            self._outbox.purge()
            until = time.monotonic() + 0.5
            while self.unsettled and time.monotonic() < until:
                self._count(self._outbox.serve(0.05))
        if self.unsettled:
            raise RuntimeError(f"{self.unsettled} events have no delivery report although the queue was purged")

    def _count(self, reports: Reports) -> None:
        for answered_s, due in reports.answered:
            self.delays.record_due(answered_s, due)
            self._watch.answered()
        for each in reports.acknowledged:
            self.placing.add(each.placed)
            if each.copies:
                self.copies.acknowledged += len(each.placed)
            else:
                self.acknowledged += len(each.placed)
        for failure in reports.failed:
            self._count_out(failure)

    def _count_out(self, failure: Failure) -> None:
        error = failure.error
        not_written = error.code() in NOT_WRITTEN
        self.reasons.note(error, failure.size_bytes)
        if failure.copy:
            (self.copies.failed if not_written else self.copies.unknown).append(failure.sequence)
            return
        self.checksums.remove(failure.sequence, failure.checksum)
        (self._failed if not_written else self._unknown).append(failure.sequence)
        if error.code() not in OF_ONE_EVENT:
            self.broken = self.broken or translate(error, "delivering events", where=f"topic {self._topic}")
