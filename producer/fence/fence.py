"""One process at a time for a shard of a run, wherever it runs: the right is a transactional id, and Kafka holds it.

1. **Take.** Opening the id of (topic, run, shard) fences whoever had it: nothing more of that one is committed.
2. **Wait** until that one sends nothing any more (``waiting.py``), unless it gave the shard back.
3. **Announce.** The ``running`` manifest and a lease, in one transaction of the id.
4. **Renew.** Once a second, in a transaction. Whoever did not manage it within the lease hands nothing to its client
   until it does; whoever is told that it was fenced never does again.
5. **Declare.** The ``finished`` manifest and the lease given back, in one transaction. Kafka does not take it from a
   process that was fenced, however late that one wakes up.

The events themselves are sent outside of transactions: in them, *acknowledged* would come to mean *committed*.
docs/adr/025 says what that leaves open.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

import structlog
from confluent_kafka import KafkaException, Producer

from cluster.connection import KafkaSettings
from cluster.errors import (
    BrokerUnreachable,
    DependencyDown,
    Interrupted,
    Misconfigured,
    Refused,
    StreamproofError,
    TakenOver,
    TransactionAborted,
)
from cluster.kafka_errors import BrokerWatch
from cluster.machine.identity import lease_clock, this_machine
from cluster.transactions import Outgoing, Transactions
from producer.fence.waiting import wait_for_predecessor
from producer.plan.plan import Plan
from schemas.control_topic import LARGEST_BYTES, WRITE_TIMEOUT_S, manifest_records
from schemas.leases import Lease, yielded_key
from schemas.manifest import FaultPage, Manifest, control_topic_of
from schemas.progress import TELL_EVERY_S, Figures, progress_key

log = structlog.get_logger()

LEASE_S = 10.0
# A transaction that is open when the brokers go away must not be rolled back sooner than events are given up: a client
# cannot tell that from having been fenced. One that a killed process leaves is open for so long, and 10 s more until a
# broker looks (schemas/control_topic/ waits for that).
_MOST_TRANSACTION_S = 60.0
_RECORD_S = 5.0
_PAUSE_S = 0.05
_YIELD_S = 3.0
_WITHOUT = "set shard_fence to false (STREAMPROOF_SHARD_FENCE): then only this machine is kept from sending it twice"


def transactional_id(topic: str, run_id: str, shard: int) -> str:
    """Return the id that the process of a shard opens."""
    return f"streamproof-produce/{topic}/{run_id}/{shard}"


class Fence:
    """See :class:`producer.fence.right.Right`. Use it as a context manager: entering begins to take the id.

    Taking goes on beside what else there is to do at the start; :meth:`taken` waits for it.

    :param name: that this process holds on this machine (``producer/alone.py``).
    :param stop: set by a signal.
    """

    def __init__(self, kafka: KafkaSettings, plan: Plan, name: str, stop: threading.Event) -> None:
        self._kafka = kafka
        self._plan = plan
        self._name = name
        self._stop = stop
        self._id = transactional_id(plan.topic, plan.run_id, plan.shard)
        self._where = f"run {plan.run_id}, shard {plan.shard}, topic {plan.topic}"
        self._token = secrets.token_hex(8)
        self._taking = threading.Thread(target=self._take, name="fence", daemon=True)
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._over = threading.Event()  # no further renewal
        self._abandoned = threading.Event()  # nobody waits for Kafka any more
        self._lock = threading.Lock()
        self._transactions: Transactions | None = None
        self._taken_at = 0.0
        self._until = 0.0
        self._announced: Manifest | None = None
        self._figures: Figures | None = None
        self._told = False
        self.lost: StreamproofError | None = None

    def __enter__(self) -> Self:
        self._taking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._abandoned.set()
        # What still waits for Kafka sees that nobody waits for it, and ends by itself.
        if self._renewing.is_alive():
            self._renewing.join(_PAUSE_S)

    def taken(self) -> None:
        """Wait until the id is taken.

        :raises Refused: the rights do not allow this id.
        :raises Misconfigured: the cluster has no transactions.
        :raises BrokerUnreachable: nobody answered in time.
        :raises Interrupted: stopped meanwhile.
        """
        while self._taking.is_alive():
            self._taking.join(_PAUSE_S)
            if self._stop.is_set():
                raise Interrupted(
                    "stopped while taking the shard, before anything was sent",
                    where=self._where,
                    hint="The same command continues",
                )
        if self.lost is not None:
            raise self.lost

    def wait_for(self, before: Lease | None, control_ends: Mapping[int, int]) -> None:
        """Wait until the process that had the shard before sends nothing any more.

        :param before: its lease, where it did not give it back.
        :param control_ends: where the control topic ended when that was read.
        :raises Interrupted: stopped meanwhile.
        """
        wait_for_predecessor(
            self._kafka,
            self._plan.topic,
            before,
            control_ends,
            name=self._name,
            taken_at=self._taken_at,
            stop=self._stop,
        )

    def holds(self) -> bool:
        """Tell whether the lease lasts, also in a process that has just woken up from whatever it slept through."""
        return self.lost is None and lease_clock() < self._until

    def overslept_s(self) -> float:
        """Return for how long the lease has been over, seconds."""
        return max(0.0, lease_clock() - self._until)

    def announce(self, manifest: Manifest) -> None:
        """Write the manifest with the first lease."""
        began = lease_clock()
        self._announced = manifest
        self._commit([*_as_outgoing(manifest), self._lease()], timeout_s=WRITE_TIMEOUT_S)
        self._until = began + LEASE_S
        self._renewing.start()

    def tell(self, *, generated: int, acknowledged: int, failed: int) -> None:
        """Keep the figures for the next renewal."""
        self._figures = Figures(generated, acknowledged, failed)

    def declare(self, manifest: Manifest, pages: Sequence[FaultPage], *, timeout_s: float) -> None:
        """Write the manifest and give the lease back."""
        self._over.set()
        if self.lost is not None:
            raise self.lost
        self._commit([*_as_outgoing(manifest, pages), self._lease(ended=True)], timeout_s=timeout_s)

    def give_way(self) -> None:
        """Tell whoever took the shard that nothing of this process is on its way. Best effort."""
        lease = self._leased(released=True)
        with suppress(KafkaException, StreamproofError):
            settings = self._kafka.as_librdkafka(acks="all", linger_ms=0, message_timeout_ms=round(1000 * _YIELD_S))
            producer = Producer(settings | BrokerWatch(self._kafka).settings())
            key = yielded_key(lease.run_id, lease.shard).encode()
            producer.produce(control_topic_of(self._plan.topic), None, key, headers=[lease.header()])
            producer.flush(_YIELD_S)

    def _take(self) -> None:
        try:
            transactions = Transactions(
                self._kafka,
                control_topic_of(self._plan.topic),
                None,
                self._id,
                owner="process",
                timeout_s=min(self._plan.delivery_timeout_s + LEASE_S, _MOST_TRANSACTION_S),
                message_timeout_s=_RECORD_S,
                largest_bytes=LARGEST_BYTES,
                # Events that have no verdict by then end the run first.
                patience_s=self._plan.delivery_timeout_s + LEASE_S,
                abandoned=self._abandoned,
            )
            self._transactions = transactions.__enter__()
            self._taken_at = lease_clock()
        except StreamproofError as error:
            self.lost = self._not_taken(error)

    def _renew(self) -> None:
        while not self._over.wait(TELL_EVERY_S):
            began = lease_clock()
            try:
                with self._lock:
                    if self._over.is_set():
                        return
                    self._send([self._lease()], self._plan.delivery_timeout_s + LEASE_S)
                self._until = began + LEASE_S
            except TransactionAborted as error:
                log.debug("the lease was not renewed", reason=error.message)
            except StreamproofError as error:
                if not self._over.is_set():
                    self.lost = self._meaning(error)
                return

    def _commit(self, records: list[Outgoing], *, timeout_s: float) -> None:
        """Send records in one transaction; one that is rolled back is made again while there is time."""
        deadline = time.monotonic() + timeout_s
        if not self._lock.acquire(timeout=timeout_s):
            raise BrokerUnreachable("no broker takes a transaction", where=self._kafka.shown)
        try:
            while True:
                left_s = max(_PAUSE_S, deadline - time.monotonic())
                try:
                    self._send(records, left_s)
                    return
                except TransactionAborted:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(_PAUSE_S)
        except StreamproofError as error:
            self.lost = self._meaning(error)
            raise self.lost from None
        finally:
            self._lock.release()

    def _send(self, records: Sequence[Outgoing], within_s: float) -> None:
        if self._transactions is None:
            raise RuntimeError("the transactional id is not taken")
        self._transactions.send(records, within_s=within_s)

    def _lease(self, *, ended: bool = False) -> Outgoing:
        """Return the record of this moment: the lease, and the figures if there are any."""
        headers = [self._leased(released=ended).header()]
        # Who saw the shard run sees how it ended.
        if self._figures is not None and self._announced is not None and (self._told or not ended):
            headers.append(self._figures.of(self._announced, ended=ended).header())
            self._told = True
        return Outgoing(None, progress_key(self._plan.run_id, self._plan.shard).encode(), tuple(headers))

    def _leased(self, *, released: bool) -> Lease:
        return Lease(
            run_id=self._plan.run_id,
            shard=self._plan.shard,
            attempt=0 if self._announced is None else self._announced.resumed,
            token=self._token,
            machine=this_machine(),
            name=self._name,
            pid=os.getpid(),
            lease_s=LEASE_S,
            settle_s=self._plan.delivery_timeout_s,
            at=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            released=released,
        )

    def _meaning(self, error: StreamproofError) -> StreamproofError:
        if isinstance(error, TakenOver):
            return TakenOver(
                "another process took the shard over",
                where=self._where,
                hint="That one continues it. If there is none, the same command does",
            )
        return error

    def _not_taken(self, error: StreamproofError) -> StreamproofError:
        """Return the error with what may help: a right, or going without."""
        if isinstance(error, Refused):
            right = f"Write and Describe on the transactional id {self._id}, or on the prefix streamproof-produce/"
            return Refused(error.message, where=error.where, hint=f"The login needs {right}; or {_WITHOUT}")
        if isinstance(error, Misconfigured | DependencyDown) and not isinstance(error, Interrupted):
            kind = type(error)
            return kind(
                error.message, where=error.where, hint=f"{error.hint}. If the cluster has no transactions, {_WITHOUT}"
            )
        return error


def _as_outgoing(manifest: Manifest, pages: Sequence[FaultPage] = ()) -> list[Outgoing]:
    return [Outgoing(value, key) for key, value in manifest_records(manifest, pages)]
