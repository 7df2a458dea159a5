"""What was sent, told again: the events of a run, made anew or read from Kafka, whenever somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

SEQUENCE = "_sequence"


class Truth(Protocol):
    """The events of one run, as they were sent.

    Sequences are those of the manifests: the numbers of generated events, or, in a ledger of a topic, the offsets of
    the partition that the shard is.
    """

    @property
    def schema(self) -> pa.Schema:
        """Return the columns of an event, in Arrow types of the contract; the identity is one where a field has it."""
        ...

    @property
    def key(self) -> str | None:
        """Return the column whose text is the key of the records; ``None`` where they have none, or nobody knows it."""
        ...

    def events(self, shard: int, first: int, end: int) -> Iterator[pa.RecordBatch]:
        """Yield the events ``[first, end)`` of a shard in their order, a few thousand at a time.

        Columns: ``_sequence`` (int64), then those of ``schema``. A sequence that has no event, such as an offset
        without a record, is left out. One that was dropped on purpose may be among them: nobody sent it.

        :raises Misconfigured: the events cannot be told again: the scenario or a library is another one.
        :raises DataRejected: what is told is not what was sent.
        """
        ...
