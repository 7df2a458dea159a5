"""Producing in Kafka transactions: records, and the positions that they were made from, all of it or nothing.

Open :class:`Transactions` first. A transactional id belongs to one process at a time: whoever opens it last has it, the
transaction that the one before left open is aborted, and that one is told that it was taken over as soon as it comes
back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from cluster.connection import KafkaSettings
from cluster.errors import BrokerUnreachable, Interrupted, StreamproofError, TakenOver, Terminal, TransactionAborted
from cluster.kafka_errors import NO_GROUP, BrokerWatch, translate

log = logging.getLogger(__name__)
# librdkafka writes fatal errors to stderr, whatever it is told; they are raised here.
_UNSAID = logging.Logger("librdkafka", logging.CRITICAL + 1)

# What a process that is killed leaves open holds back every reader of committed records for so long, unless another
# one opens the id before. A broker looks for such transactions every 10 s, so it may be that much more.
TRANSACTION_TIMEOUT_S = 12.0
OPEN_S = 30.0
# One call may meet a broker that is being restarted. The transaction is over by then, and the broker says so.
CALL_S = 30.0
# One that tells a group may not return at all, whatever time it is given: it was seen while a broker was restarted
# (librdkafka 2.16.0). Nothing more can be asked of the producer then.
LOST_S = 15.0
_BY_KEY = -1  # librdkafka's: its partitioner chooses
_LARGEST_BYTES = 1_000_000  # librdkafka's own
_STEP_S = 0.25  # callbacks run, and a refusal is seen, between two steps
_ROOM_S = 0.05
_SETTINGS = {
    "enable_idempotence": True,
    "acks": "all",
    "compression_type": "lz4",
    "linger_ms": 5,  # a commit sends what waits
    "delivery_report_only_error": True,
    # A coordinator that still completes the transaction before answers "not yet". Waiting as long as librdkafka does by
    # itself halves what small transactions reach.
    "retry_backoff_ms": 1,
    "retry_backoff_max_ms": 5,
}
_TAKEN = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to be sent."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Transactions:
    """A producer of one partition under a transactional id. Use it as a context manager: entering takes the id.

    :param partition: where the records go; ``None`` lets the key decide.
    :param group: the consumer group that is told the positions, in the same transaction, so that lag tools see them.
        Nothing reads it, and who may not use a group goes on without.
    :param owner: what holds such an id, in the words of the error that says it was lost, such as ``counter``.
    :param message_timeout_s: how long a record may take; as long as the transaction if not given.
    :param largest_bytes: of a record.
    :param abandoned: set when nobody waits for an answer any more: a call at hand ends with :class:`Interrupted`.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        partition: int | None,
        transactional_id: str,
        *,
        group: str | None = None,
        owner: str = "process",
        timeout_s: float = TRANSACTION_TIMEOUT_S,
        message_timeout_s: float | None = None,
        largest_bytes: int = _LARGEST_BYTES,
        patience_s: float = CALL_S,
        abandoned: threading.Event | None = None,
    ) -> None:
        self._topic, self._partition = topic, _BY_KEY if partition is None else partition
        self._abandoned = abandoned or threading.Event()
        self._id = transactional_id
        self._owner = owner
        self._timeout_s = timeout_s
        self._settings = settings
        self._watch = BrokerWatch(settings, patience_s=patience_s)
        self._failed: KafkaError | None = None
        self._group = group
        self._member: Consumer | None = None
        timeout_ms = round(1000 * timeout_s)
        known = settings.as_librdkafka(
            **_SETTINGS,
            transactional_id=transactional_id,
            transaction_timeout_ms=timeout_ms,
            message_timeout_ms=timeout_ms if message_timeout_s is None else round(1000 * message_timeout_s),
            message_max_bytes=largest_bytes,
        )
        try:
            told = self._watch.settings() | {"on_delivery": self._on_failure, "logger": _UNSAID}
            self._producer = Producer(known | told)
            if group is not None:
                # It joins nothing and reads nothing: a transaction names a group by a consumer of it.
                quiet = settings.as_librdkafka(group_id=group, enable_auto_commit=False)
                self._member = Consumer(quiet | BrokerWatch(settings).settings())
        except KafkaException as error:
            raise translate(error, "opening the producer", where=settings.bootstrap_servers) from None

    def __enter__(self) -> Self:
        """Take the transactional id: what another process left open is aborted, and it cannot commit any more.

        :raises Refused: the rights do not allow this id.
        :raises BrokerUnreachable: nobody answered in time.
        """
        try:
            self._call("taking the transactional id", self._producer.init_transactions, OPEN_S)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go. A transaction that is open is left to its timeout, or to whoever takes the id next."""
        if self._member is not None:
            with suppress(KafkaException, RuntimeError):
                self._member.close()
            self._member = None

    def send(
        self,
        records: Iterable[Outgoing],
        topic: str = "",
        positions: Mapping[int, int] = MappingProxyType({}),
        *,
        within_s: float = CALL_S,
    ) -> None:
        """Send records in one transaction.

        1. begin
        2. produce: every record
        3. positions: go to the group, for lag tools
        4. commit: or abort, if anything of it failed

        :param topic: that the records were made from.
        :param positions: the next offset of each of its partitions.
        :param within_s: how long beginning, and then committing or rolling back, may take.
        :raises TakenOver: another process has the transactional id now; nothing of this is committed.
        :raises TransactionAborted: it was rolled back, and may be made again from what was committed last.
        :raises Terminal: it was rolled back, and would be again.
        :raises BrokerUnreachable: nobody answered, and nobody knows whether it is committed.
        """
        self._failed = None
        try:
            # 1. begin
            self._call("beginning a transaction", lambda _: self._producer.begin_transaction(), within_s)
            # 2. produce
            for record in records:
                self._produce(record)
            # 3. positions
            self._tell_group(topic, positions)
            # 4. commit
            self._call("committing a transaction", self._producer.commit_transaction, within_s)
        except _MustAbortError as problem:
            self._abort(within_s)
            raise self._aborted(problem.cause) from None
        except (TakenOver, BrokerUnreachable):
            raise
        except BaseException:
            with suppress(StreamproofError, _MustAbortError):
                self._abort(within_s)
            raise

    def _produce(self, record: Outgoing) -> None:
        deadline = time.monotonic() + CALL_S
        while True:
            try:
                self._producer.produce(
                    self._topic, record.value, record.key, self._partition, headers=list(record.headers)
                )
                return
            except BufferError:
                self._producer.poll(_ROOM_S)
                self._watch.check("sending")
                if time.monotonic() > deadline:
                    raise self._watch.unreachable("sending") from None
            except KafkaException as error:
                cause = error.args[0]
                if cause.code() in _TAKEN or cause.fatal():
                    raise self._meaning(cause, "sending") from None
                raise _MustAbortError(cause) from None

    def _tell_group(self, topic: str, positions: Mapping[int, int]) -> None:
        if self._member is None:
            return
        offsets = [TopicPartition(topic, partition, at) for partition, at in positions.items()]
        member = self._member.consumer_group_metadata()

        doing = "telling the group how far it is"

        def tell(timeout_s: float) -> None:
            if not _returns(lambda: self._producer.send_offsets_to_transaction(offsets, member, timeout_s), LOST_S):
                raise self._watch.unreachable(doing)

        try:
            self._call(doing, tell)
        except _MustAbortError as problem:
            if problem.cause.code() == NO_GROUP:
                log.info("no right to the group %s: lag tools will not see this", self._group)
                self.close()
            raise

    def _abort(self, within_s: float) -> None:
        self._call("rolling a transaction back", self._producer.abort_transaction, within_s)

    def _aborted(self, cause: KafkaError) -> StreamproofError:
        """Return what a transaction that was rolled back means: it is made again, unless it would fail again."""
        reason = self._failed or cause
        where = f"{self._topic}/{self._partition}"
        meaning = translate(reason, "sending", where=where)
        if isinstance(meaning, Terminal) and reason.code() != NO_GROUP:
            return meaning
        return TransactionAborted(f"a transaction was rolled back: {reason.str()}", where=where)

    def _call(self, doing: str, call: Callable[[float], Any], within_s: float = CALL_S) -> None:
        """Make a call in short steps, so that a refusal is seen and a signal comes through."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                call(_STEP_S)
                self._watch.answered()
                return
            except KafkaException as error:
                cause = error.args[0]
                if not cause.retriable():
                    raise self._meaning(cause, doing) from None
                self._producer.poll(0)
                self._watch.check(doing)
                if self._abandoned.is_set():
                    raise Interrupted(f"stopped while {doing}") from None
                if time.monotonic() > deadline:
                    raise self._watch.unreachable(doing) from None

    def _meaning(self, cause: KafkaError, doing: str) -> Exception:
        if cause.code() in _TAKEN:
            return TakenOver(
                f"another {self._owner} took over, or this one was away for longer than {self._timeout_s:g} s",
                where=f"transactional id {self._id}",
                hint="What is committed stays. If no other one runs, the same command continues",
            )
        if cause.txn_requires_abort():
            return _MustAbortError(cause)
        return translate(cause, doing, where=f"transactional id {self._id}")

    def _on_failure(self, error: KafkaError | None, _: object) -> None:
        """Keep the first reason why a record was not taken; what a roll-back purges comes after it."""
        if error is not None and self._failed is None and error.code() not in _PURGED:
            self._failed = error


def _returns(call: Callable[[], Any], within_s: float) -> bool:
    """Make a call in a thread of its own, which is left behind if it does not return; tell whether it did in time.

    :raises Exception: what the call raised.
    """
    done, raised = threading.Event(), list[Exception]()

    def make() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whoever waits for the call gets it
            raised.append(error)
        done.set()

    threading.Thread(target=make, name="transaction", daemon=True).start()
    if not done.wait(within_s):
        return False
    for error in raised:
        raise error
    return True


_PURGED = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}  # noqa: SLF001


class _MustAbortError(Exception):
    """Kafka wants the transaction at hand rolled back."""

    def __init__(self, cause: KafkaError) -> None:
        super().__init__(cause)
        self.cause = cause
