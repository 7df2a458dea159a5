"""Where the partitions of a topic begin and end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.connection import KafkaSettings
from cluster.leaders import list_offsets
from cluster.topics import Admin, TopicInfo, admin_client, describe


class Watermarks(NamedTuple):
    """What a partition holds: ``[low, high)``, ``high`` being the last stable offset."""

    low: int
    high: int


def look_at_topic(settings: KafkaSettings, topic: str) -> tuple[TopicInfo, dict[int, Watermarks]]:
    """Return the topic's identity, and where each partition begins and ends; no record is read.

    :raises TopicMissing: there is no such topic.
    :raises LeaderMoving: a partition has no leader that answers.
    :raises BrokerUnreachable: no broker answers.
    """
    admin = admin_client(settings)
    info = describe(admin, topic)
    return info, watermarks(admin, topic, range(info.partitions))


def offsets_at(admin: Admin, topic: str, partitions: Iterable[int], time_ms: int) -> dict[int, int]:
    """Return the offset of the first record of each partition that is not older than a time; -1 where all are.

    :param time_ms: milliseconds since 1970.
    :raises LeaderMoving: a partition has no leader that answers.
    :raises BrokerUnreachable: no broker answers.
    """
    asked = dict.fromkeys(partitions, OffsetSpec.for_timestamp(time_ms))
    return list_offsets(admin, topic, asked, "finding the offsets of a time")


def watermarks(admin: Admin, topic: str, partitions: Iterable[int], *, committed: bool = True) -> dict[int, Watermarks]:
    """Return the first offset and the last stable offset of each partition.

    :param committed: without, ``high`` is the end, behind what open transactions hold as well.

    :raises LeaderMoving: a partition has no leader that answers.
    :raises BrokerUnreachable: no broker answers.
    """
    wanted = list(partitions)
    low, high = (
        list_offsets(admin, topic, dict.fromkeys(wanted, spec), "reading the watermarks", committed=committed)
        for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]
    )
    return {partition: Watermarks(low[partition], high[partition]) for partition in wanted}
