"""Being a member of a consumer group, where the assignment changes while one reads.

Open :class:`Membership` first. Kafka says who reads which partition; from which offset on says the keeper of positions,
which is a store that keeps them with what was made of the records. What the group is told is for others to look at.

====================  =================================================================================================
what Kafka does       what follows
====================  =================================================================================================
assigns a partition   the keeper says where it goes on, and it is read from there
revokes one           what was fetched is stored, the group is told, and it is let go: all within one deadline
says that it is lost  somebody else has it already: what was fetched of it and not yet stored is forgotten
====================  =================================================================================================

No member has a name of its own that outlives it (``group.instance.id``): by the newer protocol a member that was killed
could not come back under it until its session ends.

Everything happens in the thread that calls :meth:`Membership.fetch`: a commit from another one waits for it for ever.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Protocol, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from cluster.groups.sight import Protocol as GroupProtocol
from cluster.kafka_errors import BrokerWatch
from cluster.reading.gathering import Gathering
from cluster.reading.intake import Intake, open_client
from cluster.records import Message, Records, Span

log = logging.getLogger(__name__)

# A member that cannot store what it was revoked within this lets it go unstored: the next one reads it again.
DRAIN_S = 5.0
# How long all brokers may be down before a member gives up.
PATIENCE_S = 60.0
# By the classic protocol, the member itself says how long it may be silent. The shortest that brokers take by default.
CLASSIC_SESSION_S = 6.0
_CLASSIC_HEARTBEAT_S = 1.0
_SLICE_S = 0.05
_CLIENT = {
    "queued_max_messages_kbytes": 16 * 1024,
    "fetch_wait_max_ms": 100,
    # What :meth:`Membership.stored` notes is told in the background.
    "enable_auto_commit": True,
    "auto_commit_interval_ms": 500,
}
_PROTOCOLS: dict[GroupProtocol, dict[str, Any]] = {
    "consumer": {"group_protocol": "consumer"},
    "classic": {
        "group_protocol": "classic",
        "partition_assignment_strategy": "cooperative-sticky",
        "session_timeout_ms": round(CLASSIC_SESSION_S * 1000),
        "heartbeat_interval_ms": round(_CLASSIC_HEARTBEAT_S * 1000),
    },
}
# A member that dies is missed after its session; the others hear of it with their next heartbeat.
CLASSIC_HANDOVER_S = CLASSIC_SESSION_S + _CLASSIC_HEARTBEAT_S


class Keeper(Protocol):
    """Whoever stores what a member reads."""

    def begin(self, partitions: Collection[int]) -> Mapping[int, int]:
        """Return the offset from which each of these partitions is to be read; called when they are assigned."""
        ...

    def drain(self, records: Records, spans: list[Span], *, within_s: float) -> None:
        """Store what was fetched before partitions are let go, or raise: then it will be read again."""
        ...


class Membership:
    """A member of a group that reads one topic. Use it as a context manager.

    :param client_id: what the group's members are told apart by.
    :param protocol: ``consumer`` is Kafka's newer one; ``classic`` is used with cooperative rebalancing.
    :param patience_s: how long all brokers may be down.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        group: str,
        keeper: Keeper,
        *,
        client_id: str,
        protocol: GroupProtocol = "consumer",
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._topic = topic
        self._keeper = keeper
        self._watch = BrokerWatch(settings, patience_s=patience_s)
        own = _CLIENT | _PROTOCOLS[protocol] | {"client_id": client_id}
        self._consumer = open_client(settings, group, self._watch, **own)
        self._intake = Intake(topic)
        self._starts: dict[int, int] = {}
        self._turned: set[int] = set()
        self._gathering = Gathering()
        self._chunk = self._gathering.begin(0)
        self._consumer.subscribe([topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    @property
    def owned(self) -> tuple[int, ...]:
        """Return the partitions that it has."""
        return tuple(sorted(self._intake.positions))

    @property
    def lag(self) -> dict[int, int | None]:
        """Return how many offsets are behind what was handed on, as of the broker's last answer; ``None`` before it."""
        lags: dict[int, int | None] = {}
        for partition, at in self._intake.positions.items():
            with suppress(KafkaException):
                _, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
                lags[partition] = max(0, high - at) if high >= 0 else None
        return lags

    def fetch(self, max_rows: int, stop: threading.Event, *, wait_s: float) -> tuple[Records, list[Span]]:
        """Return what comes within ``wait_s``, and the offsets that it covers; sooner when there is enough, or a stop.

        Partitions are assigned and revoked meanwhile. Nothing is handed on of one that was taken away.

        :raises TopicRecreated: a position is not in the topic any more.
        :raises BrokerUnreachable: all brokers have been down for too long.
        :raises StreamproofError: what the keeper raises about partitions that are assigned.
        """
        began = time.perf_counter()
        self._chunk = self._gathering.begin(max_rows)
        while not (self._chunk.full or stop.is_set()) and (left_s := wait_s - (time.perf_counter() - began)) > 0:
            got = self._consumer.consume(self._chunk.wanted, min(left_s, _SLICE_S))
            if got:
                self._watch.answered()
                self._chunk.add(self._intake.take(self._fresh(got)))
            self._turn_back()
            self._watch.check("reading in a group")
        return self._taken()

    def go_on_at(self, positions: Mapping[int, int]) -> None:
        """Read partitions from other positions: somebody else has stored them further."""
        for partition, at in positions.items():
            if partition in self._intake.positions:
                self._intake.positions[partition] = self._starts[partition] = at
                self._turned.add(partition)
        self._chunk.forget(positions)

    def stored(self, positions: Mapping[int, int]) -> None:
        """Tell the group what is stored. Best effort: nothing of ours starts from what it says."""
        offsets = [TopicPartition(self._topic, p, at) for p, at in positions.items() if p in self._intake.positions]
        # One that is being revoked at this moment is refused.
        with suppress(KafkaException):
            if offsets:
                self._consumer.store_offsets(offsets=offsets)

    def close(self) -> None:
        """Leave the group, so that the others have the partitions at once."""
        with suppress(KafkaException, RuntimeError):
            self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _taken(self) -> tuple[Records, list[Span]]:
        """Hand on what was gathered, and begin anew behind it."""
        records, spans = self._chunk.records(), self._intake.spans_since(self._starts)
        self._starts = dict(self._intake.positions)
        self._chunk = self._gathering.begin(0)
        return records, spans

    def _assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        partitions = [place.partition for place in places]
        positions = dict(self._keeper.begin(partitions)) if partitions else {}
        consumer.incremental_assign([TopicPartition(self._topic, p, positions[p]) for p in partitions])
        self._intake.positions |= positions
        self._starts |= positions
        self._turned.update(partitions)

    def _revoked(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        partitions = {place.partition for place in places}
        if partitions:
            records, spans = self._taken()
            try:
                self._keeper.drain(records, spans, within_s=DRAIN_S)
            except StreamproofError as error:
                log.warning("partitions %s are let go before all was stored: %s", sorted(partitions), error)
                self.go_on_at({span.partition: span.start for span in spans})
        # What was told to be stored is committed before they are let go.
        consumer.incremental_unassign(places)
        self._forget(partitions)

    def _lost(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        partitions = {place.partition for place in places}
        self._chunk.forget(partitions)
        consumer.incremental_unassign(places)
        self._forget(partitions)

    def _forget(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self._intake.positions.pop(partition, None)
            self._starts.pop(partition, None)
            self._turned.discard(partition)

    def _fresh(self, got: list[Message]) -> list[Message]:
        """Leave out what is not to be read: of partitions that were taken away, or that it has read.

        One call of the client may give records of before a change of the assignment, and has been seen to give an
        offset twice after one. Of a partition that is turned to another position, nothing counts until that comes.
        """
        at = dict(self._intake.positions)
        fresh = []
        for message in got:
            partition, offset = message.partition(), message.offset()
            turned = partition in self._turned
            if message.error() is not None:
                if not turned:
                    fresh.append(message)
                continue
            next_offset = at.get(partition)
            if next_offset is not None and (offset == next_offset or (offset > next_offset and not turned)):
                fresh.append(message)
                at[partition] = offset + 1
                self._turned.discard(partition)
        return fresh

    def _turn_back(self) -> None:
        """Seek in partitions that are still elsewhere; one that is not read yet says so, and is tried again."""
        for partition in sorted(self._turned):
            with suppress(KafkaException):
                self._consumer.seek(TopicPartition(self._topic, partition, self._intake.positions[partition]))
                self._turned.discard(partition)
