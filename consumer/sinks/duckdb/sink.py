"""A DuckDB file as a sink: what ``consumer.sinks.Sink`` asks for, over the warehouse and its ledger."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from cluster.records import Span
from cluster.topics import TopicInfo
from consumer.sinks import DEFAULT_WAIT_S, Origin, Totals
from consumer.sinks.batch import Chunk, Tally
from consumer.sinks.duckdb import ledger, record_columns
from consumer.sinks.duckdb.at_hand import at_hand
from consumer.sinks.duckdb.batches import DuckDBBatches, insert_events, without_refused
from consumer.sinks.duckdb.columns import EventColumns
from consumer.sinks.duckdb.held import pages
from consumer.sinks.duckdb.warehouse import Warehouse, open_as_it_is, open_warehouse
from consumer.sinks.held import HeldRecord, QuarantineClass
from consumer.sinks.limit import Limit
from schemas.columns.at_hand import AtHand
from schemas.formats import WrittenSchema
from schemas.manifest import SchemaUsed
from schemas.types.node import Node

_EXAMPLES = 3
_SUMMARY = f"""
    SELECT phase, error_class, count(*)::BIGINT AS records, any_value(error ORDER BY _partition, _offset) AS error,
           list_sort(list_distinct(list(schema_id))) AS schema_ids,
           list({{'partition': _partition, 'offset': _offset}} ORDER BY _partition, _offset)[:{_EXAMPLES}] AS examples
    FROM quarantine GROUP BY phase, error_class ORDER BY records DESC, phase, error_class
