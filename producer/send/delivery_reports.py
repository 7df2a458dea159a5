"""What a delivery report says: which failures are of one event, and what became of second records."""

from __future__ import annotations

from confluent_kafka import KafkaError

# Reports that say that the broker did not write the event. After any other failure it may be there or not.
NOT_WRITTEN = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.POLICY_VIOLATION,
        KafkaError._PURGE_QUEUE,  # noqa: SLF001 - librdkafka's own codes begin with an underscore
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)
# Failures of one event, after which the next may do well; every other failure ends the attempt.
OF_ONE_EVENT = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
    }
)


class Copies:
    """What became of second records of events: injected duplicates."""

    def __init__(self) -> None:
        self.handed_over = 0
        self.acknowledged = 0
        self.failed: list[int] = []
        self.unknown: list[int] = []

    @property
    def unsettled(self) -> int:
        """Copies without a report."""
        return self.handed_over - self.acknowledged - len(self.failed) - len(self.unknown)
