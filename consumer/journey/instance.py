"""One instance of a group: reads what Kafka gives it, and stores it with the positions. The main path of this package.

A record is stored once, whatever happens: its position moves with it, and only from where it was. Kafka is told the
position afterwards, so that its groups' tools show it; by Kafka's word alone a record would come at least once.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

import structlog

from cluster.errors import DependencyDown, StreamproofError, TopicRecreated, WarehouseLocked
from cluster.groups.membership import Membership
from cluster.reading import watermarks
from cluster.records import Records, Span
from cluster.topics import admin_client, describe
from consumer.journey.events import Shelf
from consumer.journey.request import GroupWork, InstanceState
from consumer.journey.store import GroupStore
from consumer.load.decode import decode
from consumer.load.naming import TopicNaming, finder
from consumer.load.readers import Readers, SchemaSource, source_of_schemas
from consumer.sinks import RowsRefused
from consumer.sinks.batch import Chunk
from schemas.formats import FRAMED

log = structlog.get_logger()

_TELL_EVERY_S = 0.25
_RETRY_S = 0.5
# What a deadline or another try may mend; everything else ends the instance.
_PASSING = (DependencyDown, WarehouseLocked)

T = TypeVar("T")


def run_instance(
    work: GroupWork, number: int, stop: threading.Event, tell: Callable[[InstanceState], None]
) -> InstanceState:
    """Read and store as a member of the group, until a stop.

    1. join: positions come from the store when a partition is assigned
    2. fetch: at most so many records, for at most so long
    3. decode: what cannot be decoded is kept aside
    4. store: rows and positions in one statement; a partition that is further in the store is read from there
    5. tell the group, and whoever watches; repeat until a stop, then leave

    :raises StreamproofError: docs/journeys.md lists each kind.
    """
    request, kafka = work.request, work.connection.kafka
    client_id = f"{request.group}-{number}-{os.getpid()}"
    names_schemas = request.plain is None and (request.written is None or request.written in FRAMED)
    with (
        request.store.open(work.subscription) as store,
        source_of_schemas(work.connection, needed=names_schemas) as registry,
    ):
        keeper = _Keeper(work, InstanceState(number, client_id), store, registry, stop)
        # 1. join
        with Membership(
            kafka, request.topic, request.group, keeper, client_id=client_id, protocol=request.protocol
        ) as member:
            keeper.works_for(member, tell)
            while not stop.is_set():
                # 2. fetch
                records, spans = member.fetch(request.batch_rows, stop, wait_s=request.commit_ms / 1000)
                # 3. to 5.
                keeper.store(records, spans, within_s=request.wait_s)
                keeper.say()
        return keeper.told


class _Keeper:
    """Stores for a member; see :class:`cluster.groups.membership.Keeper`.

    :ivar told: what the instance says of itself.
    """

    def __init__(
        self, work: GroupWork, told: InstanceState, store: GroupStore, registry: SchemaSource, stop: threading.Event
    ) -> None:
        request = self._request = work.request
        kafka = work.connection.kafka
        self._admin = admin_client(kafka)
        self._subscription = work.subscription
        self._store = store
        self._stop = stop
        self._shelf = Shelf(request.application, request.fields, request.topic)
        self._naming = naming = TopicNaming(
            finder(request.plain, request.written, kafka, request.topic, []), registry.id_of
        )
        self._readers = Readers(registry, {}, self._shelf.adopt, lambda: naming.plain)
        self._told_at = 0.0
        self.told = told

    def works_for(self, member: Membership, tell: Callable[[InstanceState], None]) -> None:
        """Take the member whose records it stores, and who is told."""
        self._member = member
        self._tell = tell

    def begin(self, partitions: Collection[int]) -> Mapping[int, int]:
        """Return the stored positions, once it is sure that they mean something in the topic that is there.

        :raises TopicRecreated: they do not.
        """
        topic = self._patiently(lambda: describe(self._admin, self._request.topic), self._request.wait_s)
        self._subscription.check_same(topic, self._store.where)
        there = self._patiently(lambda: watermarks(self._admin, topic.name, partitions), self._request.wait_s)
        first = {partition: marks.low for partition, marks in there.items()}
        positions = self._patiently(lambda: self._store.begin(first), self._request.wait_s)
        for partition, at in positions.items():
            low, high = there[partition]
            if at < low:
                self._skip(partition, at, low)
                positions[partition] = low
            elif at > high:
                raise TopicRecreated(
                    f"the topic holds less than was stored of it: partition {partition}, stored {at}, end {high}",
                    where=f"{topic.name}, {self._store.where}",
                    hint="Its log was cut. Give another --group to begin anew",
                )
        self.told = replace(self.told, positions=dict(self.told.positions) | positions)
        self.say(at_once=True)
        return positions

    def drain(self, records: Records, spans: list[Span], *, within_s: float) -> None:
        """Store what was fetched before partitions are let go."""
        self.store(records, spans, within_s=within_s)

    def store(self, records: Records, spans: list[Span], *, within_s: float) -> None:
        """Decode and store, waiting so long for a store or a registry that does not answer; tell the group.

        :raises DependencyDown: it does not answer; nothing of it is stored, or all.
        """
        if not spans:
            return
        chunk = self._patiently(lambda: decode(records, spans, self._readers, self._naming), within_s)
        positions, chunk = self._patiently(lambda: self._put(chunk), within_s)
        ends = {span.partition: span.end for span in spans}
        elsewhere = {partition: at for partition, at in positions.items() if at != ends[partition]}
        if elsewhere:
            log.info("another instance has stored further", partitions=elsewhere, client_id=self.told.client_id)
            self._member.go_on_at(elsewhere)
        self._member.stored(positions)
        stored = [tally for tally in chunk.tallies() if tally.span.partition not in elsewhere]
        self.told = replace(
            self.told,
            positions=dict(self.told.positions) | positions,
            events=self.told.events + sum(tally.events for tally in stored),
            aside=self.told.aside + sum(tally.quarantined for tally in stored),
            tombstones=self.told.tombstones + sum(tally.tombstones for tally in stored),
            fenced=self.told.fenced + len(elsewhere),
        )

    def say(self, *, at_once: bool = False) -> None:
        """Tell whoever watches, a few times a second."""
        now = time.monotonic()
        if not at_once and now - self._told_at < _TELL_EVERY_S:
            return
        self._told_at = now
        lags = self._member.lag
        lag = None if None in lags.values() else sum(each for each in lags.values() if each is not None)
        self.told = replace(self.told, owned=self._member.owned, lag=lag)
        self._tell(self.told)

    def _put(self, chunk: Chunk) -> tuple[dict[int, int], Chunk]:
        """Store a chunk; rows that the store refuses are kept aside."""
        try:
            batch = self._shelf.batch(chunk)
            return self._store.put(batch), batch.chunk
        except RowsRefused:
            batch = self._shelf.batch(self._store.without_refused(chunk, self._shelf))
            return self._store.put(batch), batch.chunk

    def _skip(self, partition: int, at: int, low: int) -> None:
        """Go on behind records that retention deleted before they were read, if that was asked for."""
        if not self._request.accept_gap:
            raise TopicRecreated(
                f"records were deleted before they were read: partition {partition}, stored {at}, first there {low}",
                where=f"{self._request.topic}, {self._store.where}",
                hint="Give --accept-gap to note them as expired and go on behind them",
            )
        log.warning("records were deleted before they were read", partition=partition, offsets=low - at)
        self._patiently(lambda: self._store.skip(partition, at, low), self._request.wait_s)

    def _patiently(self, act: Callable[[], T], within_s: float) -> T:
        """Do something, again and again while what it needs does not answer.

        :raises DependencyDown: it has not answered for so long, or a stop came meanwhile.
        """
        until = time.monotonic() + within_s
        reopen = False
        while True:
            try:
                if reopen:
                    self._store.reopen()
                done = act()
            except _PASSING as error:
                if time.monotonic() + _RETRY_S > until or self._stop.is_set():
                    raise
                self._wait_for(error)
                reopen = True
                continue
            if self.told.waiting is not None:
                log.info("going on", client_id=self.told.client_id)
                self.told = replace(self.told, waiting=None)
            return done

    def _wait_for(self, error: StreamproofError) -> None:
        if self.told.waiting is None:
            log.warning("waiting", client_id=self.told.client_id, reason=str(error))
            self.told = replace(self.told, waiting=error.message)
            self._tell(self.told)
        self._stop.wait(_RETRY_S)