"""  # noqa: S608 - a constant
_ORIGINS = "SELECT DISTINCT cluster_id, topic_id FROM load_offsets ORDER BY ALL"
_LEAVE = "DELETE FROM quarantine USING moved WHERE quarantine._partition = moved.p AND quarantine._offset = moved.o"


class DuckDBSink:
    """An open warehouse. See :class:`consumer.sinks.Sink`."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._columns: EventColumns | None = None

    @property
    def where(self) -> str:
        """Return the path of the file."""
        return str(self._warehouse.path)

    @property
    def topic(self) -> str | None:
        """Return the topic that the file names."""
        return self._warehouse.meta().get("topic")

    def verify(self) -> None:
        """Check that positions, ledger and rows agree."""
        ledger.verify(self._warehouse)

    def origins(self) -> list[Origin]:
        """Return the topics of the positions."""
        return [Origin(*row) for row in self._warehouse.rows(_ORIGINS)]

    def positions(self) -> dict[int, int]:
        """Return the stored positions."""
        return dict(self._warehouse.rows("SELECT partition, next_offset FROM load_offsets ORDER BY partition"))

    def totals(self) -> Totals:
        """Return the sums of the ledger."""
        return ledger.totals(self._warehouse.connection)

    def begin(self, topic: TopicInfo, first: Mapping[int, int], expired: list[Span], load_id: str) -> None:
        """Note new partitions, and what retention deleted."""
        with self._warehouse.transaction() as connection:
            for span in expired:
                gap = Tally(span, expired=span.end - span.start)
                ledger.record(connection, ledger.next_batch(connection), load_id, gap)
                ledger.advance(connection, span)
            for partition, offset in sorted(first.items()):
                connection.execute(
                    "INSERT INTO load_offsets VALUES (?, ?, ?, ?, ?)",
                    [topic.cluster_id, topic.name, topic.topic_id, partition, offset],
                )

    def schemas(self) -> dict[int, WrittenSchema]:
        """Return the kept schemas."""
        rows = self._warehouse.rows("SELECT schema_id, schema, format FROM schema_versions")
        return {int(schema_id): WrittenSchema(str(text), str(written)) for schema_id, text, written in rows}

    def adopt(self, schema_id: int, root: Node) -> list[str]:
        """Let ``events`` grow by what a schema needs; decoded rows name the columns of fields by their numbers."""
        with self._warehouse.errors():
            return self._event_columns().adopt(schema_id, root)

    def keep_schema(self, schema_id: int, schema: WrittenSchema, used: SchemaUsed | None) -> None:
        """Keep a text and a format."""
        with self._warehouse.transaction() as connection:
            connection.execute(
                "INSERT INTO schema_versions VALUES (?, ?, ?, ?, now(), ?)",
                [schema_id, used and used.subject, used and used.version, schema.text, schema.format],
            )

    def key_schemas(self) -> dict[int, str]:
        """Return the kept schemas of keys."""
        return record_columns.key_schemas(self._warehouse)

    def keep_key_schema(self, schema_id: int, text: str) -> None:
        """Make room for decoded keys, and keep a schema of them."""
        record_columns.keep_key_schema(self._warehouse, schema_id, text)

    def batches(self, load_id: str, *, limit: Limit, batch_rows: int, careful: bool = False) -> DuckDBBatches:
        """Return what stores chunks."""
        columns = self._event_columns()
        return DuckDBBatches(self._warehouse, columns, load_id, limit=limit, batch_rows=batch_rows, careful=careful)

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file."""
        self._warehouse.checkpoint()

    def quarantined(self) -> list[QuarantineClass]:
        """Return what the quarantine holds."""
        return [QuarantineClass(*row) for row in self._warehouse.rows(_SUMMARY)]

    def held(self) -> Iterator[list[HeldRecord]]:
        """Yield the quarantine in pages."""
        return pages(self._warehouse)

    def readmit(self, load_id: str, chunk: Chunk) -> int:
        """Move the decoded records of a page, ledger included, so that a record is in exactly one place."""
        chunk = without_refused(self._warehouse, self._event_columns(), chunk)
        if not chunk.groups:
            return 0
        positions = self.positions()
        rows = np.concatenate([group.rows for group in chunk.groups])
        partitions, offsets = chunk.records.partitions[rows], chunk.records.offsets[rows]
        schema_ids = sorted({group.schema_id for group in chunk.groups})
        with self._warehouse.transaction() as connection:
            number = ledger.next_batch(connection)
            for group in chunk.groups:
                insert_events(connection, self._event_columns(), group, number)
            connection.register("moved", pa.table({"p": partitions, "o": offsets}))
            ((left,),) = connection.execute(_LEAVE).fetchall()
            connection.unregister("moved")
            if left != len(rows):
                raise RuntimeError(f"{len(rows)} records were decoded, {left} left the quarantine")
            for partition, count in Counter(partitions.tolist()).items():
                nowhere = Span(partition, positions[partition], positions[partition])
                moved = Tally(nowhere, events=count, quarantined=-count, schema_ids=schema_ids)
                ledger.record(connection, number, load_id, moved)
        return len(rows)

    def _event_columns(self) -> EventColumns:
        if self._columns is None:
            self._columns = EventColumns(self._warehouse)
        return self._columns


@dataclass(frozen=True, slots=True)
class DuckDBFile:
    """The path of a warehouse. See :class:`consumer.sinks.Place`."""

    path: Path

    @contextmanager
    def open(
        self,
        *,
        topic: str | None = None,
        wait_s: float = DEFAULT_WAIT_S,
        create: bool = True,
        stop: threading.Event | None = None,
    ) -> Iterator[DuckDBSink]:
        """Open the file; see :func:`consumer.sinks.duckdb.warehouse.open_warehouse`."""
        with open_warehouse(self.path, topic=topic, wait_s=wait_s, create=create, stop=stop) as warehouse:
            yield DuckDBSink(warehouse)

    @property
    def shown(self) -> str:
        """Return the path."""
        return str(self.path)

    def exists(self) -> bool:
        """Tell whether there is a file."""
        return self.path.expanduser().exists()

    def to_prove(self, *, topic: str | None = None, wait_s: float = DEFAULT_WAIT_S) -> Warehouse:
        """Open the file itself."""
        return open_warehouse(self.path, topic=topic, wait_s=wait_s, create=False)

    def to_look(self, *, topic: str | None = None, wait_s: float = DEFAULT_WAIT_S) -> Warehouse:  # noqa: ARG002
        """Open the file itself, whatever it holds."""
        return open_as_it_is(self.path, wait_s=wait_s)

    def at_hand(self, topic: str) -> AtHand | None:
        """Read the file without waiting for whoever loads into it; see :mod:`consumer.sinks.duckdb.at_hand`."""
        if not self.exists():
            return None
        with open_as_it_is(self.path, wait_s=0) as warehouse:
            return at_hand(warehouse, topic)

    def set_aside(self) -> str:
        """Rename the file. It must be closed: then there is no write-ahead log left beside it. Nothing is deleted."""
        path = self.path.expanduser().resolve()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        other = path.with_name(f"{path.stem}.set-aside-{stamp}{path.suffix}")
        if other.exists():
            raise FileExistsError(other)
        return str(path.rename(other))
