"""Counting a topic by a field, and publishing the totals: the main path of this package."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from cluster.connection import Connection
from cluster.errors import DependencyDown, Misconfigured, TopicRecreated, TransactionAborted
from cluster.reading import GROUP_PREFIX, TopicFollower, Watermarks
from cluster.topics import TopicInfo, admin_client, describe
from cluster.transactions import Outgoing, Transactions
from consumer.counter.bounds import AFTER_EVERY_EVENT, FOR_EVER, Bounds, Every, Until
from consumer.counter.naming import FieldNames
from consumer.counter.output import PARTITION, last_totals
from consumer.counter.recovery import go_on
from consumer.counter.result import CountProgress, CountResult, Ended
from consumer.counter.totals import RunningTotals
from consumer.load.readers import source_of_schemas
from schemas.formats import FRAMED, WrittenSchema

log = structlog.get_logger()

# A transaction is open for so long at most: outputs wait in it, and are seen when it is committed.
TRANSACTION_S = 0.1
_HANDING_OVER_S = 0.08  # of that; the rest is for the commit
_FETCH_ROWS = 5_000
_LOOK_EVERY_S = 1.0
# Transactions that are rolled back one after the other are given up after so long, seconds.
PATIENCE_S = 60.0
_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What is counted, and what becomes of it.

    :param by: the field, by its path.
    :param to: the topic of the outputs.
    :param names: names that are there from the beginning, with 0, beside those that a contract declares.
    :param written: how values are written, and ``plain``: the schema of those that name none; found out unless given.
    """

    topic: str
    by: str
    to: str
    every: Every = AFTER_EVERY_EVENT
    until: Until = FOR_EVER
    names: Collection[str] = ()
    written: str | None = None
    plain: WrittenSchema | None = None


