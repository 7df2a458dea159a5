"""How DuckDB is set up, in one place: one group of settings for each purpose that a warehouse is opened for.

========  ======  =======  =====================================================================================
purpose   memory  threads  why
========  ======  =======  =====================================================================================
load      400 MB  1        Python, Arrow and librdkafka take the rest of 1 GB; one thread stores as fast as two
prove     1 GB    all      audits, checks and reports sort and hash a whole run, and spill what does not fit
publish   1 GB    all      the snapshot's own database, and the events on their way into Parquet
========  ======  =======  =====================================================================================

Sessions run in UTC, and draw no bar on standard output, as DuckDB does where it takes the program for a person. No
order is kept that no query asks for: keeping it costs memory. A warehouse of large values keeps its row groups apart
(:func:`keep_row_groups_apart`), and a load into a table of more than 2,500 columns has more memory
(:func:`give_room_for`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

_GIB = 1024**3
# A proof that spills more than this is not about the rows that are there. An identity takes less room than its row.
_LEAST_SPILL_BYTES = 2 * _GIB
_SPILL_PER_FILE_BYTE = 4
# A vector of 2,048 texts is 32 kB. An insert has one as it comes, one as it is stored, and one that is written.
_MB_PER_LEAF = 0.12


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a session is for. ``threads``: ``None`` for one per core."""

    memory: str
    threads: int | None = None

    def apply(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Set a session up.

        :param path: the database file: what does not fit into memory goes beside it, into ``<file>.tmp``.
        """
        threads = "RESET threads" if self.threads is None else f"SET threads = {self.threads}"
        # A row group is written as soon as it is full, not in the commit: memory holds one.
        connection.execute(
            f"""
            SET memory_limit = '{self.memory}';
            {threads};
            SET preserve_insertion_order = false;
            SET write_buffer_row_group_count = 1;
            SET TimeZone = 'UTC';
            SET enable_progress_bar = false;
            SET max_temp_directory_size = '{spill_bytes(path)}B';
            """
        )


LOAD = Purpose("400MB", threads=1)
PROVE = Purpose("1GB")
PUBLISH = Purpose("1GB")


def keep_row_groups_apart(connection: duckdb.DuckDBPyConnection) -> None:
    """Let no checkpoint join small row groups.

    What was stored between two checkpoints is a row group of its own. Joined, rows of large values would fill whole
    vectors, and a vector is pinned in memory as one: 2,048 values of 950 kB are 1.9 GB.
    """
    connection.execute("SET max_vacuum_tasks = 0")


def log_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a commit write into the file itself what it would write into the log, until :func:`log_as_usual`."""
    connection.execute("SET checkpoint_threshold = '0B'; SET auto_checkpoint_skip_wal_threshold = 0")


def log_as_usual(connection: duckdb.DuckDBPyConnection) -> None:
    """Let a commit write into the log again."""
    connection.execute("RESET checkpoint_threshold; RESET auto_checkpoint_skip_wal_threshold")


def give_room_for(connection: duckdb.DuckDBPyConnection, leaves: int) -> None:
    """Let a load into a table of very many columns have the memory that it takes, however few rows come.

    :param leaves: columns of the table, and members of those that have some.
    """
    needed = 100 + leaves * _MB_PER_LEAF
    if needed > 400:
        connection.execute(f"SET memory_limit = '{needed:.0f}MB'")


def spill_bytes(path: Path) -> int:
    """Return how much a session on a database file may spill, bytes."""
    size_bytes = path.stat().st_size if path.exists() else 0
    return max(_LEAST_SPILL_BYTES, _SPILL_PER_FILE_BYTE * size_bytes)


def spill_folder(path: Path) -> Path:
    """Return where DuckDB spills for a database file."""
    return path.with_name(f"{path.name}.tmp")
