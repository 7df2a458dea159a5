"""What consumer groups have committed, read by clients that name a group and join nothing.

The administrator's own call for it (``list_consumer_group_offsets``) ends the process when the coordinator of the group
has moved, or hung for a while: librdkafka 2.16 hands such an answer to a group that an administrator does not have
(``rd_kafka_cgrp_op``, a segmentation fault). A consumer has one, and asks again.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import Consumer, KafkaException, TopicPartition

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from cluster.kafka_errors import NO_GROUP, BrokerWatch, translate

# A client for each group is kept, as its first answer takes longer: it has to find the coordinator.
MOST_CLIENTS = 32
_AT_ONCE = 8
_REASONS = 100
_MOST_CLUSTERS = 4
_LEAST_S = 0.05


class CommittedOffsets:
    """Asks groups what they have committed. Threads may share it: :func:`committed_offsets` gives that of a process."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka = kafka
        self._clients: OrderedDict[str, Consumer] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, group: str, topic: str, partitions: Collection[int], *, timeout_s: float) -> list[TopicPartition]:
        """Return what a group has committed: ``offset`` below 0 where nothing, and ``metadata`` as it was told.

        :raises BrokerUnreachable: nobody answered in time.
        :raises Refused: the rights do not allow it (``Describe`` on the group).
        """
        doing = f"reading the offsets of group {group}"
        places = [TopicPartition(topic, partition) for partition in partitions]
        client = self._client(group)
        try:
            told = client.committed(places, timeout=max(_LEAST_S, timeout_s))
        except KafkaException as error:
            # Who may not know the group is not told its coordinator, and waits; why comes as a message.
            reasons = (message.error() for message in client.consume(_REASONS, 0))
            denied = next((reason for reason in reasons if reason is not None and reason.code() == NO_GROUP), None)
            raise translate(denied or error, doing, where=self.kafka.bootstrap_servers) from None
        for place in told:
            if place.error is not None:
                raise translate(place.error, doing, where=self.kafka.bootstrap_servers)
        return told

    def of_all(
        self, groups: Collection[str], topic: str, partitions: Collection[int], *, timeout_s: float
    ) -> Mapping[str, dict[int, int] | None]:
        """Return the offsets of several groups by partition, all within one deadline; ``None`` where nobody told.

        A partition of which nothing is committed is left out.
        """
        ends_at = time.monotonic() + timeout_s

        def ask(group: str) -> dict[int, int] | None:
            left_s = ends_at - time.monotonic()
            try:
                told = self.of(group, topic, partitions, timeout_s=left_s) if left_s > 0 else None
            except StreamproofError:
                return None
            return None if told is None else {place.partition: place.offset for place in told if place.offset >= 0}

        if not groups:
            return {}
        with ThreadPoolExecutor(min(_AT_ONCE, len(groups)), thread_name_prefix="committed") as pool:
            return dict(zip(groups, pool.map(ask, groups), strict=True))

    def _client(self, group: str) -> Consumer:
        with self._lock:
            client = self._clients.get(group)
            if client is None:
                settings = self.kafka.as_librdkafka(group_id=group, enable_auto_commit=False)
                client = self._clients[group] = Consumer(settings | BrokerWatch(self.kafka).settings())
            self._clients.move_to_end(group)
            while len(self._clients) > MOST_CLIENTS:
                # Let go, and not closed: it joined nothing, and closing one without rights to its group takes a minute.
                self._clients.popitem(last=False)
            return client


_shared: list[CommittedOffsets] = []
_sharing = threading.Lock()


def committed_offsets(kafka: KafkaSettings) -> CommittedOffsets:
    """Return the one of this process for a cluster: a client for each group is enough for all who ask."""
    with _sharing:
        found = next((each for each in _shared if each.kafka == kafka), None)
        if found is None:
            found = CommittedOffsets(kafka)
            _shared.append(found)
            del _shared[:-_MOST_CLUSTERS]
        return found
