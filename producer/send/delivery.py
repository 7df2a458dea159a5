"""Handing events to librdkafka, and counting what its delivery reports say. Nothing else counts as delivered.

Every event has its report counted by a callback. Reporting failures alone (``delivery.report.only.error``) and taking
the rest as delivered was measured too: it saves 0.2 microseconds an event of about 5, which does not pay for
inferring success from silence.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from functools import partial
from itertools import chain, cycle, repeat
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from numpy.typing import NDArray

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from cluster.kafka_errors import BrokerWatch, translate
from producer.resume.placing import Placing
from producer.send.checksums import ChecksumWindows, crc32s
from producer.send.delivery_reports import NOT_WRITTEN, OF_ONE_EVENT, Copies, Report, Together
from producer.send.handover import hand_over
from producer.send.meter import DelayHistogram, Due
from producer.send.refusals import Reasons
from schemas.identity import IDENTITY_HEADER, sequence_in
from schemas.manifest import Range, to_ranges

QUEUE_EVENTS = 65_536
QUEUE_KBYTES = 65_536
BATCH_BYTES = 512 * 1024
_ROOM_WAIT_S = 0.05
_NOTED_AT_ONCE = 128


class Delivery:
    """An idempotent producer of one topic, and the ledger of its reports.

    :param identity_of: reads the identity of an event from its value.
    :param clock: seconds; the clock that intended times are in.
    :param skew_s: how far the clock that records are stamped with is ahead: an injected fault.
    :param batch_bytes: how large a batch of records may become: the broker refuses a batch as a whole that is above the
        topic's ``max.message.bytes``, and librdkafka does not divide it.
    :param placing: gets the place of each record that is acknowledged.
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
        placing: Placing | None = None,
    ) -> None:
        self._topic = topic
        self.placing = placing or Placing()
        self._note = self.placing.note
        self._skew_ms = round(1000 * skew_s)
        self.reasons = Reasons()
        self.copies = Copies(self.reasons, self.placing)
        self._identity_of = identity_of
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
            self._producer = Producer(settings | self._watch.settings() | {"on_delivery": self._report})
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
        report = self._report if ids is None else self._reporting(Together(sequences, keys, values))
        refused: list[tuple[int, KafkaError]] = []
        went = hand_over(
            self._producer,
            self._topic,
            keys,
            values,
            ids=ids,
            reports=chain([self._timed(intended, report)], cycle(self._settled_often(report))),
            stamps=iter(self._stamp, None) if self._skew_ms else repeat(0),
            refused=lambda place, error: refused.append((place, error)),
        )
        # Reports are served by ``poll`` alone, so none of these has taken its checksum away yet.
        self.checksums.add(sequences[:went], crc32s(values[:went]))
        for place, error in refused:
            self.count_out(error, values[place], int(sequences[place]))
        self.handed_over += went
        intended.cut(went)
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
        checksum = zlib.crc32(value or b"")
        size_bytes = len(value or b"")
        tell = partial(self.copies.report if copy else self._report_special, sequence, checksum, size_bytes)
        more: dict[str, Any] = {} if identity is None else {"headers": [(IDENTITY_HEADER, identity)]}
        if not copy:
            self.checksums.add(np.array([sequence]), np.array([checksum]))
        try:
            self._producer.produce(self._topic, value, key, on_delivery=tell, timestamp=self._stamp(), **more)
        except BufferError:
            if not copy:
                self.checksums.remove(sequence, checksum)
            self._wait_for_room()
            return False
        except KafkaException as error:
            tell(error.args[0], None)
        if copy:
            self.copies.handed_over += 1
        else:
            self.handed_over += 1
        return True

    def poll(self, timeout_s: float) -> None:
        """Serve delivery reports for up to ``timeout_s``."""
        self._producer.poll(timeout_s)
        self.placing.settle()
        try:
            self._watch.check()
        except StreamproofError as error:
            self.broken = self.broken or error

    def _wait_for_room(self) -> None:
        """Back-pressure: reports make room. Bounded, as each event has one after the delivery timeout."""
        began = self._clock()
        self.poll(_ROOM_WAIT_S)
        self.waited_for_room_s += self._clock() - began

    def settle(self, deadline_s: Callable[[], float]) -> None:
        """Wait for the outstanding reports; at the deadline drop what is left, and count it as what it is.

        Events still in the queue were never sent: failed. Events in flight may have been written: unknown.

        :param deadline_s: seconds left; asked again and again, because a signal shortens it.
        """
        while self.unsettled and deadline_s() > 0:
            self._producer.flush(min(0.1, max(0.0, deadline_s())))
            self.placing.settle()
        if self.unsettled:
            self._producer.purge(in_queue=True, in_flight=True, blocking=False)
            until = time.monotonic() + 0.5
            while self.unsettled and time.monotonic() < until:
                self._producer.poll(0.05)
        if self.unsettled:
            raise RuntimeError(f"{self.unsettled} events have no delivery report although the queue was purged")

    def _stamp(self) -> int:
        """Return the time to stamp a record with, in milliseconds; 0 leaves it to librdkafka."""
        return round(time.time() * 1000) + self._skew_ms if self._skew_ms else 0

    def _report(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acknowledged += 1
            self._note(message)
        else:
            self.count_out(error, message.value())  # type: ignore[arg-type]  # a value that was sent is bytes

    def _report_special(
        self, sequence: int, checksum: int, size_bytes: int, error: KafkaError | None, message: Message | None
    ) -> None:
        if error is None:
            self.acknowledged += 1
            self._note(message)  # type: ignore[arg-type]  # only a refusal, which is an error, comes without it
        else:
            self._count_out_of(error, sequence, checksum, size_bytes)

    def _reporting(self, together: Together) -> Report:
        """Return the callback of events with identities in headers: it knows their values.

        One callback for each event costs four times as much: as many objects as the queue is long, for Python to look
        after.
        """

        def report(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self.acknowledged += 1
                self._note(message)
                return
            value: Any = message.value()
            self.count_out(error, value, together.sequence(message.key(), value))

        return report

    def _settled_often(self, forward: Report) -> list[Report]:
        """Return callbacks of which the last settles places: noted values are then still in the processor's cache."""

        def report(error: KafkaError | None, message: Message) -> None:
            forward(error, message)
            self.placing.settle()

        return [forward] * (_NOTED_AT_ONCE - 1) + [report]

    def _timed(self, intended: Due, forward: Report) -> Report:
        def report(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self.delays.record_due(self._clock(), intended)
                self._watch.answered()
            forward(error, message)

        return report

    def count_out(self, error: KafkaError, value: bytes, sequence: int | None = None) -> None:
        """Count an event as what its report says of it; the value names the sequence where none is given."""
        known = sequence_in(self._identity_of(value)) if sequence is None else sequence
        self._count_out_of(error, known, zlib.crc32(value), len(value))

    def _count_out_of(self, error: KafkaError, sequence: int, checksum: int, size_bytes: int) -> None:
        self.checksums.remove(sequence, checksum)
        self.reasons.note(error, size_bytes)
        code = error.code()
        (self._failed if code in NOT_WRITTEN else self._unknown).append(sequence)
        if code not in OF_ONE_EVENT:
            self.broken = self.broken or translate(error, "delivering events", where=f"topic {self._topic}")
