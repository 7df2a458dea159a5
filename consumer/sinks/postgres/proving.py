"""A warehouse in PostgreSQL as proofs read one: a copy of it as a DuckDB file, because they are SQL of DuckDB.

1. turn: one proof of a warehouse at a time, on whatever machine; loaders go on meanwhile
2. copy: every table, in one transaction that sees one moment, columns of the types that they are said to hold
3. the proof reads the copy, and writes down what it found
4. give back: what is written down about runs, in one transaction (``sayings.py``)

A process that is killed gives nothing back, and its copy is removed by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cluster.errors import StreamproofError, WarehouseLocked
from cluster.local import state_dir
from cluster.machine.scratch import scratch_folder
from consumer.sinks.duckdb.settings import PROVE, keep_row_groups_apart
from consumer.sinks.duckdb.warehouse import Warehouse
from consumer.sinks.duckdb.warehouse import open_warehouse as open_file
from consumer.sinks.open_batch import LARGE_VALUE_BYTES
from consumer.sinks.postgres.catalogue import our_tables
from consumer.sinks.postgres.ledger import ONE_MOMENT
from consumer.sinks.postgres.place import Address
from consumer.sinks.postgres.sayings import give_back, read_sayings
from consumer.sinks.postgres.warehouse import PostgresWarehouse, open_warehouse
from schemas.columns.column_type import quote

# A statement that copies a table may take this long, seconds.
_COPY_S = 3600.0
_TURN = "SELECT pg_try_advisory_lock(hashtextextended('streamproof: to prove ' || current_schema(), 0))"
_RETRY_S = 0.2
_PAGE = "page"
_NO_COPY = "the warehouse cannot be copied to be proved"
_HOLDS_LARGE_VALUES = "SELECT bool_or(value_bytes >= %s * (events + quarantined)) FROM load_batches"
# The copy has a format of its own, and says so.
_NOT_COPIED = ("meta",)


@contextmanager
def to_prove(address: Address, topic: str, *, wait_s: float) -> Iterator[Warehouse]:
    """Give a copy of a topic's warehouse to a proof, and give back what it writes down.

    :param wait_s: how long to wait for another proof of it, and for a lock, seconds.
    :raises WarehouseLocked: another process proves it.
    :raises StoreFull: there is no room for the copy on this machine.
    :raises StreamproofError: as :func:`consumer.sinks.postgres.warehouse.open_warehouse`.
    """
    with open_warehouse(address, topic, wait_s=wait_s, create=False) as original:
        _take_turn(original, wait_s)
        with _copy_of(original, topic) as copy:
            before = read_sayings(copy)
            try:
                yield copy
            except BaseException:
                # What it kept before it failed counts, as it does in a file; its own error is the one to tell.
                with suppress(StreamproofError):
                    give_back(original, copy, before)
                raise
            give_back(original, copy, before)


@contextmanager
def to_look(address: Address, topic: str, *, wait_s: float) -> Iterator[Warehouse]:
    """Give a copy of a topic's warehouse to a reader; nothing is given back."""
    with open_warehouse(address, topic, wait_s=wait_s, create=False) as original, _copy_of(original, topic) as copy:
        yield copy


def _take_turn(original: PostgresWarehouse, wait_s: float) -> None:
    """Take the lock of a proof; the server takes it back from a connection that ends."""
    deadline = time.monotonic() + wait_s
    while original.rows(_TURN) != [(True,)]:
        if time.monotonic() > deadline:
            raise WarehouseLocked(
                f"another process proves the warehouse, waited {wait_s:.0f} s",
                where=original.where,
                hint="Run the command again when that process has ended, or give a longer --wait",
            )
        time.sleep(_RETRY_S)


@contextmanager
def _copy_of(original: PostgresWarehouse, topic: str) -> Iterator[Warehouse]:
    with (
        scratch_folder(state_dir() / "proving", _NO_COPY) as folder,
        open_file(folder / "copy.duckdb", topic=topic, purpose=PROVE) as copy,
    ):
        copy.shown = original.where
        with original.errors(), original.connection.patient(_COPY_S), original.transaction(ONE_MOMENT):
            _lay_events(original, copy)
            large = original.rows(_HOLDS_LARGE_VALUES, [LARGE_VALUE_BYTES]) == [(True,)]
            if large:
                keep_row_groups_apart(copy.connection)
            for table in our_tables():
                if table not in _NOT_COPIED:
                    _copy(original, copy, table, apart=large)
        copy.checkpoint()
        yield copy


def _lay_events(original: PostgresWarehouse, copy: Warehouse) -> None:
    """Make the table of events with the columns that it has in PostgreSQL, in their order."""
    columns = ", ".join(f"{quote(each.name)} {each.kind}" for each in original.columns("events"))
    with copy.transaction() as db:
        db.execute("DROP TABLE events")
        db.execute(f"CREATE TABLE events ({columns})")


def _copy(original: PostgresWarehouse, copy: Warehouse, table: str, *, apart: bool) -> None:
    """Copy a table, page by page.

    :param apart: let each page be a row group of its own: what is read together is then no larger.
    """
    for page in original.pages(table):
        with copy.transaction() as db:
            db.register(_PAGE, page)
            try:
                db.execute(f"INSERT INTO {quote(table)} BY NAME SELECT * FROM {_PAGE}")  # noqa: S608 - ours
            finally:
                db.unregister(_PAGE)
        if apart:
            copy.checkpoint()
