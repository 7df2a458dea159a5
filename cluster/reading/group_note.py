"""Telling a consumer group how far a reader is, so that lag tools see it. Nothing of ours starts from what it says."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from cluster.errors import StreamproofError
from cluster.topics import Admin

log = logging.getLogger(__name__)

# Group ids of Streamproof begin with this: one rule with a prefix allows them all.
GROUP_PREFIX = "streamproof-"


def group_of(purpose: str, topic: str) -> str:
    """Return the group that a reader of a topic tells."""
    return f"{GROUP_PREFIX}{purpose}-{topic}"


def tell_group(admin: Admin, group: str, topic: str, positions: Mapping[int, int], *, timeout_s: float) -> None:
    """Tell a group what has been dealt with. Best effort: what goes wrong is a line of the log."""
    offsets = [TopicPartition(topic, partition, offset) for partition, offset in positions.items()]
    # By the administrator: a consumer that waits for a group it has no right to closes only after a minute.
    asked = admin.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group, offsets)], request_timeout=timeout_s
    )
    try:
        for answer in asked.values():
            told = admin.ask(answer, "telling the group how far it is", timeout_s=timeout_s)
            for partition in told.topic_partitions:
                if partition.error is not None:
                    log.info("the group's offset was not committed: %s", partition.error)
    except StreamproofError as error:
        log.info("the group's offset was not committed: %s", error)
