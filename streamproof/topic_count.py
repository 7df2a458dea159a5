"""How many records a topic took, cheap enough to ask twice a second."""

from __future__ import annotations

from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.admin import admin_client
from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from cluster.leaders import list_offsets
from cluster.topics import describe


class TopicCount:
    """Counts from the ends of the partitions; records before it was made do not count."""

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._admin = admin_client(kafka)
        self._topic = topic
        self._before = self._ends() or 0

    def now(self) -> int | None:
        """Return the count, or ``None`` while there is no such topic or no answer."""
        ends = self._ends()
        return None if ends is None else ends - self._before

    def _ends(self) -> int | None:
        try:
            partitions = describe(self._admin, self._topic).partitions
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            asked = dict.fromkeys(range(partitions), latest)
            return sum(list_offsets(self._admin, self._topic, asked, "asking for the end of a topic").values())
        except StreamproofError:
            return None
