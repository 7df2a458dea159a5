"""The outbox that stands on librdkafka by its Python client: a call for each record, and a callback for each report.

Every record has its report counted by a callback. Reporting failures alone (``delivery.report.only.error``) and taking
the rest as delivered was measured too: it saves 0.2 microseconds an event of about 5, which does not pay for inferring
success from silence.

**Times.** A report says when a record was stamped, and of a batch that was sent twice it says it wrongly: the broker
that has the first one answers with one time for all of the batch, as topics do that stamp records themselves, and
librdkafka takes it for theirs. So each record is stamped here, and where the topic keeps such times, that is the one
that it has.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from itertools import chain, cycle, repeat
from operator import itemgetter
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from producer.resume.placing import Placed
from producer.send.handover import Report, hand_over
from producer.send.meter import Due
from producer.send.outbox import Acknowledged, Failure, Outgoing, Reports
from schemas.identity import sequence_in

# Noted messages hold their values; after so many of them the values are still in the processor's cache.
_NOTED_AT_ONCE = 128


class Librdkafka:
    """See :class:`producer.send.outbox.Outbox`.

    :param settings: librdkafka's.
    :param identity_of: reads the identity of an event from its value.
    :param clock: seconds; the clock that intended times are in.
    :param skew_ms: how far the clock that records are stamped with is ahead: an injected fault.
    :param keeps_times: the topic is known to keep the times that records are stamped with.
    :raises KafkaException: librdkafka does not take the settings.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        topic: str,
        *,
        identity_of: Callable[[bytes], bytes],
        clock: Callable[[], float],
        skew_ms: int = 0,
        keeps_times: bool = False,
    ) -> None:
        self._topic = topic
        self._identity_of = identity_of
        self._clock = clock
        self._skew_ms = skew_ms
        self._keeps_times = keeps_times
        self._noted: list[tuple[Message, int]] = []
        self._noted_copies: list[tuple[Message, int]] = []
        self._reports = Reports()
        self._producer = Producer(dict(settings))

    def put(self, records: Outgoing, due: Due | None = None, may: Callable[[], bool] = lambda: True) -> int:
        """Produce until the queue is full."""
        stamp_ms = round(time.time() * 1000) + self._skew_ms
        report = self._reporting(records, stamp_ms)
        first = report if due is None else self._timed(due, report)
        refused: list[tuple[int, KafkaError]] = []
        went = hand_over(
            self._producer,
            self._topic,
            records.keys,
            records.values,
            ids=records.ids,
            reports=chain([first], cycle(self._settled_often(report))),
            stamps=repeat(stamp_ms),
            refused=lambda place, error: refused.append((place, error)),
            may=may,
        )
        for place, error in refused:
            self._fail(error, records.values[place], int(records.sequences[place]), copy=records.copies)
        return went

    def serve(self, timeout_s: float) -> Reports:
        """Poll."""
        self._producer.poll(timeout_s)
        return self._taken()

    def flush(self, timeout_s: float) -> Reports:
        """Flush."""
        self._producer.flush(timeout_s)
        return self._taken()

    def purge(self, *, in_flight: bool = True) -> None:
        """Purge queue and flight."""
        self._producer.purge(in_queue=True, in_flight=in_flight, blocking=False)

    def _taken(self) -> Reports:
        self._settle()
        taken, self._reports = self._reports, Reports()
        return taken

    def _reporting(self, records: Outgoing, stamp_ms: int) -> Report:
        """Return the callback of records that are stamped with one time."""
        if records.copies or records.named:
            return self._of_one(records, stamp_ms)
        return self._of_events(stamp_ms) if records.ids is None else self._together(records, stamp_ms)

    def _of_events(self, stamp_ms: int) -> Report:
        """Return the callback of events whose values name them."""
        noted = self._noted

        def report(error: KafkaError | None, message: Message) -> None:
            if error is None:
                noted.append((message, stamp_ms))
            else:
                value: Any = message.value()  # a value that was sent is bytes
                self._fail(error, value, sequence_in(self._identity_of(value)))

        return report

    def _of_one(self, records: Outgoing, stamp_ms: int) -> Report:
        noted, value, sequence = self._noted, records.values[0], int(records.sequences[0])
        if records.copies:
            noted = self._noted_copies

        def report(error: KafkaError | None, message: Message) -> None:
            if error is None:
                noted.append((message, stamp_ms))
            else:
                self._fail(error, value, sequence, copy=records.copies)

        return report

    def _together(self, records: Outgoing, stamp_ms: int) -> Report:
        """Return the callback of events with identities in headers: it knows their values.

        One callback for each event costs four times as much: as many objects as the queue is long, for Python to look
        after.
        """
        noted, together = self._noted, Together(records)

        def report(error: KafkaError | None, message: Message) -> None:
            if error is None:
                noted.append((message, stamp_ms))
                return
            value: Any = message.value()
            self._fail(error, value, together.sequence(message.key(), value))

        return report

    def _settled_often(self, forward: Report) -> list[Report]:
        def report(error: KafkaError | None, message: Message) -> None:
            forward(error, message)
            self._settle()

        return [forward] * (_NOTED_AT_ONCE - 1) + [report]

    def _timed(self, due: Due, forward: Report) -> Report:
        def report(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self._reports.answered.append((self._clock(), due))
            forward(error, message)

        return report

    def _fail(self, error: KafkaError, value: bytes | None, sequence: int, *, copy: bool = False) -> None:
        value = value or b""
        self._reports.failed.append(Failure(error, sequence, zlib.crc32(value), len(value), copy))

    def _settle(self) -> None:
        """Make columns of the noted messages, and let go of them."""
        for noted, copies in ((self._noted, False), (self._noted_copies, True)):
            if noted:
                messages = list(map(itemgetter(0), noted))
                stamps = list(map(itemgetter(1), noted)) if self._keeps_times else None
                self._reports.acknowledged.append(Acknowledged(Placed.of(messages, stamps), copies))
                noted.clear()


class Together:
    """Events that were handed over together, with identities in headers that reports do not give back.

    A failed event is found by its key and value. Of events that agree in both, any may be named: their records are
    the same but for the header, and the broker is asked for that when the shard continues.
    """

    def __init__(self, records: Outgoing) -> None:
        self._records = records
        self._by_content: dict[tuple[bytes | None, bytes | None], list[int]] | None = None

    def sequence(self, key: Any, value: bytes) -> int:
        """Return the sequence of one of them, and not of the same one again."""
        if self._by_content is None:
            self._by_content = {}
            sent = zip(self._records.sequences.tolist(), self._records.keys, self._records.values, strict=True)
            for sequence, sent_key, sent_value in sent:
                self._by_content.setdefault((sent_key, sent_value), []).append(sequence)
        return self._by_content[key, value].pop()
