"""A schema of PostgreSQL as a sink: what ``consumer.sinks.Sink`` asks for, over the warehouse and its ledger."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import psycopg

from cluster.errors import Misconfigured, WarehouseLocked
from cluster.records import Span
from cluster.topics import TopicInfo
from consumer.sinks import DEFAULT_WAIT_S, Origin, Totals
from consumer.sinks.batch import Chunk, Tally
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.sinks.held import HeldRecord, QuarantineClass
from consumer.sinks.limit import Limit
from consumer.sinks.postgres import ledger, record_columns
from consumer.sinks.postgres.at_hand import at_hand
from consumer.sinks.postgres.batches import PostgresBatches, RowsInto
from consumer.sinks.postgres.columns import LOCK, EventColumns
from consumer.sinks.postgres.connecting import BoundedConnection, connect
from consumer.sinks.postgres.errors import as_store_errors
from consumer.sinks.postgres.held import pages, summary
from consumer.sinks.postgres.migrations import lock_name
from consumer.sinks.postgres.place import Address, aside_of, schema_of
from consumer.sinks.postgres.proving import to_look, to_prove
from consumer.sinks.postgres.record_columns import RecordNames
from consumer.sinks.postgres.warehouse import PostgresWarehouse, open_warehouse
from schemas.columns.at_hand import AtHand
from schemas.columns.column_type import quote
from schemas.formats import WrittenSchema
from schemas.manifest import SchemaUsed
from schemas.types.node import Node

_TOPICS = "SELECT schemaname FROM pg_catalog.pg_tables WHERE tablename = 'load_offsets' ORDER BY 1"
_EXISTS = "SELECT FROM pg_catalog.pg_tables WHERE schemaname = %s AND tablename = 'alembic_version'"
_ORIGINS = "SELECT DISTINCT cluster_id, topic_id FROM load_offsets ORDER BY 1, 2"
_BEGIN = """
    INSERT INTO load_offsets (cluster_id, topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (partition) DO NOTHING
"""
_KEEP = """
    INSERT INTO schema_versions (schema_id, subject, version, schema, format, first_seen)
    SELECT %s, %s, %s, %s, %s, now() WHERE NOT EXISTS (SELECT FROM schema_versions WHERE schema_id = %s)
"""
_LEAVE = """
    DELETE FROM quarantine USING unnest(%s::integer[], %s::bigint[]) AS moved (p, o)
    WHERE quarantine._partition = moved.p AND quarantine._offset = moved.o
"""


class PostgresSink:
    """An open warehouse. See :class:`consumer.sinks.Sink`."""

    def __init__(self, warehouse: PostgresWarehouse) -> None:
        self._warehouse = warehouse
        self._columns = EventColumns(warehouse)
        self._record_names = RecordNames(warehouse)

    @property
    def where(self) -> str:
        """Return address and schema."""
        return self._warehouse.where

    @property
    def topic(self) -> str | None:
        """Return the topic that the warehouse names."""
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
        return ledger.totals(self._warehouse)

    def begin(self, topic: TopicInfo, first: Mapping[int, int], expired: list[Span], load_id: str) -> None:
        """Note new partitions, and what retention deleted. Another loader may have noted the same meanwhile."""
        if not first and not expired:
            return
        with self._warehouse.transaction() as connection:
            for partition, offset in sorted(first.items()):
                connection.execute(_BEGIN, [topic.cluster_id, topic.name, topic.topic_id, partition, offset])
            if expired:
                number = ledger.next_batch(self._warehouse)
                ledger.order(self._warehouse, number)
                for span in expired:
                    gap = Tally(span, expired=span.end - span.start)
                    ledger.record(self._warehouse, number, load_id, gap)
                    ledger.advance(self._warehouse, span)

    def schemas(self) -> dict[int, WrittenSchema]:
        """Return the kept schemas."""
        rows = self._warehouse.rows("SELECT schema_id, schema, format FROM schema_versions")
        return {int(schema_id): WrittenSchema(str(text), str(written)) for schema_id, text, written in rows}

    def adopt(self, schema_id: int, root: Node) -> list[str]:
        """Let ``events`` grow by what a schema needs; decoded rows name the columns of fields by their numbers."""
        names = self._columns.adopt(schema_id, root)
        self._record_names.met(schema_id, root.name)
        return names

    def keep_schema(self, schema_id: int, schema: WrittenSchema, used: SchemaUsed | None) -> None:
        """Keep a text and a format, unless another loader did."""
        named = (used and used.subject, used and used.version)
        with self._warehouse.transaction() as connection:
            connection.execute(LOCK, [lock_name(self._warehouse.schema)])
            connection.execute(_KEEP, [schema_id, *named, schema.text, schema.format, schema_id])

    def key_schemas(self) -> dict[int, str]:
        """Return the kept schemas of keys."""
        return record_columns.key_schemas(self._warehouse)

    def keep_key_schema(self, schema_id: int, text: str) -> None:
        """Make room for decoded keys, and keep a schema of them, unless another loader did."""
        record_columns.keep_key_schema(self._warehouse, schema_id, text)

    def batches(self, load_id: str, *, limit: Limit, batch_rows: int, careful: bool = False) -> PostgresBatches:
        """Return what stores chunks."""
        return PostgresBatches(
            self._warehouse,
            self._columns,
            self._record_names,
            load_id,
            limit=limit,
            batch_rows=batch_rows,
            careful=careful,
        )

    def checkpoint(self) -> None:
        """Do nothing: what PostgreSQL has committed is durable."""

    def quarantined(self) -> list[QuarantineClass]:
        """Return what the quarantine holds."""
        return summary(self._warehouse)

    def held(self) -> Iterator[list[HeldRecord]]:
        """Yield the quarantine in pages."""
        return pages(self._warehouse)

    def readmit(self, load_id: str, chunk: Chunk) -> int:
        """Move the decoded records of a page, ledger included, so that a record is in exactly one place."""
        into = RowsInto(self._warehouse, self._columns, self._record_names)
        chunk = into.without_refused(chunk)
        if not chunk.groups:
            return 0
        rows = np.concatenate([group.rows for group in chunk.groups])
        partitions, offsets = chunk.records.partitions[rows].tolist(), chunk.records.offsets[rows].tolist()
        schema_ids = sorted({group.schema_id for group in chunk.groups})
        with self._warehouse.transaction() as connection:
            into.begin()
            number = ledger.next_batch(self._warehouse)
            for group in chunk.groups:
                into.events(group, number)
            left = connection.execute(_LEAVE, [partitions, offsets]).rowcount
            if left != len(rows):
                raise WarehouseLocked(
                    f"another replay moved {len(rows) - left} of these records; nothing of this page was moved",
                    where=self.where,
                    hint="Run the command again",
                )
            ledger.order(self._warehouse, number)
            positions = self.positions()
            for partition, count in Counter(partitions).items():
                nowhere = Span(partition, positions[partition], positions[partition])
                moved = Tally(nowhere, events=count, quarantined=-count, schema_ids=schema_ids)
                ledger.record(self._warehouse, number, load_id, moved)
        return len(rows)


@dataclass(frozen=True, slots=True)
class PostgresSchema:
    """The warehouse of a topic in a database. See :class:`consumer.sinks.Place`."""

    address: Address
    topic: str

    @classmethod
    def only_one(cls, address: Address) -> PostgresSchema:
        """Return the only warehouse in a database.

        :raises Misconfigured: there are several, or none.
        """
        with connect(address, lock_s=DEFAULT_WAIT_S) as connection, as_store_errors(address.shown):
            schemas = [str(schema) for (schema,) in connection.execute(_TOPICS)]
            topics = [_topic_in(connection, schema) for schema in schemas]
        found = sorted(topic for topic in topics if topic is not None)
        if len(found) == 1:
            return cls(address, found[0])
        raise Misconfigured(
            f"the database holds {'the warehouses of ' + ', '.join(found) if found else 'no warehouse'}",
            where=address.shown,
            hint="Name one with --topic" if found else "Run `streamproof load` with this address first",
        )

    @property
    def shown(self) -> str:
        """Return address and schema."""
        return f"{self.address.shown}, schema {schema_of(self.topic)}"

    @contextmanager
    def open(
        self,
        *,
        topic: str | None = None,
        wait_s: float = DEFAULT_WAIT_S,
        create: bool = True,
        stop: threading.Event | None = None,  # noqa: ARG002 - nothing is waited for that has no deadline of its own
    ) -> Iterator[PostgresSink]:
        """Open the schema; see :func:`consumer.sinks.postgres.warehouse.open_warehouse`."""
        self._hold_to(topic)
        with open_warehouse(self.address, self.topic, wait_s=wait_s, create=create) as warehouse:
            yield PostgresSink(warehouse)

    def _hold_to(self, topic: str | None) -> None:
        if topic not in (None, self.topic):
            raise Misconfigured(
                f"the place is one for the topic {self.topic}, not for {topic}", where=self.address.shown
            )

    def exists(self) -> bool:
        """Tell whether there is a warehouse."""
        with connect(self.address, lock_s=DEFAULT_WAIT_S) as connection, as_store_errors(self.shown):
            return bool(connection.execute(_EXISTS, [schema_of(self.topic)]).fetchall())

    def to_prove(
        self, *, topic: str | None = None, wait_s: float = DEFAULT_WAIT_S
    ) -> AbstractContextManager[Warehouse]:
        """Give a copy of the tables, and take back what is written down about runs."""
        self._hold_to(topic)
        return to_prove(self.address, self.topic, wait_s=wait_s)

    def to_look(self, *, topic: str | None = None, wait_s: float = DEFAULT_WAIT_S) -> AbstractContextManager[Warehouse]:
        """Give a copy of the tables."""
        self._hold_to(topic)
        return to_look(self.address, self.topic, wait_s=wait_s)

    def at_hand(self, topic: str) -> AtHand | None:
        """Read what the schema notes of its columns; see :func:`consumer.sinks.postgres.at_hand.at_hand`."""
        self._hold_to(topic)
        with connect(self.address, lock_s=DEFAULT_WAIT_S) as connection, as_store_errors(self.shown):
            return at_hand(connection, topic, self.shown)

    def set_aside(self) -> str:
        """Rename the schema. Nothing is deleted; a loader that is at work in it ends."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        with open_warehouse(self.address, self.topic, create=False) as warehouse:
            other = aside_of(warehouse.schema, stamp)
            with warehouse.transaction() as connection:
                connection.execute(LOCK, [lock_name(warehouse.schema)])
                connection.execute(f"ALTER SCHEMA {quote(warehouse.schema)} RENAME TO {quote(other)}")
        return f"{self.address.shown}, schema {other}"


def _topic_in(connection: BoundedConnection, schema: str) -> str | None:
    """Return the topic of a schema; ``None`` where it is not a warehouse in its place, such as one set aside."""
    query = f"SELECT value FROM {quote(schema)}.meta WHERE key = 'topic'"  # noqa: S608 - quoted
    try:
        rows = connection.execute(query).fetchall()
    except psycopg.Error:
        return None
    topic = str(rows[0][0]) if len(rows) == 1 else ""
    return topic if topic and schema_of(topic) == schema else None
