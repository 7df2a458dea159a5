"""Telling a consumer group how far a reader is, so that lag tools see it. Nothing of ours starts from what it says."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from cluster.admin import COORDINATOR_S
from cluster.errors import StreamproofError
from cluster.topics import Admin

log = logging.getLogger(__name__)

# Group ids of Streamproof begin with this: one rule with a prefix allows them all.
GROUP_PREFIX = "streamproof-"
# Whoever looks on does so twice a second.
_TELL_EVERY_S = 0.25


def group_of(purpose: str, topic: str) -> str:
    """Return the group that a reader of a topic tells."""
    return f"{GROUP_PREFIX}{purpose}-{topic}"


def tell_group(
    admin: Admin, group: str, topic: str, positions: Mapping[int, int], *, timeout_s: float, note: str = ""
) -> None:
    """Tell a group what has been dealt with. Best effort: what goes wrong is a line of the log.

    :param note: what is kept with each position, for whoever looks on.
    """
    if not positions:  # an error of the client
        return
    asked = _ask(admin, group, _places(topic, positions, note))
    try:
        for answer in asked.values():
            told = admin.ask(answer, "telling the group how far it is", timeout_s=timeout_s)
            for partition in told.topic_partitions:
                if partition.error is not None:
                    log.info("the group's offset was not committed: %s", partition.error)
    except StreamproofError as error:
        log.info("the group's offset was not committed: %s", error)


class Telling:
    """Tells a group again and again, and waits for nothing: the newest is told when the answer before has come.

    Use :func:`tell_group` by the same administrator in the end: it is answered after all of these.
    """

    def __init__(self, admin: Admin, group: str, topic: str) -> None:
        self._admin = admin
        self._group = group
        self._topic = topic
        self._asked: dict[str, Future[Any]] = {}
        self._told_s = float("-inf")

    def tell(self, positions: Mapping[int, int], note: str = "") -> bool:
        """Tell positions, unless the last time was a moment ago, or is not answered yet; return whether it was done."""
        now_s = time.monotonic()
        if (
            not positions
            or now_s - self._told_s < _TELL_EVERY_S
            or not all(answer.done() for answer in self._asked.values())
        ):
            return False
        self._told_s = now_s
        try:
            places = _places(self._topic, positions, note)
            self._asked = _ask(self._admin, self._group, places)
        except KafkaException as error:
            log.debug("the group is not told: %s", error)
        return True


def _places(topic: str, positions: Mapping[int, int], note: str) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, offset, note) for partition, offset in positions.items()]


def _ask(admin: Admin, group: str, places: list[TopicPartition]) -> dict[str, Future[Any]]:
    # By the administrator: a consumer that waits for a group it has no right to closes only after a minute.
    asked: dict[str, Future[Any]] = admin.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group, places)], request_timeout=COORDINATOR_S
    )
    return asked
