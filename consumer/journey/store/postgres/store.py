"""A group's tables in PostgreSQL: rows come by COPY into a table of the session, and from there with the positions.

1. copy: the rows of a batch, into temporary tables. Nothing is locked meanwhile, however long a member is frozen.
2. move: one statement moves each position from where the batch began, and inserts the rows of those that it moved.
3. commit. A member that is frozen between the two holds the positions until the server ends its session.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import duckdb
import psycopg
import pyarrow as pa

from cluster.errors import Misconfigured, StoreFailed, WarehouseDamaged
from consumer.journey.events import JOURNEY_COLUMNS, TOTAL_COLUMNS, Application, Batch, Shelf
from consumer.journey.store import SCHEMA, Kept, Known, Subscription
from consumer.journey.store.postgres.migrations import FOLDER, NEWEST
from consumer.sinks import RowsRefused
from consumer.sinks.batch import Chunk, EventGroup
from consumer.sinks.postgres.connecting import BoundedConnection, connect
from consumer.sinks.postgres.errors import as_store_errors, reason_of
from consumer.sinks.postgres.place import Address
from consumer.sinks.postgres.steps import take_steps
from consumer.sinks.postgres.values.copying import converter, copy_in, types_of
from consumer.sinks.postgres.values.into_text import CopiedColumn
from consumer.sinks.refused import set_apart
from consumer.sinks.rows import quarantine_rows
from schemas.columns.column_type import ColumnType, quote
from schemas.columns.held import Place

# Who moves a position has it for the length of one statement; the session of one that was frozen there ends.
LOCK_S = 10.0
_SESSION = {"idle_in_transaction_session_timeout": "3000", "statement_timeout": "20000"}
_VARCHAR = ColumnType("VARCHAR")
_ASIDE = (
    "_partition", "_offset", "_timestamp", "key", "value", "headers", "schema_id", "phase", "error_class", "error",
    "crc32",
)  # fmt: skip
_FORMAT = "SELECT version_num FROM alembic_version"
_HAS_TABLES = "SELECT to_regclass(%s) IS NOT NULL"
_KNOWN = """
    SELECT subscription, application, fields, cluster_id, topic_id FROM subscriptions
    WHERE group_name = %s AND topic = %s ORDER BY subscription DESC LIMIT 1
