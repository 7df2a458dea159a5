"""A snapshot that is open for reading, wherever it lies."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import duckdb

from cluster.errors import Misconfigured
from consumer.publish.snapshot import EVENTS_VARIABLE
from consumer.sinks.duckdb.errors import store_error

DATABASE = "snapshot.duckdb"
EVENTS = "events"
RUNS = "SELECT run_id, verdict, published, loaded FROM runs ORDER BY ALL"
FACTS = "SELECT run_id, rows, runs, CAST(epoch_us(published_at) AS BIGINT), topic FROM publication"


class Snapshot:
    """A snapshot that is open for reading, where it lies now. Use it as a context manager.

    :param folder: the snapshot's, or that of a topic, whose current one is meant.
    :raises Misconfigured: the folder holds no snapshot.
    :raises WarehouseDamaged: its database cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = _snapshot_of(folder)
        self.current = (folder / "current").exists()
        self.parquet = sorted((self.folder / EVENTS).glob("*.parquet"))
        database = self.folder / DATABASE
        try:
            self.connection = duckdb.connect(str(database), read_only=True)
        except duckdb.Error as error:
            raise store_error(error, database) from error
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(f"SET VARIABLE {EVENTS_VARIABLE} = ?", [[str(path) for path in self.parquet]])

    def rows(self, query: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Run one query and return its rows."""
        return self.connection.execute(query, parameters or []).fetchall()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(duckdb.Error):
            self.connection.close()


def _snapshot_of(folder: Path) -> Path:
    for place in (folder / "current", folder):
        if (place / DATABASE).is_file():
            return place.resolve()
    raise Misconfigured(
        "the folder holds no snapshot",
        where=str(folder),
        hint="Name the folder of a topic in the publications, or one of its snapshots",
    )
