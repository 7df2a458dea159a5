"""The warehouse: one DuckDB file per topic, opened by one process at a time.

A file is created whole, beside its place, and linked there: a kill at any moment leaves a complete file or none.
A file of an earlier format becomes one of the newest when it is opened (``migrations``).
Times are TIMESTAMPTZ in the session zone UTC; DuckDB's ``fetchall`` gives them only where ``pytz`` is installed,
so queries cast them (``::TIMESTAMP``, ``::VARCHAR``) or read them through Arrow.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import duckdb

from cluster.errors import Interrupted, Misconfigured, StoreFailed, WarehouseDamaged, WarehouseLocked
from cluster.machine.disk import no_space
from consumer.sinks import DEFAULT_WAIT_S
from consumer.sinks.duckdb.catalogue import refuse_impostors
from consumer.sinks.duckdb.errors import as_store_errors, is_locked, locked, store_error
from consumer.sinks.duckdb.leftovers import clear, workshop
from consumer.sinks.duckdb.migrations import NEWEST, format_of, migrate
from consumer.sinks.duckdb.settings import (
    LOAD,
    PROVE,
    Purpose,
    keep_row_groups_apart,
    log_as_usual,
    log_nothing,
)
from consumer.sinks.open_batch import LARGE_VALUE_BYTES
from schemas.columns.column_type import text_literal

_DDL = Path(__file__).with_name("warehouse.sql")
_TABLES = "SELECT table_name FROM system.main.duckdb_tables() WHERE NOT temporary ORDER BY 1"
_BYTES_PER_RECORD = "SELECT sum(value_bytes)::DOUBLE / nullif(sum(events + quarantined), 0) FROM load_batches"
_LOOKED_AT_BYTES = 32 * 1024 * 1024
_RETRY_S = 0.1
_HOLDS_LARGE_VALUES = "SELECT count(*) > 0 FROM load_batches WHERE value_bytes >= ? * (events + quarantined)"
# DuckDB's lock does not exclude the own process, so the process excludes itself.
_open_here: set[Path] = set()
_open_here_lock = threading.Lock()


class Warehouse:
    """An open warehouse. ``connection`` is DuckDB's, for the one thread that works with it.

    :ivar shown: what messages call it: its path, or what the file is a copy of.
    """

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection, shown: str | None = None) -> None:
        self.path = path
        self.connection = connection
        self.shown = shown or str(path)

    def errors(self) -> AbstractContextManager[None]:
        """Raise what DuckDB raises inside as errors of the tree."""
        return as_store_errors(self.path)

    def begin(self) -> None:
        """Begin a transaction; end it with :meth:`commit` or :meth:`rollback`."""
        with self.errors():
            self.connection.execute("BEGIN TRANSACTION")

    def commit(self) -> None:
        """Make the transaction durable.

        :raises StoreFull: the disk is full; nothing of the transaction is stored.
        :raises StoreFailed: DuckDB failed; nothing of the transaction is stored.
        """
        with self.errors():
            self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """Forget the transaction. A failed COMMIT has done so already, and then ROLLBACK is an error of its own."""
        with suppress(duckdb.Error):
            self.connection.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Commit what happens inside as a whole, or roll it back as a whole.

        :raises StoreFailed: as :meth:`commit`.
        """
        self.begin()
        try:
            with self.errors():
                yield self.connection
            self.commit()
        except BaseException:
            self.rollback()
            raise

    @contextmanager
    def change_of_tables(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Commit what changes tables as :meth:`transaction` does, but straight into the file, past the write-ahead log.

        The log would hold the expressions of the change, and DuckDB 2.0 loads their functions only when it has replayed
        the log of the file that it opens: it could not open a file whose process was killed behind the commit.

        :raises StoreFailed: as :meth:`commit`.
        """
        with self.errors():
            log_nothing(self.connection)
        try:
            with self.transaction() as connection:
                yield connection
        finally:
            with suppress(duckdb.Error):  # a commit that could not be written closes the database
                log_as_usual(self.connection)
        self.checkpoint()  # the log is used where another session reads

    def rows(self, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""
        with self.errors():
            return self.connection.execute(query, parameters or []).fetchall()

    def meta(self) -> dict[str, str]:
        """Return format version, topic and creation time."""
        return {str(key): str(value) for key, value in self.rows("SELECT key, value FROM meta")}

    def rows_at_once(self, most: int) -> int:
        """Return how many events to look at together: those of about 32 MB of values, and never more than ``most``."""
        ((per_row,),) = self.rows(_BYTES_PER_RECORD)
        return max(1, min(most, int(_LOOKED_AT_BYTES / max(1.0, per_row or 1.0))))

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file."""
        with self.errors():
            self.connection.execute("CHECKPOINT")

    def close(self) -> None:
        """Close the file and release its lock."""
        with suppress(duckdb.Error):
            self.connection.close()
        with _open_here_lock:
            _open_here.discard(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_warehouse(
    path: Path,
    *,
    wait_s: float = DEFAULT_WAIT_S,
    create: bool = True,
    purpose: Purpose = LOAD,
    topic: str | None = None,
    stop: threading.Event | None = None,
) -> Warehouse:
    """Open a warehouse for reading and writing, waiting for another process that has it open.

    :param wait_s: how long to wait for the lock, seconds.
    :param create: create a missing file, and its folder, with all tables.
    :param purpose: how much memory DuckDB may have, and how many threads.
    :param topic: the topic that the file must hold; noted in a new file.
    :param stop: set it to give up waiting.
    :raises WarehouseLocked: another process still holds the file; it is named.
    :raises WarehouseDamaged: the file is not a warehouse that can be read, or something in it could answer in place
        of its data.
    :raises Misconfigured: the path cannot be used, is missing, or holds another topic.
    """
    path = path.expanduser().resolve()
    if not path.exists() and create:
        _create(path, topic)
    _check_is_file(path)
    connection = _connect(path, purpose, wait_s, stop or threading.Event())
    warehouse = Warehouse(path, connection)
    try:
        clear(path)
        with warehouse.errors():
            refuse_impostors(connection, path)
        found = _check_is_ours(warehouse, topic)
        with warehouse.errors():
            migrate(connection, found)
        if warehouse.rows(_HOLDS_LARGE_VALUES, [LARGE_VALUE_BYTES])[0][0]:
            keep_row_groups_apart(connection)
    except BaseException:
        warehouse.close()
        raise
    return warehouse


def open_as_it_is(path: Path, *, wait_s: float = DEFAULT_WAIT_S) -> Warehouse:
    """Open a warehouse to read it, whatever is in it: nothing is made, brought to today's format or refused.

    :raises WarehouseLocked: another process has the file open for writing; it is named.
    :raises WarehouseDamaged: the file is not a DuckDB database.
    :raises Misconfigured: there is no such file.
    """
    path = path.expanduser().resolve()
    _check_is_file(path)
    return Warehouse(path, _connect(path, PROVE, wait_s, threading.Event(), read_only=True))


def _check_is_file(path: Path) -> None:
    if not path.exists():
        raise Misconfigured("there is no warehouse", where=str(path), hint="Run `streamproof load` first")
    if not path.is_file():
        raise Misconfigured(
            f"the warehouse path is {'a folder' if path.is_dir() else 'not a file'}",
            where=str(path),
            hint="Name a file, such as events.duckdb",
        )


def _create(path: Path, topic: str | None) -> None:
    """Build a new warehouse in a folder beside ``path`` and link it there, unless another process was faster."""
    stray_log = path.with_name(path.name + ".wal")
    if stray_log.exists():
        raise WarehouseDamaged(
            "there is a write-ahead log without its database",
            where=str(stray_log),
            hint="Put the database file back, or move the log away to begin a new warehouse",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with workshop(path) as folder:
            new = folder / path.name
            _build(new, topic)
            os.link(new, path)
    except (OSError, duckdb.Error) as error:
        if not path.exists():  # else somebody was faster, and may have taken the folder away
            raise store_error(error, path) from error


def lay_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables and macros of a warehouse of the newest format in an empty database."""
    connection.execute(_DDL.read_text())


def _build(path: Path, topic: str | None) -> None:
    meta = {"format": str(NEWEST), "created_at": datetime.now(UTC).isoformat(), "duckdb": duckdb.__version__}
    if topic is not None:
        meta["topic"] = topic
    with duckdb.connect(str(path)) as connection:
        lay_tables(connection)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", [list(pair) for pair in meta.items()])
        connection.execute("CHECKPOINT")  # closing does so too, and says nothing when it cannot
        made = connection.execute(_TABLES).fetchall()
    with duckdb.connect(str(path), read_only=True) as connection:
        kept = connection.execute(_TABLES).fetchall()
    if kept != made:
        raise no_space(f"the new file holds {len(kept)} of {len(made)} tables")


def _connect(
    path: Path, purpose: Purpose, wait_s: float, stop: threading.Event, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Take the file for this process, waiting at most ``wait_s`` for whoever has it."""
    began = time.monotonic()
    while True:
        refusal: Exception
        with _open_here_lock:
            mine = path not in _open_here
            if mine:
                _open_here.add(path)
        if mine:
            try:
                connection = duckdb.connect(str(path), read_only=read_only)
                purpose.apply(connection, path)
                return connection
            except duckdb.Error as error:
                with _open_here_lock:
                    _open_here.discard(path)
                if not read_only and _needs_functions(error) and _replayed(path):
                    continue
                if not is_locked(error):
                    raise store_error(error, path) from error
                refusal = locked(error, path, wait_s)
        else:
            refusal = WarehouseLocked("this process has the warehouse open already", where=str(path))
        if time.monotonic() - began >= wait_s:
            raise refusal
        if stop.wait(_RETRY_S):
            raise Interrupted("stopped while waiting for the warehouse", where=str(path)) from refusal


def _needs_functions(error: duckdb.Error) -> bool:
    """Tell whether a write-ahead log was not replayed because DuckDB's own functions were not there yet."""
    return "replaying WAL" in str(error) and "core_functions" in str(error)


def _replayed(path: Path) -> bool:
    """Replay the write-ahead log of a file whose process was killed when it had just changed the type of a column.

    The change is an expression, whose functions DuckDB 2.0 loads only after it has replayed the log of the file that it
    opens; it has them when it attaches one.

    :return: whether the log is in the file now.
    """
    try:
        with duckdb.connect() as session:
            session.execute(f"ATTACH {text_literal(str(path))} AS file")
            session.execute("CHECKPOINT file")
            session.execute("DETACH file")
    except duckdb.Error:
        return False
    return True


def _check_is_ours(warehouse: Warehouse, topic: str | None) -> int:
    """Return the format of the file, once it is sure that it is a warehouse, of this topic."""
    try:
        meta = warehouse.meta()
    except StoreFailed as error:
        if not warehouse.rows(_TABLES):
            raise WarehouseDamaged(
                "the file is an empty DuckDB database: a warehouse that could not be finished, on a full disk perhaps",
                where=str(warehouse.path),
                hint="Nothing is in it: remove it and run the same command again",
            ) from error
        raise WarehouseDamaged(
            "the file is a DuckDB database, but not a warehouse", where=str(warehouse.path), hint="Name another file"
        ) from error
    found = format_of(meta, warehouse.path)
    if topic is not None and meta.get("topic") not in (None, topic):
        raise Misconfigured(
            f"the warehouse holds the topic {meta['topic']}, not {topic}",
            where=str(warehouse.path),
            hint="Use one file for each topic",
        )
    return found
