"""Loading a topic on and on, exactly once: the same transactions as a load's, small and often."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Protocol

from cluster.connection import Connection
from cluster.errors import Interrupted, TopicRecreated, Transient
from cluster.reading import TopicFollower, TopicReader
from cluster.reading.following import PATIENCE_S
from cluster.topics import TopicInfo
from consumer.load.beginning import chosen_partitions, step_aside_if_other
from consumer.load.follow_progress import FollowMeter, FollowProgress, FollowResult
from consumer.load.naming import TopicNaming, finder
from consumer.load.onlookers import Onlookers
from consumer.load.positions import resume
from consumer.load.readers import SchemaShelf, source_of_schemas
from consumer.load.transfer import Transfer
from consumer.sinks import BATCH_ROWS, DEFAULT_WAIT_S, Place, RowsRefused, place_of
from consumer.sinks.limit import NO_LIMIT, Limit
from schemas.formats import FRAMED, WrittenSchema

COMMIT_S = 0.5
_ASK_AGAIN_S = 0.5


class Aside(Protocol):
    """What needs the warehouse now and then, while nobody loads into it."""

    def is_due(self) -> bool:
        """Tell whether it is time. Asked before every commit, with the warehouse open."""
        ...

    def work(self) -> list[str]:
        """Do it, the warehouse being closed, and return the runs that readers see now."""
        ...


def follow(
    connection: Connection,
    topic: str,
    warehouse: Path | Place,
    *,
    stop: threading.Event,
    for_s: float | None = None,
    commit_s: float = COMMIT_S,
    progress: Callable[[FollowProgress], None] | None = None,
    aside: Aside | None = None,
    wait_s: float = DEFAULT_WAIT_S,
    limit: Limit = NO_LIMIT,
    batch_rows: int = BATCH_ROWS,
    step_aside: bool = False,
    accept_gap: bool = False,
    partitions: Collection[int] | None = None,
    written: str | None = None,
    plain: WrittenSchema | None = None,
) -> FollowResult:
    """Load ``topic`` into ``warehouse`` as records come, exactly once, until a stop or for some time.

    1. resume: positions come from the warehouse; partitions that were added begin at their first record
    2. catch up: what is there now is loaded as a load does, in large batches
    3. follow: fetch and decode what comes, and commit it every ``commit_s``, in transactions like a load's. Before each
       commit the topic is asked who it is: of one that took its place no record is stored
    4. aside: when ``aside`` is due, close the warehouse, let it work, and go on at 1
    5. in the end commit what was read, checkpoint, and tell the group (best effort)

    Where the sink refuses a row, it goes back to 2, where rows are tried one by one. A stop is an ordinary end.

    :param for_s: how long, in seconds; until the stop unless given.
    :param aside: what publishes now and then.
    :param partitions: follow these alone; added ones are not taken then.
    :raises TopicMissing: the topic was deleted.
    :raises TopicRecreated: another topic took its place.
    :raises BrokerUnreachable: all brokers have been down for a minute; what was read is stored.
    :raises StreamproofError: as :func:`consumer.load.load.load`, whose other parameters these are.
    """
    place, load_id = place_of(warehouse), uuid.uuid4().hex
    meter, ends_at = FollowMeter(progress), None if for_s is None else time.monotonic() + for_s
    not_compared: dict[int, str] = {}
    onlookers: Onlookers | None = None

    def over() -> bool:
        return stop.is_set() or (ends_at is not None and time.monotonic() >= ends_at)

    with (
        TopicReader(connection.kafka, topic, purpose="load") as reader,
        TopicFollower(connection.kafka, topic, purpose="load") as follower,
        source_of_schemas(connection, needed=plain is None and (written is None or written in FRAMED)) as registry,
    ):
        opened = partial(place.open, wait_s=wait_s, topic=topic, stop=stop)
        if step_aside:
            step_aside_if_other(place, reader, reader.identify(), opened)
        while True:
            with opened() as sink:
                sink.verify()
                shelf = SchemaShelf(sink, topic, registry)
                naming = TopicNaming(
                    finder(plain, written, connection.kafka, topic, list(shelf.kept.values())), registry.id_of
                )
                onlookers = onlookers or Onlookers(follower.tell, sink.totals(), meter.add)
                transfer = Transfer(sink, shelf, naming, load_id, stop, onlookers.add, limit, batch_rows, not_compared)
                while True:
                    # 1. resume
                    there = reader.identify()
                    marks = reader.watermarks(range(there.partitions))
                    chosen = chosen_partitions(there, partitions)
                    resume(sink, there, marks, chosen, load_id=load_id, accept_gap=accept_gap)
                    # 2. catch up
                    transfer.to_ends(reader, {p: mark.high for p, mark in marks.items() if p in chosen})
                    # 3. follow
                    watch = _Watch(follower, there, over, aside, meter, onlookers=onlookers, grows=partitions is None)
                    try:
                        transfer.on_and_on(follower, chosen, commit_s, watch.may_go_on, meter)
                    except RowsRefused:
                        meter.dropped()
                        continue
                    if over() or watch.aside_is_due:
                        break
                sink.checkpoint()
                held, positions = sink.totals(), sink.positions()
            follower.commit(positions, note=onlookers.note)
            if over():
                break
            # 4. aside
            for run_id in aside.work() if aside is not None else []:
                meter.published(run_id)
    limit.hold(held.events, held.quarantined, where=place.shown)
    return FollowResult(topic, place.shown, meter.progress, positions, load_id, not_compared)


class _Watch:
    """What is looked at before a commit: whether it is still the same topic, and whether to go on after it.

    :ivar aside_is_due: it ended because others want the warehouse.
    """

    def __init__(
        self,
        follower: TopicFollower,
        topic: TopicInfo,
        over: Callable[[], bool],
        aside: Aside | None,
        meter: FollowMeter,
        *,
        onlookers: Onlookers,
        grows: bool,
    ) -> None:
        self._follower = follower
        self._topic = topic
        self._over = over
        self._aside = aside
        self._meter = meter
        self._onlookers = onlookers
        self._grows = grows
        self.aside_is_due = False

    def may_go_on(self, stop: threading.Event) -> bool:
        """Return whether to read on after the commit that is due.

        :raises TopicRecreated: it is another topic: what was read since the last commit may be of that one.
        :raises Interrupted: it was stopped while no broker answered.
        """
        self._onlookers.again()
        now = self._identity(stop)
        if (now.cluster_id, now.topic_id) != (self._topic.cluster_id, self._topic.topic_id):
            raise TopicRecreated(
                f"the topic was deleted and created again while it was followed: its id was {self._topic.topic_id}, "
                f"and is {now.topic_id}",
                where=now.name,
                hint="What was stored is of the first. Give --set-aside to keep it under another name and begin anew",
            )
        # Whoever is behind has no time for others, and what is not loaded yet cannot be proved.
        self.aside_is_due = self._aside is not None and self._meter.has_caught_up and self._aside.is_due()
        grown = self._grows and now.partitions > self._topic.partitions
        return not (self._over() or self.aside_is_due or grown)

    def _identity(self, stop: threading.Event) -> TopicInfo:
        """Ask the topic who it is, again and again while no broker answers."""
        began = time.monotonic()
        while True:
            try:
                return self._follower.identify()
            except Transient as error:
                if stop.is_set():
                    raise Interrupted(
                        "stopped while no broker answered: what was read since the last commit is read again",
                        where=self._topic.name,
                        hint="The same command continues",
                    ) from error
                if time.monotonic() - began > PATIENCE_S:
                    raise
                stop.wait(_ASK_AGAIN_S)
