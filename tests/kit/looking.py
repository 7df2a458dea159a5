"""Looking on as `streamproof live` does, with a poller that ends at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.connection import Connection
from consumer.live.poller import LivePoller, Looking
from consumer.live.snapshot import TopicSight
from tests.kit.waiting import wait_until


@contextmanager
def looking_at(connection: Connection, topic: str, publications: Path) -> Iterator[Looking]:
    """Look at one topic with a poller of one's own, and wait for its end afterwards."""
    poller = LivePoller(connection, publications, grace_s=0.0)
    with poller.subscribe([topic]) as looking:
        yield looking
    wait_until(lambda: not poller.running, "the end of the poller")


def sight(looking: Looking, shows: Callable[[TopicSight], bool], what: str, *, timeout_s: float = 60.0) -> TopicSight:
    """Return the topic as soon as it shows something."""

    def found() -> TopicSight | None:
        snapshot = looking.wait(1.0)
        return snapshot.topics[0] if snapshot is not None and shows(snapshot.topics[0]) else None

    return wait_until(found, what, timeout_s=timeout_s)


def counts(topic: TopicSight) -> dict[str, int | None]:
    """Return the count of each stage."""
    return {stage.name: stage.count for stage in topic.stages}
