"""What a delivery report says: of an event, of a copy, of events whose identities travel in headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, Message
from numpy.typing import NDArray

from producer.resume.placing import Placing
from producer.send.refusals import Reasons

Report = Callable[[KafkaError | None, Message], None]

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

    def __init__(self, reasons: Reasons, placing: Placing) -> None:
        self._reasons = reasons
        self._placing = placing
        self.handed_over = 0
        self.acknowledged = 0
        self.failed: list[int] = []
        self.unknown: list[int] = []

    @property
    def unsettled(self) -> int:
        """Copies without a report."""
        return self.handed_over - self.acknowledged - len(self.failed) - len(self.unknown)

    def report(
        self, sequence: int, _checksum: int, size_bytes: int, error: KafkaError | None, message: Message | None
    ) -> None:
        """Count one report."""
        if error is None:
            self.acknowledged += 1
            self._placing.note(message)  # type: ignore[arg-type]  # only a refusal, which is an error, comes without it
        else:
            self._reasons.note(error, size_bytes)
            (self.failed if error.code() in NOT_WRITTEN else self.unknown).append(sequence)


class Together:
    """Events that were handed over together, with identities in headers that reports do not give back.

    A failed event is found by its key and value. Of events that agree in both, any may be named: their records are
    the same but for the header, and the broker is asked for that when the shard continues.
    """

    def __init__(self, sequences: NDArray[np.int64], keys: list[bytes | None], values: list[bytes]) -> None:
        self._events = (sequences, keys, values)
        self._by_content: dict[tuple[bytes | None, bytes], list[int]] | None = None

    def sequence(self, key: Any, value: bytes) -> int:
        """Return the sequence of one of them, and not of the same one again."""
        if self._by_content is None:
            self._by_content = {}
            sequences, keys, values = self._events
            for sequence, sent_key, sent in zip(sequences.tolist(), keys, values, strict=True):
                self._by_content.setdefault((sent_key, sent), []).append(sequence)
        return self._by_content[key, value].pop()
