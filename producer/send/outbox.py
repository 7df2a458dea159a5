"""Records on their way into Kafka, as columns, and what became of them, as columns: the one exit of the producer.

:class:`Outbox` is the interface; ``librdkafka.py`` is behind it, one call of Python's for each record and each report.
Another one may hand Arrow's buffers to a library as they are: nobody above sees a message of the client's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from confluent_kafka import KafkaError

from producer.resume.placing import Numbers, Placed
from producer.send.meter import Due


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Records of one topic, in the order in which they go.

    :ivar sequences: of their events. A failure is told by it.
    :ivar keys: ``None`` for a record without one.
    :ivar values: ``None`` for a tombstone.
    :ivar ids: identities that travel in a header, ``None`` where none does.
    :ivar copies: they are second records of their events, and reported apart.
    :ivar named: a report may have to name their events although their values do not.
    """

    sequences: Numbers
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    ids: Sequence[bytes | None] | None = None
    copies: bool = False
    named: bool = False

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Records that Kafka has. ``copies``: they are second records of their events."""

    placed: Placed
    copies: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that Kafka did not acknowledge, and why."""

    error: KafkaError
    sequence: int
    checksum: int
    size_bytes: int
    copy: bool = False


@dataclass(slots=True)
class Reports:
    """What became of records since the last reports.

    :ivar answered: when the first of records that went together was acknowledged, seconds of the outbox's clock, and
        when they were due.
    """

    acknowledged: list[Acknowledged] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    answered: list[tuple[float, Due]] = field(default_factory=list)


class Outbox(Protocol):
    """Takes records until its queue is full, and reports on each of them once. One thread calls it."""

    def put(self, records: Outgoing, due: Due | None = None, may: Callable[[], bool] = lambda: True) -> int:
        """Take records until the queue is full, and return how many went: each of those is reported on.

        :param due: when they were due, for :attr:`Reports.answered`.
        :param may: whether it may go on; asked before the first record, and every millisecond or so.
        """
        ...

    def serve(self, timeout_s: float) -> Reports:
        """Wait for reports for up to ``timeout_s``, and return those that there are."""
        ...

    def flush(self, timeout_s: float) -> Reports:
        """Send what lingers, and wait for reports on it for up to ``timeout_s``."""
        ...

    def purge(self, *, in_flight: bool = True) -> None:
        """Give up what has no report yet: what is queued was not written, what is in flight may be.

        :param in_flight: without, what is in flight keeps its chance of a report.
        """
        ...
