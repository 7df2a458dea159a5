"""What is read of each row of a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consumer.pipeline.columns.identities import Identities
from consumer.pipeline.columns.mapping import Compared, Leaf


@dataclass(frozen=True, slots=True)
class Taking:
    """What of the rows is taken.

    :param order: a column that tells their order, where the place itself has none.
    :param checksum: a column with CRC-32 of the values as they came from Kafka.
    """

    identities: Identities
    compared: Sequence[Compared]
    order: Leaf | None = None
    order_column: str | None = None
    checksum: str | None = None

    @property
    def columns(self) -> list[str]:
        """Return the stored columns that are needed."""
        named = [*self.identities.columns, *(one.column for one in self.compared)]
        return list(dict.fromkeys([*named, *filter(None, [self.order_column, self.checksum])]))
