"""A topic: its records up to the ends that it had when it was opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cluster.connection import Connection
from consumer.pipeline.stored import WHERE, StoredColumn
from consumer.pipeline.stored.tabled import TabledRows, types_in_a_session
from consumer.pipeline.topic.rows import FATE, TopicRows, open_topic
from consumer.sinks.batch import Fate
from schemas.types.arrow import Column

_NOT_SHOWN = ("_schema_id", "_crc32", FATE)  # what a record is to a ledger, and not to whoever reads the topic
_MOST_ENDS = 8


@dataclass(frozen=True, slots=True)
class TopicPlace:
    """A topic of the cluster that the connection reaches."""

    connection: Connection
    topic: str

    @property
    def shown(self) -> str:
        """Return ``kafka:topic``."""
        return f"kafka:{self.topic}"

    @contextmanager
    def open(self) -> Iterator[StoredTopic]:
        """Fix the ends, and find out which columns the values have: every record is looked at once.

        :raises TopicMissing: there is no such topic.
        :raises StreamproofError: it cannot be read.
        """
        with open_topic(self.connection, self.topic) as rows:
            yield StoredTopic(self.shown, rows)


class StoredTopic(TabledRows):
    """The records of an open topic. One without a value, or whose value cannot be decoded, is a row of nulls."""

    def __init__(self, shown: str, rows: TopicRows) -> None:
        self._rows = rows
        self._met: Counter[str] = Counter()
        fields = [field for field in rows.schema if field.name not in _NOT_SHOWN]
        kinds = types_in_a_session(pa.schema(fields))
        columns = [
            StoredColumn(field.name, kind, declared=rows.declared(field.name))
            for field, kind in zip(fields, kinds, strict=True)
        ]
        super().__init__(shown, columns, _ends_in_words(rows))

    def tables(self, columns: Sequence[StoredColumn], *, located: bool) -> Iterator[pa.Table]:
        """Yield the records, partition by partition."""
        names = [column.name for column in columns]
        met: Counter[str] = Counter()
        self._rows.faults.clear()
        for partition, marks in self._rows.marks.items():
            for batch in self._rows.batches(partition, marks.low, marks.high):
                met["tombstones"] += int(np.count_nonzero(batch.column(FATE).to_numpy() == Fate.TOMBSTONE))
                table = pa.Table.from_batches([batch])
                if located or not names:
                    table = table.append_column(WHERE, _where(partition, batch.column("_offset")))
                yield table.select([*names, WHERE] if located or not names else names)
        self._met = met + self._rows.faults

    def notes(self) -> list[str]:
        """Return how many records have no value, and how many one that cannot be decoded."""
        faults = Counter(self._met)
        tombstones = faults.pop("tombstones", 0)
        notes = [f"records without a value (tombstones): {tombstones:,}"] if tombstones else []
        if faults:
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in faults.most_common())
            notes.append(f"records whose value cannot be decoded: {faults.total():,} ({kinds})")
        return notes


def _where(partition: int, offsets: Column) -> Column:
    return pa.array([f"partition {partition} offset {offset}" for offset in offsets.to_pylist()], pa.string())


def _ends_in_words(rows: TopicRows) -> str:
    """Return the ends: ``partition 0 to offset 120, partition 1 to offset 98``."""
    ends = [f"partition {partition} to offset {marks.high:,}" for partition, marks in rows.marks.items()]
    more = f" and {len(ends) - _MOST_ENDS} more" if len(ends) > _MOST_ENDS else ""
    return ", ".join(ends[:_MOST_ENDS]) + more
