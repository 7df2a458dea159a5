"""What a pipeline stored, wherever that is: one module for each kind of place, and nothing here writes to one.

Open ``duckdb_file.py`` to see one whole. ``naming.py`` reads the text that names a place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# Columns that a topic has beside those of its values; and where a row lies, in words.
PARTITION, OFFSET, KEY = "_partition", "_offset", "_key"
WHERE = "_where"
# A column with CRC-32 of the whole value of the record that a row is of, where a pipeline keeps it.
CHECKSUM = "value_crc"


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column as the proof sees it.

    :param type: the type of DuckDB that it has in :meth:`StoredRows.relations`, as ``DESCRIBE`` says it.
    :param declared: what the place calls its type, where that says more: ``numeric(12,2)``, ``jsonb``.
    :param says_null: whether NULL can be told from an empty text; not in a CSV file.
    """

    name: str
    type: str
    declared: str = ""
    says_null: bool = True


class StoredRows(Protocol):
    """The rows of a place, open, as of one moment: whatever is read is of that moment, however often."""

    @property
    def shown(self) -> str:
        """Return what messages call the place, without secrets."""
        ...

    @property
    def columns(self) -> Sequence[StoredColumn]:
        """Return the columns, in their order; of a topic, ``_partition``, ``_offset`` and ``_key`` (BLOB) as well."""
        ...

    @property
    def as_of(self) -> str:
        """Return the moment in words: a time (ISO 8601, UTC), or the ends of a topic."""
        ...

    def relations(
        self, session: duckdb.DuckDBPyConnection, columns: Sequence[str], *, located: bool = False
    ) -> Iterator[str]:
        """Yield names or sub-selects of relations in a session, which together hold every row once.

        Each is there until the next one is asked for. Memory is bounded, however many rows there are.

        :param columns: names of those that are wanted.
        :param located: whether the relation has the column ``_where`` (VARCHAR) as well: where the row is, in words
            (``part-0.parquet row 17``, ``partition 0 offset 12``), or an empty text.
        :raises StreamproofError: the place cannot be read any more, or a row cannot.
        """
        ...

    def changed(self) -> str:
        """Return what changed in the place since it was opened, as words; empty where nothing did.

        A place that gives one moment by itself (a transaction, offsets) never changes.
        """
        ...

    def contradictions(self) -> list[str]:
        """Return what the place says of itself and does not hold, a sentence each: a file that its list names is gone.

        Most places say nothing of themselves.
        """
        ...

    def set_aside(self) -> Iterator[pa.Table]:
        """Yield records that the place keeps apart, as it could not read them: ``event_id`` (text, NULL where nobody
        knows it), ``why`` and ``_where`` (texts).
        """
        ...

    def notes(self) -> list[str]:
        """Return what a reader of the verdict should know of the place, a sentence each: files that were passed over,
        records without a row. What only reading shows is of the newest reading of all rows.
        """
        ...


class StoredPlace(Protocol):
    """Where a pipeline stores."""

    @property
    def shown(self) -> str:
        """Return what messages call it, without secrets."""
        ...

    def open(self) -> AbstractContextManager[StoredRows]:
        """Open it for reading.

        :raises Misconfigured: there is no such table, file, column or topic, or the query is none; what there is, is
            named.
        :raises StreamproofError: it cannot be reached or read.
        """
        ...
