"""A group's tables in a DuckDB file, which one process has at a time: a group of one instance.

A file is made whole or not at all, since a transaction makes its tables. ``meta`` says which format it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from cluster.errors import Misconfigured, StoreFailed, WarehouseDamaged
from consumer.journey.events import JOURNEY_COLUMNS, Application, Batch, Shelf
from consumer.journey.store import Kept, Known, Subscription
from consumer.sinks import RowsRefused
from consumer.sinks.batch import Chunk, EventGroup, Tally
from consumer.sinks.duckdb.errors import as_store_errors, is_locked, locked, store_error
from consumer.sinks.duckdb.refused import reason_of
from consumer.sinks.duckdb.settings import LOAD
from consumer.sinks.postgres.values.copying import types_of
from consumer.sinks.postgres.values.into_text import written_again
from consumer.sinks.refused import set_apart
from consumer.sinks.rows import quarantine_rows

FORMAT = 1
_DDL = Path(__file__).with_name("duckdb.sql")
_TABLES = "SELECT table_name FROM duckdb_tables() WHERE NOT temporary"
_KNOWN = """
    SELECT subscription, application, fields, cluster_id, topic_id FROM subscriptions
    WHERE group_name = ? AND topic = ? ORDER BY subscription DESC LIMIT 1
"""
_NOTE = """
    INSERT INTO subscriptions (application, group_name, fields, topic, cluster_id, topic_id)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_NUMBER = "SELECT subscription FROM subscriptions WHERE group_name = ? AND cluster_id = ? AND topic_id = ?"
_POSITIONS = "SELECT partition, next_offset FROM positions WHERE subscription = ?"
_BEGIN = "INSERT INTO positions (subscription, partition, first_offset, next_offset) VALUES (?, ?, ?, ?)"
_SKIP = """
    UPDATE positions SET next_offset = ?, expired = expired + ? - next_offset
    WHERE subscription = ? AND partition = ? AND next_offset = ?
"""
_KEPT = "SELECT partition, next_offset, events, aside, tombstones, expired FROM positions WHERE subscription = ?"
_MOVE = """
    UPDATE positions
    SET next_offset = ?, events = events + ?, aside = aside + ?, tombstones = tombstones + ?, stored_at = now()
    WHERE subscription = ? AND partition = ? AND next_offset = ?
    RETURNING partition
"""
_EVENTS = """
    INSERT INTO journey_events
    SELECT ?, kafka_partition, kafka_offset, produced_at,
           CAST(user_id AS VARCHAR), CAST(event_type AS VARCHAR), CAST(event_id AS VARCHAR), {body}
    FROM incoming WHERE list_contains(?, kafka_partition)
"""
_ADD = """
    UPDATE analytic_totals SET events = analytic_totals.events + more.events, counted_at = now()
    FROM (SELECT user_id, sum(events) AS events FROM incoming
          WHERE list_contains(?, kafka_partition) GROUP BY user_id) AS more
    WHERE analytic_totals.subscription = ? AND analytic_totals.user_id = more.user_id
"""
_FIRST = """
    INSERT INTO analytic_totals (subscription, user_id, events)
    SELECT ?, user_id, sum(events) FROM incoming
    WHERE list_contains(?, kafka_partition)
      AND user_id NOT IN (SELECT user_id FROM analytic_totals WHERE subscription = ?)
    GROUP BY user_id
"""
_ASIDE = "INSERT INTO kept_aside SELECT ?, * FROM incoming WHERE list_contains(?, _partition)"


