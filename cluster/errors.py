"""Every error that Streamproof raises on purpose, and the exit code of each.

::

    StreamproofError
    ├── Transient                     try again: Airflow retries the task
    │   ├── DependencyDown      69    a broker or a registry cannot be reached
    │   │   ├── BrokerUnreachable
    │   │   ├── BrokerSilent          records are there, and do not arrive
    │   │   ├── DeliveryTimedOut      events that were not acknowledged in time
    │   │   ├── LeaderMoving          a partition has no leader that answers yet
    │   │   ├── RegistryUnreachable
    │   │   ├── TransactionAborted    Kafka rolled a transaction back
    │   │   └── WarehouseUnreachable  PostgreSQL does not answer, or ended the connection
    │   └── Busy                75    somebody else is at it, or the answer is not there yet
    │       ├── WarehouseLocked
    │       ├── TakenOver             another process has the transactional id now
    │       ├── Interrupted           stopped by a signal, everything kept
    │       └── VerdictUnknown        a manifest is missing
    └── Terminal                      trying again does not help: Airflow fails the task at once
        ├── DataRejected        65    the data broke a limit
        │   ├── SchemaIncompatible
        │   ├── SchemaReplaced        a registry gives a known id to another schema
        │   ├── TopicRecreated        stored positions belong to another topic
        │   ├── RateMissed            a run was slower than --require-rate allows
        │   ├── RecordsUndelivered    events that Kafka does not take
        │   └── VerdictFailed         an audit or a blocking check failed
        ├── StoreFailed         74    the disk or the warehouse file
        │   ├── StoreFull
        │   ├── StoreOutOfMemory      DuckDB needs more than it may have
        │   └── WarehouseDamaged
        ├── Refused             77    authentication, authorisation, TLS
        └── Misconfigured       78    a setting, a name, a file
            ├── TopicMissing
            ├── PlaceMissing          the table or file that a pipeline fills is not there, or not yet
            └── TopicConflict         Kafka cannot make the change that is asked for

An error says what failed, where, and what to do next. It carries no payload and no secret. Anything that is
not in this tree and reaches the command line is a bug, and exits with 70.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_OK = 0
EXIT_BUG = 70


class StreamproofError(Exception):
    """Root of the tree.

    :param message: what failed, one sentence without a full stop.
    :param where: topic, partition, offset, subject, file or address; empty when the message says it.
    :param hint: what to do next, one sentence.

    ``details`` are what a command adds to the JSON document of the error: figures of what was done all the same.
    """

    exit_code: ClassVar[int] = EXIT_BUG

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.details: dict[str, object] = {}

    def __str__(self) -> str:
        text = f"{self.message} ({self.where})" if self.where else self.message
        return f"{text}. {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        """Keep ``where`` and ``hint`` when the error crosses a process boundary."""
        return (_rebuild, (type(self), self.message, self.where, self.hint))

    def document(self) -> dict[str, object]:
        """Return the error as a JSON-ready mapping, the shape that ``--json`` prints."""
        return {
            "kind": type(self).__name__,
            "message": self.message,
            "where": self.where,
            "hint": self.hint,
            "exit_code": self.exit_code,
            **self.details,
        }


def _rebuild(kind: type[StreamproofError], message: str, where: str, hint: str) -> StreamproofError:
    return kind(message, where=where, hint=hint)


class Transient(StreamproofError):
    """May pass when tried again."""


class Terminal(StreamproofError):
    """Will not pass when tried again."""


class DependencyDown(Transient):
    """Something that this process needs does not answer."""

    exit_code = 69


class BrokerUnreachable(DependencyDown):
    """No broker answered within the deadline."""


class BrokerSilent(DependencyDown):
    """The broker has records below the bound and delivered none within the deadline."""


class DeliveryTimedOut(DependencyDown):
    """Events that no broker acknowledged in time, and that Kafka had nothing against."""


class LeaderMoving(DependencyDown):
    """A partition's leader is being elected, or has not taken its place yet."""


class RegistryUnreachable(DependencyDown):
    """The Schema Registry did not answer within the deadline, or answered with 5xx."""


class TransactionAborted(DependencyDown):
    """Kafka rolled a transaction back; nothing of it is committed."""


class WarehouseUnreachable(DependencyDown):
    """The database server that holds the warehouse did not answer within the deadline, or ended the connection."""


class Busy(Transient):
    """Temporary; the same command may pass later."""

    exit_code = 75


class WarehouseLocked(Busy):
    """Another process holds the warehouse file."""


class TakenOver(Busy):
    """Another process opened the same transactional id, so that this one cannot commit any more."""


class Interrupted(Busy):
    """A signal or a limit stopped the work; what was done is kept, and the same command continues it."""


class VerdictUnknown(Busy):
    """A manifest is missing, so that nothing can be proved yet."""


class DataRejected(Terminal):
    """The data broke a limit or a verdict failed."""

    exit_code = 65


class SchemaIncompatible(DataRejected):
    """The registry refuses a schema under the subject's compatibility level."""


class SchemaReplaced(DataRejected):
    """The registry gives an id to another schema than the one that the warehouse was loaded with."""


class TopicRecreated(DataRejected):
    """The topic is not the one that the warehouse was loaded from, or records were deleted before being read."""


class RecordsUndelivered(DataRejected):
    """Events that Kafka did not acknowledge, some of which it would refuse again."""


class RateMissed(DataRejected):
    """Everything was delivered, and more slowly than was required."""


class VerdictFailed(DataRejected):
    """An audit or a blocking check failed."""


class StoreFailed(Terminal):
    """The disk or the database failed."""

    exit_code = 74


class StoreFull(StoreFailed):
    """No space left on the device."""


class StoreOutOfMemory(StoreFailed):
    """DuckDB needs more memory, or more room for what does not fit into it, than it may have."""


class WarehouseDamaged(StoreFailed):
    """The file is not a readable database, or its ledger contradicts its rows."""


class Refused(Terminal):
    """Authentication, authorisation or TLS."""

    exit_code = 77


class Misconfigured(Terminal):
    """A setting, a name or a file is wrong."""

    exit_code = 78


class TopicMissing(Misconfigured):
    """The topic does not exist."""


class PlaceMissing(Misconfigured):
    """The table or file that somebody's pipeline fills does not exist."""


class TopicConflict(Misconfigured):
    """The topic exists and differs in a way that Kafka cannot change."""
