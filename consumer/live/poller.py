"""The one poller of a process: started by the first who looks, ended some time after the last.

Open :class:`LivePoller` first. Each question is asked in a thread of its own (``questions.py``), and one more puts
together what they found out, twice a second, whatever they wait for. Those who look get the newest snapshot and no
other: who is slow misses some, and holds up nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Self

from cluster.connection import Connection
from consumer.live.asking import moment
from consumer.live.compose import TopicView
from consumer.live.questions import Questions
from consumer.live.snapshot import Snapshot

log = logging.getLogger(__name__)

SNAPSHOT_EVERY_S = 0.5
# Who opens a page again a moment later meets the poller that there was, with its history.
GRACE_S = 10.0
# Each topic costs a few requests a second. Where nobody names topics, so many are looked at.
MOST_TOPICS = 20
_JOIN_S = 2.0


class LivePoller:
    """Asks for all who look, while somebody does. :func:`shared_poller` gives the one of a process.

    :param publications: the folder of snapshots and reports on this machine.
    :param grace_s: how long it goes on after the last who looked is gone.
    """

    def __init__(
        self,
        connection: Connection,
        publications: Path,
        *,
        grace_s: float = GRACE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._publications = publications
        self._grace_s = grace_s
        self._clock = clock
        self._changed = threading.Condition()
        self._looking: set[Looking] = set()
        # Topics of those who are gone, and when they went.
        self._left: dict[frozenset[str], float] = {}
        self._newest: Snapshot | None = None
        self._number = 0
        self._running: _Running | None = None

    def subscribe(self, topics: Collection[str] = ()) -> Looking:
        """Begin to look, at these topics or at all that have a control topic. Use it as a context manager.

        Nothing is raised for what cannot be found out: snapshots say so.
        """
        looking = Looking(self, frozenset(topics))
        with self._changed:
            self._looking.add(looking)
            if self._running is None:
                self._newest = None
                self._running = _Running(self)
        return looking

    @property
    def running(self) -> bool:
        """Whether it asks."""
        return self._running is not None

    def latest(self) -> Snapshot | None:
        """Return the newest snapshot. Never waits."""
        return self._newest

    def wait(self, after: int, timeout_s: float) -> Snapshot | None:
        """Return a snapshot with a higher number than ``after``; ``None`` if there is none within the time."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None and self._newest.number > after, timeout_s)
            return self._newest if self._newest is not None and self._newest.number > after else None

    def leave(self, looking: Looking) -> None:
        """End one's looking."""
        with self._changed:
            self._looking.discard(looking)
            self._left[looking.topics] = self._clock()

    def named(self) -> tuple[frozenset[str], bool]:
        """Return the topics that somebody named, and whether somebody wants all; also those of who left just now.

        The stream of a page ends now and then and is opened again: what is known of its topics must outlast that.
        """
        with self._changed:
            since_s = self._clock() - self._grace_s
            self._left = {topics: left_s for topics, left_s in self._left.items() if left_s > since_s}
            asked = [*(looking.topics for looking in self._looking), *self._left]
        return frozenset().union(*asked), any(not topics for topics in asked)

    def abandoned(self) -> bool:
        """Tell whether nobody has looked for so long that it is over; then the next who looks starts anew."""
        with self._changed:
            if self._looking or any(self._clock() - left_s < self._grace_s for left_s in self._left.values()):
                return False
            self._running = None
            return True

    def put_together(self, questions: Questions, views: dict[str, TopicView]) -> None:
        """Make a snapshot of what is known, and show it."""
        now_s = time.time()
        topics = questions.looked_at()
        for name in [name for name in views if name not in topics]:
            del views[name]
        sights = tuple(views.setdefault(name, TopicView(name)).sight(questions.about(name), now_s) for name in topics)
        self._number += 1
        snapshot = Snapshot(
            number=self._number,
            as_of=moment(now_s),
            address=self._connection.kafka.shown,
            topics=sights,
            incidents=questions.incidents(),
            unshown=questions.unshown(),
            whole=questions.answered(),
            problem=questions.problem(),
        )
        with self._changed:
            self._newest = snapshot
            self._changed.notify_all()

    def questions(self) -> Questions:
        """Return the questions to ask."""
        return Questions(self._connection, self._publications, self.named, most=MOST_TOPICS)


class Looking:
    """One who looks. Leave it, or close it, and the poller may end.

    :ivar topics: those that were asked for; empty for all.
    """

    def __init__(self, poller: LivePoller, topics: frozenset[str]) -> None:
        self._poller = poller
        self.topics = topics
        self._seen = 0

    def latest(self) -> Snapshot | None:
        """Return the newest snapshot of one's topics; ``None`` before the first. Never waits."""
        return self._own(self._poller.latest())

    def wait(self, timeout_s: float) -> Snapshot | None:
        """Return a snapshot that was not waited for before; ``None`` if none comes within the time."""
        snapshot = self._own(self._poller.wait(self._seen, timeout_s))
        if snapshot is not None:
            self._seen = snapshot.number
        return snapshot

    def close(self) -> None:
        """Look no more."""
        self._poller.leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _own(self, snapshot: Snapshot | None) -> Snapshot | None:
        if snapshot is None or not self.topics:
            return snapshot
        kept = snapshot.of(self.topics)
        return kept if len(kept.topics) == len(self.topics) else None


class _Running:
    """The threads of a poller, from the first who looks until it is abandoned."""

    def __init__(self, poller: LivePoller) -> None:
        self._poller = poller
        threading.Thread(target=self._run, name="live-poller", daemon=True).start()

    def _run(self) -> None:
        questions = self._poller.questions()
        views: dict[str, TopicView] = {}
        questions.start()
        try:
            due_s = time.monotonic()
            while not self._poller.abandoned():
                try:
                    self._poller.put_together(questions, views)
                except Exception:  # those who look would wait for ever
                    log.exception("a bug: a snapshot could not be put together")
                due_s = max(due_s + SNAPSHOT_EVERY_S, time.monotonic())
                time.sleep(max(0.0, due_s - time.monotonic()))
        finally:
            questions.stop(_JOIN_S)


_shared: list[tuple[Connection, Path, LivePoller]] = []
_sharing = threading.Lock()


def shared_poller(connection: Connection, publications: Path) -> LivePoller:
    """Return the poller of this process for a cluster and a folder; nothing is asked before somebody looks."""
    with _sharing:
        for of, folder, poller in _shared:
            if (of, folder) == (connection, publications):
                return poller
        poller = LivePoller(connection, publications)
        _shared.append((connection, publications, poller))
        return poller