@dataclass(frozen=True, slots=True)
class DuckDBPlace:
    """A file. See :class:`consumer.journey.store.StorePlace`."""

    path: Path

    @property
    def shown(self) -> str:
        """Return the path."""
        return str(self.path)

    @property
    def most_instances(self) -> int | None:
        """One: a file is open in one process."""
        return 1

    def prepare(self, subscription: Subscription, *, recreated: bool) -> None:
        """Make the tables if they are not there, and note the subscription."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._connected() as connection, as_store_errors(self.path):
            self._make_tables(connection)
            rows = connection.execute(_KNOWN, [subscription.group, subscription.topic.name]).fetchall()
            known = Known(rows[0][0], rows[0][1], json.loads(rows[0][2]), rows[0][3], rows[0][4]) if rows else None
            if not (recreated and known is not None):
                subscription.check(known, self.shown)
            topic, fields = subscription.topic, subscription.fields.document(subscription.application)
            who = [subscription.application.value, subscription.group, json.dumps(fields)]
            connection.execute(_NOTE, [*who, topic.name, topic.cluster_id, topic.topic_id])

    @contextmanager
    def open(self, subscription: Subscription) -> Iterator[DuckDBStore]:
        """Open it for a subscription that was noted."""
        with self._connected() as connection:
            yield DuckDBStore(self, subscription, connection)

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            connection = duckdb.connect(str(self.path))
        except duckdb.Error as error:
            raise locked(error, self.path, 0.0) if is_locked(error) else store_error(error, self.path) from error
        try:
            LOAD.apply(connection, self.path)
            yield connection
        finally:
            connection.close()

    def _make_tables(self, connection: duckdb.DuckDBPyConnection) -> None:
        tables = {str(name) for (name,) in connection.execute(_TABLES).fetchall()}
        if not tables:
            connection.execute("BEGIN TRANSACTION")
            connection.execute(_DDL.read_text())
            connection.execute("INSERT INTO meta VALUES ('format', ?)", [str(FORMAT)])
            connection.execute("COMMIT")
            return
        if not {"meta", "subscriptions", "positions"} <= tables:
            raise Misconfigured(
                "the file holds something else than what groups keep", where=self.shown, hint="Name another file"
            )
        said = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchall()
        if said != [(str(FORMAT),)]:
            raise Misconfigured(
                f"the file has another format than {FORMAT}, which this version of Streamproof knows",
                where=self.shown,
                hint="A later version made it: use that one, or another file",
            )


class DuckDBStore:
    """The tables, open for one subscription. See :class:`consumer.journey.store.GroupStore`."""

    def __init__(self, place: DuckDBPlace, subscription: Subscription, connection: duckdb.DuckDBPyConnection) -> None:
        self._path = place.path
        self._subscription = subscription
        self._connection = connection
        self.where = place.shown
        topic = subscription.topic
        with as_store_errors(self._path):
            found = connection.execute(_NUMBER, [subscription.group, topic.cluster_id, topic.topic_id]).fetchall()
        if not found:
            raise WarehouseDamaged("the subscription is not there any more", where=self.where)
        self._number = int(found[0][0])

    def reopen(self) -> None:
        """Do nothing: a file does not go away."""

    def begin(self, first: Mapping[int, int]) -> dict[int, int]:
        """Return the stored positions; a partition that has none begins where ``first`` says."""
        with as_store_errors(self._path):
            there = self._positions()
            for partition, at in first.items():
                if partition not in there:
                    self._connection.execute(_BEGIN, [self._number, partition, at, at])
            return {p: at for p, at in self._positions().items() if p in first}

    def skip(self, partition: int, start: int, end: int) -> None:
        """Go on behind what retention deleted."""
        with as_store_errors(self._path):
            self._connection.execute(_SKIP, [end, end, self._number, partition, start])

    def put(self, batch: Batch) -> dict[int, int]:
        """Store a batch, and return the positions of its partitions then."""
        self._connection.execute("BEGIN TRANSACTION")
        try:
            with as_store_errors(self._path):
                moved = [partition for tally in batch.tallies for partition in self._moved(tally)]
                self._insert(batch.tables, moved)
                if batch.chunk.rejects:
                    with self._incoming(quarantine_rows(batch.chunk.records, batch.chunk.rejects)):
                        self._connection.execute(_ASIDE, [self._number, moved])
                self._connection.execute("COMMIT")
        except BaseException as error:
            self._connection.execute("ROLLBACK")
            cause = error.__cause__ if isinstance(error, StoreFailed) else error
            if isinstance(cause, Exception) and reason_of(cause) is not None:
                raise RowsRefused from error
            raise
        there = self._positions()
        return {tally.span.partition: there[tally.span.partition] for tally in batch.tallies}

    def without_refused(self, chunk: Chunk, shelf: Shelf) -> Chunk:
        """Return a chunk with the rows that DuckDB refuses as rejects; each try is rolled back."""

        def attempt(rows: pa.Table) -> None:
            group = EventGroup(int(rows.column("_schema_id")[0].as_py()), chunk.groups[0].rows[: rows.num_rows], rows)
            self._connection.execute("BEGIN TRANSACTION")
            try:
                self._insert([shelf.rows(group)], np.unique(rows.column("_partition").to_numpy()).tolist())
            finally:
                self._connection.execute("ROLLBACK")

        return set_apart(chunk, attempt, reason_of)

    def kept(self) -> Kept:
        """Return what the positions say."""
        with as_store_errors(self._path):
            rows = self._connection.execute(_KEPT, [self._number]).fetchall()
        counts = [sum(int(row[place]) for row in rows) for place in range(2, 6)]
        return Kept({int(row[0]): int(row[1]) for row in rows}, *counts)

    def _positions(self) -> dict[int, int]:
        return dict(self._connection.execute(_POSITIONS, [self._number]).fetchall())

    def _moved(self, tally: Tally) -> list[int]:
        span, counts = tally.span, [tally.events, tally.quarantined, tally.tombstones]
        where = [self._number, span.partition, span.start]
        return [row[0] for row in self._connection.execute(_MOVE, [span.end, *counts, *where]).fetchall()]

    def _insert(self, tables: list[pa.Table], moved: list[int]) -> None:
        for rows in tables:
            if self._subscription.application is Application.ANALYTIC:
                with self._incoming(rows):
                    self._connection.execute(_ADD, [moved, self._number])
                    self._connection.execute(_FIRST, [self._number, moved, self._number])
                continue
            body = types_of(self._connection, rows.schema)[JOURNEY_COLUMNS.index("body")]
            with self._incoming(rows):
                self._connection.execute(_EVENTS.format(body=written_again("body", body)), [self._number, moved])

    @contextmanager
    def _incoming(self, rows: pa.Table) -> Iterator[None]:
        self._connection.register("incoming", rows)
        try:
            yield
        finally:
            self._connection.unregister("incoming")
