"""Where a proof of a pipeline works: a DuckDB session of its own, in a file that goes with it.

What it holds of each stored row is its number, and 64 bits for each value that is compared; of what was sent, less.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from cluster.errors import Interrupted, Misconfigured, StoreFull, StoreOutOfMemory
from cluster.local import state_dir
from cluster.machine.scratch import scratch_folder
from consumer.pipeline.values.macros import MACROS
from consumer.sinks.duckdb.errors import as_store_errors
from consumer.sinks.duckdb.settings import Purpose
from consumer.sinks.duckdb.warehouse import lay_tables

# Python, Arrow and what generates events take the rest of 1 GB.
_PURPOSE = Purpose("400MB")
_FILE = "proof.duckdb"
_LOOK_S = 0.03


class ProofSession:
    """An open session; evidence, as ``consumer/proof/evidence`` takes it.

    :param stop: ends the proof: the query at hand is interrupted.
    """

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection, stop: threading.Event) -> None:
        self.path = path
        self.connection = connection
        self._stop = stop

    def go_on(self) -> None:
        """Return if the proof may go on.

        :raises Interrupted: it was stopped.
        """
        if self._stop.is_set():
            raise stopped()

    def rows(self, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run one query of ours and return its rows.

        :raises StoreFailed: DuckDB failed.
        """
        with self.errors():
            return self.connection.execute(query, parameters or []).fetchall()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise what DuckDB says inside as errors of our tree."""
        self.go_on()
        try:
            with as_store_errors(self.path):
                yield
        except Interrupted:
            raise stopped() from None
        except (StoreFull, StoreOutOfMemory) as error:
            raise type(error)(
                "there is no room for the proof; nothing was written anywhere else",
                where=error.where,
                hint="Free some space, or name another folder in STREAMPROOF_STATE_DIR",
            ) from error

    @contextmanager
    def blaming(self, what: str, where: str, hint: str) -> Iterator[None]:
        """Raise what DuckDB says of somebody's SQL as an error of theirs; what the disk says stays what it is.

        :raises Misconfigured: the SQL does not run.
        """
        try:
            yield
        except duckdb.InterruptException:
            raise stopped() from None
        except (duckdb.IOException, duckdb.OutOfMemoryException):
            with self.errors():
                raise
        except duckdb.Error as error:
            said = str(error).split("\n\n", 1)[0].replace("\n", " ")
            raise Misconfigured(f"{what}: {said}", where=where, hint=hint) from None

    def types_of(self, relation: str) -> dict[str, str]:
        """Return the columns of a relation, with their types."""
        described = self.rows(f"DESCRIBE SELECT * FROM {relation}")  # noqa: S608 - a relation of ours
        return {str(name): str(kind) for name, kind, *_ in described}


def stopped() -> Interrupted:
    """Return the error of a proof that was stopped."""
    return Interrupted("stopped; nothing was written anywhere", hint="Run the same command again")


@contextmanager
def proof_session(stop: threading.Event) -> Iterator[ProofSession]:
    """Give a session in which the tables and macros of a warehouse are there and empty, and take it away.

    :param stop: interrupts what is being asked of it.
    :raises StoreFull: there is no room for it.
    """
    with scratch_folder(state_dir() / "proving", "there is no room to prove in") as folder:
        path = folder / _FILE
        with as_store_errors(path):
            connection = duckdb.connect(str(path))
        try:
            with as_store_errors(path):
                _PURPOSE.apply(connection, path)
                lay_tables(connection)
                connection.execute(MACROS)
            with _interrupted_by(stop, connection):
                yield ProofSession(path, connection, stop)
        finally:
            connection.close()


@contextmanager
def _interrupted_by(stop: threading.Event, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Interrupt queries from when a stop is set until they have ended: one may have begun just after."""
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if stop.wait(_LOOK_S):
                connection.interrupt()
                done.wait(_LOOK_S)

    watcher = threading.Thread(target=watch, name="proof-stop", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