"""
_NOTE = """
    INSERT INTO subscriptions (application, group_name, fields, topic, cluster_id, topic_id)
    VALUES (%s, %s, %s::jsonb, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_NUMBER = "SELECT subscription FROM subscriptions WHERE group_name = %s AND cluster_id = %s AND topic_id = %s"
_BEGIN = """
    INSERT INTO positions (subscription, partition, first_offset, next_offset)
    SELECT %s, partition, first, first FROM unnest(%s::integer[], %s::bigint[]) AS given (partition, first)
    ON CONFLICT DO NOTHING
"""
_POSITIONS = "SELECT partition, next_offset FROM positions WHERE subscription = %s"
_SKIP = """
    UPDATE positions SET next_offset = %s, expired = expired + %s - next_offset
    WHERE subscription = %s AND partition = %s AND next_offset = %s
"""
_KEPT = "SELECT partition, next_offset, events, aside, tombstones, expired FROM positions WHERE subscription = %s"
_TEMPORARY = """
    CREATE TEMPORARY TABLE incoming_events (
        kafka_partition integer, kafka_offset bigint, produced_at timestamptz,
        user_id text, event_type text, event_id text, body jsonb
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE incoming_totals (kafka_partition integer, user_id text, events bigint)
        ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE incoming_aside (LIKE kept_aside) ON COMMIT DELETE ROWS;
    ALTER TABLE incoming_aside DROP COLUMN subscription;
"""
_MOVE = """
    WITH given AS (
        SELECT * FROM unnest(
            %(partitions)s::integer[], %(starts)s::bigint[], %(ends)s::bigint[],
            %(events)s::bigint[], %(aside)s::bigint[], %(tombstones)s::bigint[]
        ) AS given (partition, start_offset, end_offset, events, aside, tombstones)
    ), moved AS (
        UPDATE positions SET
            next_offset = given.end_offset,
            events = positions.events + given.events,
            aside = positions.aside + given.aside,
            tombstones = positions.tombstones + given.tombstones,
            stored_at = now()
        FROM given
        WHERE positions.subscription = %(subscription)s
          AND positions.partition = given.partition
          AND positions.next_offset = given.start_offset
        RETURNING positions.partition
    ), kept AS (
        INSERT INTO kept_aside
        SELECT %(subscription)s, incoming_aside.* FROM incoming_aside JOIN moved ON moved.partition = _partition
    ), stored AS (
        {rows}
    )
    SELECT partition FROM moved
"""
_ROWS = {
    Application.JOURNEY: """
        INSERT INTO journey_events
        SELECT %(subscription)s, incoming_events.*
        FROM incoming_events JOIN moved ON moved.partition = kafka_partition
    """,
    # In the order of users, so that two members that count the same ones do not wait for each other in a circle.
    Application.ANALYTIC: """
        INSERT INTO analytic_totals AS totals (subscription, user_id, events)
        SELECT %(subscription)s, user_id, sum(events)
        FROM incoming_totals JOIN moved ON moved.partition = kafka_partition
        GROUP BY user_id ORDER BY user_id
        ON CONFLICT (subscription, user_id) DO UPDATE SET events = totals.events + excluded.events, counted_at = now()
    """,
}


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A database. See :class:`consumer.journey.store.StorePlace`."""

    address: Address

    @property
    def shown(self) -> str:
        """Return address and schema."""
        return f"{self.address.shown}, schema {SCHEMA}"

    @property
    def most_instances(self) -> int | None:
        """Any number of them."""
        return None

    def prepare(self, subscription: Subscription, *, recreated: bool) -> None:
        """Make the tables if they are not there, and note the subscription."""
        with connect(self.address, lock_s=LOCK_S) as connection, as_store_errors(self.shown):
            found = self._format(connection)
            if found < NEWEST:
                take_steps(self.address, SCHEMA, FOLDER, lock=f"streamproof {SCHEMA}")
            elif found > NEWEST:
                raise Misconfigured(
                    f"the tables have format {found}, this version of Streamproof knows formats up to {NEWEST}",
                    where=self.shown,
                    hint="A later version made them: use that one, or another database",
                )
            _search(connection)
            known = _known(connection, subscription)
            if not (recreated and known is not None):
                subscription.check(known, self.shown)
            topic = subscription.topic
            fields = json.dumps(subscription.fields.document(subscription.application))
            who = [subscription.application.value, subscription.group, fields]
            connection.execute(_NOTE, [*who, topic.name, topic.cluster_id, topic.topic_id])

    @contextmanager
    def open(self, subscription: Subscription) -> Iterator[PostgresStore]:
        """Open it for a subscription that was noted."""
        with converter() as converts:
            store = PostgresStore(self, subscription, converts)
            try:
                yield store
            finally:
                store.close()

    def _format(self, connection: BoundedConnection) -> int:
        if connection.execute(_HAS_TABLES, [f"{SCHEMA}.alembic_version"]).fetchall() != [(True,)]:
            return 0
        _search(connection)
        said = [str(row[0]) for row in connection.execute(_FORMAT)]
        if len(said) == 1 and said[0].isdecimal():
            return int(said[0])
        raise WarehouseDamaged("the tables name no format", where=self.shown, hint="Somebody changed alembic_version")


class PostgresStore:
    """The tables, open for one subscription. See :class:`consumer.journey.store.GroupStore`."""

    def __init__(self, place: PostgresPlace, subscription: Subscription, converts: Any) -> None:
        self._place = place
        self._subscription = subscription
        self._converts = converts
        self._number = 0
        self.where = place.shown
        self._connection: BoundedConnection | None = None
        self.reopen()

    def reopen(self) -> None:
        """Connect again."""
        self.close()
        connection = connect(self._place.address, lock_s=LOCK_S)
        try:
            with as_store_errors(self.where):
                _search(connection)
                for name, value in _SESSION.items():
                    connection.execute("SELECT set_config(%s, %s, false)", [name, value])
                topic = self._subscription.topic
                who = [self._subscription.group, topic.cluster_id, topic.topic_id]
                self._number = self._noted(connection.execute(_NUMBER, who).fetchall())
                connection.execute(_TEMPORARY)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _noted(self, found: list[tuple[Any, ...]]) -> int:
        if not found:
            raise WarehouseDamaged("the subscription is not there any more", where=self.where)
        return int(found[0][0])

    def close(self) -> None:
        """Let go of the connection; the server forgets what was not committed."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def begin(self, first: Mapping[int, int]) -> dict[int, int]:
        """Return the stored positions; a partition that has none begins where ``first`` says."""
        with as_store_errors(self.where):
            self._open.execute(_BEGIN, [self._number, list(first), list(first.values())])
            return {p: at for p, at in self._positions().items() if p in first}

    def skip(self, partition: int, start: int, end: int) -> None:
        """Go on behind what retention deleted, unless somebody else did."""
        with as_store_errors(self.where):
            self._open.execute(_SKIP, [end, end, self._number, partition, start])

    def put(self, batch: Batch) -> dict[int, int]:
        """Store a batch, and return the positions of its partitions then."""
        connection = self._open
        try:
            with as_store_errors(self.where), connection.transaction():
                # 1. copy
                self._copy(batch.tables)
                if batch.chunk.rejects:
                    self._copy_aside(batch.chunk)
                # 2. move
                moved = {int(row[0]) for row in connection.execute(self._move, self._moves(batch))}
        except (StoreFailed, duckdb.Error) as error:
            if reason_of(error.__cause__ or error) is not None:
                raise RowsRefused from error
            raise
        ends = {tally.span.partition: tally.span.end for tally in batch.tallies}
        if moved == set(ends):
            return ends
        with as_store_errors(self.where):
            there = self._positions()
        return {partition: end if partition in moved else there[partition] for partition, end in ends.items()}

    def without_refused(self, chunk: Chunk, shelf: Shelf) -> Chunk:
        """Return a chunk with the rows that PostgreSQL refuses as rejects; each try is rolled back."""

        def attempt(rows: pa.Table) -> None:
            group = EventGroup(int(rows.column("_schema_id")[0].as_py()), chunk.groups[0].rows[: rows.num_rows], rows)
            with self._open.transaction(force_rollback=True):
                self._copy([shelf.rows(group)])

        with as_store_errors(self.where):
            return set_apart(chunk, attempt, reason_of)

    def kept(self) -> Kept:
        """Return what the positions say."""
        with as_store_errors(self.where):
            rows = self._open.execute(_KEPT, [self._number]).fetchall()
        counts = [sum(int(row[place]) for row in rows) for place in range(2, 6)]
        return Kept({int(row[0]): int(row[1]) for row in rows}, *counts)

    @property
    def _open(self) -> BoundedConnection:
        if self._connection is None:
            self.reopen()
        assert self._connection is not None
        return self._connection

    @property
    def _move(self) -> str:
        return _MOVE.format(rows=_ROWS[self._subscription.application])

    def _positions(self) -> dict[int, int]:
        return {int(p): int(at) for p, at in self._open.execute(_POSITIONS, [self._number])}

    def _moves(self, batch: Batch) -> dict[str, Any]:
        tallies = batch.tallies
        return {
            "subscription": self._number,
            "partitions": [tally.span.partition for tally in tallies],
            "starts": [tally.span.start for tally in tallies],
            "ends": [tally.span.end for tally in tallies],
            "events": [tally.events for tally in tallies],
            "aside": [tally.quarantined for tally in tallies],
            "tombstones": [tally.tombstones for tally in tallies],
        }

    def _copy(self, tables: list[pa.Table]) -> None:
        journey = self._subscription.application is Application.JOURNEY
        table, names = ("incoming_events", JOURNEY_COLUMNS) if journey else ("incoming_totals", TOTAL_COLUMNS)
        for rows in tables:
            kinds = types_of(self._converts, rows.schema)
            columns = [_copied(name, kind) for name, kind in zip(names, kinds, strict=True)]
            if rows.num_rows:
                copy_in(self._open, self._converts, table, rows, columns)

    def _copy_aside(self, chunk: Chunk) -> None:
        rows = quarantine_rows(chunk.records, chunk.rejects)
        rows = rows.select([name for name in rows.column_names if name in _ASIDE])
        kinds = types_of(self._converts, rows.schema)
        columns = [
            CopiedColumn(name, name, kind, always=True) for name, kind in zip(rows.column_names, kinds, strict=True)
        ]
        copy_in(self._open, self._converts, "incoming_aside", rows, columns)


def _copied(name: str, kind: ColumnType) -> CopiedColumn:
    """Return how a column goes into a table. What names a user or a type may be any single value, and is text there."""
    if name in {"user_id", "event_type", "event_id"} and kind.name not in {"VARCHAR", "BLOB"}:
        return CopiedColumn(name, name, _VARCHAR, (kind, Place(0)))
    return CopiedColumn(name, name, kind)


def _search(connection: BoundedConnection) -> None:
    connection.execute("SELECT set_config('search_path', %s, false)", [quote(SCHEMA)])


def _known(connection: BoundedConnection, subscription: Subscription) -> Known | None:
    rows = connection.execute(_KNOWN, [subscription.group, subscription.topic.name]).fetchall()
    return Known(*rows[0]) if rows else None