def count(
    connection: Connection,
    counting: Counting,
    *,
    stop: threading.Event,
    progress: Callable[[CountProgress], None] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> CountResult:
    """Keep running totals of a topic by the values of a field, and publish them to another, exactly once.

    1. take over: the transactional id of this topic and output; who had it before cannot commit any more
    2. recover: totals and positions from the last output that was committed
    3. fetch: what came, from all partitions
    4. count: by the text of the field; a record that has none is counted apart
    5. publish: outputs, each with totals and positions, in one transaction
    6. repeat from 3, or from 2 if the transaction was rolled back

    Killed at any moment, it goes on at the last committed output. An end in order (time, the end, ``stop``) commits.

    :raises TakenOver: another counter of this topic and output has begun.
    :raises TopicRecreated: the totals are of another topic of this name.
    :raises Misconfigured: the output holds other totals, or no value has such a field.
    :raises StreamproofError: Kafka or the registry does not answer.
    """
    topic, to = counting.topic, counting.to
    if topic == to:
        raise Misconfigured(f"{topic} cannot be counted into itself", hint="Name another topic with --to")
    admin = admin_client(connection.kafka)
    for name in (topic, to):
        describe(admin, name)
    with (
        source_of_schemas(connection, needed=counting.plain is None and counting.written in FRAMED) as registry,
        TopicFollower(connection.kafka, topic, purpose=f"count-{to}") as source,
        # 1. take over
        Transactions(
            connection.kafka,
            to,
            PARTITION,
            f"{GROUP_PREFIX}count/{topic}/{to}",
            group=f"{GROUP_PREFIX}count-{to}-{topic}",
            owner="counter",
        ) as transactions,
    ):
        names = FieldNames(
            connection.kafka, topic, counting.by, registry, written=counting.written, told=counting.plain
        )
        return _Count(connection, counting, names, source, transactions, stop, progress, now).run()


class _Count:
    """One count, from the id that it took to its end."""

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        connection: Connection,
        counting: Counting,
        names: FieldNames,
        source: TopicFollower,
        transactions: Transactions,
        stop: threading.Event,
        progress: Callable[[CountProgress], None] | None,
        now: Callable[[], datetime],
    ) -> None:
        self._connection, self._counting, self._names = connection, counting, names
        self._source, self._transactions = source, transactions
        self._stop, self._told, self._now = stop, progress, now
        self._bounds = Bounds(counting.until, stop)
        self._info: TopicInfo | None = None
        self._totals: RunningTotals
        self._unpublished = 0  # records that are counted and in no output
        self._published = 0  # events that are in outputs
        self._went_on_from: int | None = None
        self._began = time.monotonic()
        self._done = CountProgress()
        self._looked: tuple[float, int] = (self._began, 0)

    def run(self) -> CountResult:
        """Take steps 2 to 6 until the end."""
        committed, failing_since = -1, time.monotonic()
        while True:
            self._recover_patiently()
            try:
                ended = self._go()
                break
            except (TransactionAborted, TopicRecreated) as problem:
                # Records that retention took while they were about to be read are looked at again, and counted apart; a
                # topic that was recreated is refused then.
                if self._done.transactions > committed:
                    committed, failing_since = self._done.transactions, time.monotonic()
                if time.monotonic() - failing_since > PATIENCE_S or self._stop.is_set():
                    raise
                log.warning("going on from the last committed output", reason=str(problem))
                self._stop.wait(_AGAIN_S)
        self._look(at_once=True)
        counting = self._counting
        return CountResult(counting.topic, counting.to, counting.by, ended, self._done, self._went_on_from)

    def _recover_patiently(self) -> None:
        """Take step 2. When a count that is under way has to, a broker may be away for a while."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._recover()
            except DependencyDown as problem:
                if self._info is None or time.monotonic() > deadline or self._stop.wait(_AGAIN_S):
                    raise
                log.warning("it cannot go on yet", reason=str(problem))
            else:
                return

    def _recover(self) -> None:
        """Take step 2: what is not committed is forgotten."""
        counting = self._counting
        info = self._source.identify()
        last = last_totals(self._connection.kafka, counting.to, self._stop)
        marks = self._source.watermarks(range(info.partitions))
        start = go_on(last, info, marks, field=counting.by, output=counting.to)
        if self._info is None and last is not None:
            self._went_on_from = last.events
        self._info, self._unpublished = info, 0
        self._totals = RunningTotals(start)
        self._totals.declare(counting.names)
        self._published = start.events
        self._source.assign(start.positions)
        self._bounds.look(marks)
        self._done = replace(self._done, **self._standing())
        log.info("count begins", topic=counting.topic, by=counting.by, into=counting.to, counted_before=start.events)

    def _go(self) -> Ended:
        """Take steps 3 to 5 until there is a reason to end."""
        every_s = self._counting.every.seconds
        publish_at = time.monotonic() + (every_s or 0.0)
        while (ended := self._bounds.reached(self._totals.positions)) is None:
            # 3. fetch
            until_s = TRANSACTION_S if every_s is None else min(TRANSACTION_S, publish_at - time.monotonic())
            wait_s = max(0.0, min(until_s, self._bounds.left_s))
            records, spans = self._source.fetch(_FETCH_ROWS, self._stop, wait_s=wait_s)
            # 4. count
            codes = self._names.of(records, spans, self._totals)
            if len(records) and not self._totals.events:
                self._names.check()
            # 5. publish
            if every_s is None:
                self._publish_each(self._totals.after_each(records, codes, spans, self._now()))
            else:
                self._totals.add(codes, spans)
                self._unpublished += len(records)
                if time.monotonic() >= publish_at:
                    self._publish_sum()
                    publish_at = time.monotonic() + every_s
            self._look()
        self._publish_sum()
        return ended

    def _publish_each(self, outputs: Iterator[Outgoing]) -> None:
        """Publish outputs in transactions that are open for a moment only, or in one for each."""
        alone = self._counting.every.alone
        while not self._bounds.over and (first := next(outputs, None)) is not None:
            sent = 1
            ends_at = time.monotonic() + _HANDING_OVER_S

            def portion(first: Outgoing = first, ends_at: float = ends_at) -> Iterator[Outgoing]:
                nonlocal sent
                yield first
                while not alone and time.monotonic() < ends_at and (output := next(outputs, None)) is not None:
                    sent += 1
                    yield output

            # The positions are those behind the last output: sending moves them.
            self._transactions.send(portion(), self._counting.topic, self._totals.positions)
            self._committed(sent)
            self._look()

    def _publish_sum(self) -> None:
        """Publish one output of what was counted since the last one, if anything was."""
        if self._unpublished:
            output = self._totals.output(self._now())
            self._transactions.send([output], self._counting.topic, self._totals.positions)
            self._unpublished = 0
            self._committed(1)

    def _committed(self, outputs: int) -> None:
        """Note a transaction that is committed."""
        done, events = self._done, self._totals.events
        self._done = replace(
            done,
            **self._standing(),
            events=done.events + events - self._published,
            outputs=done.outputs + outputs,
            transactions=done.transactions + 1,
        )
        self._published = events

    def _standing(self) -> dict[str, Any]:
        totals = self._totals
        return {"totals": totals.totals, "apart": dict(totals.apart), "positions": dict(totals.positions)}

    def _look(self, *, at_once: bool = False) -> None:
        """Once a second: is it still the same topic, has it more partitions, and how far behind is the count."""
        if time.monotonic() - self._looked[0] < _LOOK_EVERY_S and not at_once:
            return
        try:
            info = self._source.identify()
            marks = self._source.watermarks(range(info.partitions))
        except DependencyDown as problem:  # whoever fetches knows when to give up
            log.debug("the topic cannot be looked at", reason=str(problem))
            self._done = replace(self._done, lag=None)
            self._tell()
            return
        if self._info is None or info.topic_id != self._info.topic_id:
            raise TopicRecreated("the topic was deleted and created again", where=info.name)
        new = {p: mark.low for p, mark in marks.items() if p not in self._totals.positions}
        if new:
            log.info("the topic has more partitions", partitions=info.partitions)
            self._totals.move(new)
            self._source.assign(self._source.positions | new)
        self._bounds.look(marks)
        self._done = replace(self._done, lag=self._behind(marks))
        self._tell()

    def _behind(self, marks: Mapping[int, Watermarks]) -> int:
        return sum(max(0, mark.high - self._totals.positions[p]) for p, mark in marks.items())

    def _tell(self) -> None:
        """Tell how far it is."""
        at, events = self._looked
        now = time.monotonic()
        rate = (self._done.events - events) / (now - at) if now > at else 0.0
        self._looked = (now, self._done.events)
        self._done = replace(self._done, rate=rate, seconds=now - self._began)
        if self._told is not None:
            self._told(self._done)
