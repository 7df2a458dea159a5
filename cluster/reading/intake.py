"""What comes out of a client, as records, and how far it brings each partition."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException

from cluster.connection import KafkaSettings
from cluster.errors import DependencyDown, Misconfigured, Refused, TopicMissing, TopicRecreated
from cluster.kafka_errors import NO_GROUP, BrokerWatch, translate
from cluster.records import Message, Records, Span

log = logging.getLogger(__name__)

# What every reader says to its client.
CLIENT = {
    "enable_auto_commit": False,
    "enable_auto_offset_store": False,
    "auto_offset_reset": "error",  # a position that is gone is a finding, never a reason to start elsewhere
    "isolation_level": "read_committed",
    "enable_partition_eof": True,  # tells the position behind trailing offsets that hold no record
    "check_crcs": True,
    # How long a partition whose queue was full is left alone. librdkafka's own second stops a reader dead: it has
    # emptied the queue long before.
    "fetch_queue_backoff_ms": 10,
    "reconnect_backoff_max_ms": 1000,
}
_DAMAGED = {KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION}  # noqa: SLF001 - so librdkafka spells its own codes
_GONE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001
# Errors that librdkafka does not get over by itself; it retries all others, and silence ends the run if they stay.
_FINAL = (TopicMissing, Refused, Misconfigured)


def open_client(settings: KafkaSettings, group: str, watch: BrokerWatch, **more: object) -> Consumer:
    """Return a client that reads: :data:`CLIENT`, and what a kind of reader needs beside or in place of it.

    :raises StreamproofError: Kafka's client does not take the settings.
    """
    known = settings.as_librdkafka(group_id=group, **CLIENT | more)
    try:
        return Consumer(known | watch.settings())
    except KafkaException as error:
        raise translate(error, "opening the connection", where=settings.bootstrap_servers) from None


class Intake:
    """The positions of the partitions that are read, moved by what comes.

    A partition is where its *position* is, not behind its last record: compaction, transaction markers and aborted
    records leave offsets without a record.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.positions: dict[int, int] = {}

    def take(self, got: Sequence[Message]) -> Records:
        """Move the positions over what came, and return the records in it.

        :raises TopicRecreated: a position is not in the topic any more.
        :raises StreamproofError: the client cannot go on.
        """
        messages = [message for message in got if message.error() is None]
        records = Records.of(messages)
        for partition in np.unique(records.partitions).tolist():
            these = records.offsets[records.partitions == partition]
            first, at = int(these[0]), self.positions[partition]
            if first < at:
                raise RuntimeError(f"{self.topic}/{partition}: offset {first} came after the position was {at}")
            self.positions[partition] = int(these[-1]) + 1
        if len(messages) < len(got):
            for message in got:
                if message.error() is not None:
                    self._heed(message.error(), message.partition(), message.offset())
        return records

    def spans_since(self, starts: Mapping[int, int]) -> list[Span]:
        """Return the offsets that lie between earlier positions and those of now; empty ones are left out."""
        return [Span(p, start, self.positions[p]) for p, start in starts.items() if self.positions[p] > start]

    def _heed(self, error: KafkaError, partition: int, offset: int) -> None:
        """Take the end of a partition as news of its position, and anything else that is final as an error."""
        code = error.code()
        where = f"{self.topic}/{partition}, offset {self.positions.get(partition, offset)}"
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001
            if partition in self.positions:
                self.positions[partition] = max(self.positions[partition], offset)
        elif code in _GONE:
            raise TopicRecreated(
                "records were deleted before they were read: the topic does not hold the position any more",
                where=where,
                hint="Run the command again: it says what is stored and what is there",
            )
        elif code in _DAMAGED:
            raise DependencyDown(f"the broker delivered a damaged batch of records: {error.str()}", where=where)
        elif code == NO_GROUP:
            log.debug("no right to the group: lag tools will not see this load")
        elif isinstance(meaning := translate(error, "reading", where=where), _FINAL) or error.fatal():
            raise meaning
        else:
            log.debug("kafka: %s", error)
