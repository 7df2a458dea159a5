"""Where a group keeps what it made of the records, with the position of each partition: in one transaction.

A *subscription* is what one group keeps of one topic, be it made anew under the same name. A position moves only from
where a batch began. So a member that was taken for dead, and comes back, stores nothing that another one has stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from cluster.errors import Misconfigured, TopicRecreated
from cluster.topics import TopicInfo
from consumer.journey.events import Application, Batch, Fields, Shelf
from consumer.sinks.batch import Chunk

SCHEMA = "streamproof_groups"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a group keeps of a topic."""

    application: Application
    group: str
    fields: Fields
    topic: TopicInfo

    def check(self, known: Known | None, where: str) -> None:
        """Hold it against what the store has of this group and this topic's name.

        :raises Misconfigured: the group keeps something else.
        :raises TopicRecreated: it was another topic of this name.
        """
        if known is None:
            return
        if known.application != self.application or known.fields != self.fields.document(self.application):
            raise Misconfigured(
                f"the group {self.group} is kept as {known.application}, with "
                + ", ".join(f"{name} {value}" for name, value in known.fields.items()),
                where=where,
                hint="Ask for the same, or give another --group",
            )
        if (known.cluster_id, known.topic_id) != (self.topic.cluster_id, self.topic.topic_id):
            raise self._recreated(where)

    def check_same(self, topic: TopicInfo, where: str) -> None:
        """Hold the topic that is there now against the one that it was.

        :raises TopicRecreated: it is another one.
        """
        if (topic.cluster_id, topic.topic_id) != (self.topic.cluster_id, self.topic.topic_id):
            raise self._recreated(where)

    def _recreated(self, where: str) -> TopicRecreated:
        return TopicRecreated(
            f"the group {self.group} has positions in another topic of this name: the topic was deleted and created "
            "again, or this is another cluster",
            where=f"{self.topic.name}, {where}",
            hint="Give --recreated to begin anew beside what is kept of the former one, or another --group",
        )


@dataclass(frozen=True, slots=True)
class Known:
    """What a store has noted of a subscription: the newest of a group and a topic's name."""

    number: int
    application: str
    fields: Mapping[str, str]
    cluster_id: str
    topic_id: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store holds of a subscription, by its positions.

    :ivar expired: offsets that retention deleted before they were read.
    """

    positions: Mapping[int, int]
    events: int
    aside: int
    tombstones: int
    expired: int


class GroupStore(Protocol):
    """A store, open for one subscription. One thread works with it."""

    where: str

    def begin(self, first: Mapping[int, int]) -> dict[int, int]:
        """Return the stored position of each partition; one that has none begins where ``first`` says."""
        ...

    def skip(self, partition: int, start: int, end: int) -> None:
        """Go on behind what retention deleted, unless somebody else did."""
        ...

    def put(self, batch: Batch) -> dict[int, int]:
        """Store a batch, and return the position of each of its partitions then.

        Of a partition that was not where the batch begins, nothing is stored, and its position is another than the end
        of the batch.

        :raises RowsRefused: the store takes a row not at all.
        :raises WarehouseUnreachable: nobody knows whether it is stored, but the positions do.
        """
        ...

    def without_refused(self, chunk: Chunk, shelf: Shelf) -> Chunk:
        """Return a chunk with the rows that the store refuses as rejects."""
        ...

    def kept(self) -> Kept:
        """Return what it holds."""
        ...

    def reopen(self) -> None:
        """Connect again."""
        ...


class StorePlace(Protocol):
    """Where a store is. It crosses to the processes of instances."""

    @property
    def shown(self) -> str:
        """Return what messages call it, without secrets."""
        ...

    @property
    def most_instances(self) -> int | None:
        """Return how many processes may use it at once, ``None`` for any number."""
        ...

    def prepare(self, subscription: Subscription, *, recreated: bool) -> None:
        """Make the tables if they are not there, and note the subscription.

        :param recreated: begin anew where the topic is another one of the same name.
        """
        ...

    def open(self, subscription: Subscription) -> AbstractContextManager[GroupStore]:
        """Open it for a subscription that was noted."""
        ...
