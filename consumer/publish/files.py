"""The Parquet files of publications: what was written, and whether it is still that.

A file is never changed once it is published, and later snapshots link to it. So each has its SHA-256 and its number of
rows in the warehouse and in the snapshot, and is compared with them before it is carried on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from consumer.sinks.duckdb.warehouse import Warehouse

_WRITE = 0o222

_LATEST = """
    SELECT run_id, file, arg_max(sha256, publication), arg_max(rows, publication)
    FROM published_files GROUP BY run_id, file
"""
_OF_SNAPSHOT = """
    SELECT DISTINCT file FROM published_files
    WHERE publication = (SELECT max(number) FROM publications WHERE path = ?)
"""
_KEEP = "INSERT INTO published_files VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One Parquet file, with the events of one run."""

    run_id: str
    file: str
    sha256: str
    rows: int


def describe(path: Path, run_id: str) -> PublishedFile:
    """Return what a file is now.

    :raises OSError: it cannot be read.
    :raises pyarrow.ArrowException: it is not a whole Parquet file.
    """
    return PublishedFile(run_id, path.name, sha256_of(path), int(pq.read_metadata(path).num_rows))


def protect(path: Path) -> None:
    """Take the right to write a file from everybody. Who may read it is left as the umask made it."""
    path.chmod(path.stat().st_mode & ~_WRITE)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fault_of(path: Path, published: PublishedFile | None) -> str:
    """Return why a file cannot be carried on, empty if it is as it was published.

    :param published: what it was then; ``None`` when an earlier version published it and kept no hash.
    """
    if published is None:
        return "no hash of it was kept"
    try:
        now = describe(path, published.run_id)
    except FileNotFoundError:
        return "it is missing"
    except (OSError, pa.ArrowException):
        return "it is damaged"
    return "" if now == published else "it was changed after it was published"


def changed_columns(earlier: Path, today: Path) -> str:
    """Return why a file cannot be read together with one that is written today, empty if it can.

    A column that got another name or a wider type since would be two columns, or one with values cast to text.
    """
    before, now = pq.read_schema(earlier), pq.read_schema(today)
    others = [one.name for one in before if one.name not in now.names or now.field(one.name).type != one.type]
    return f"{', '.join(others)}: another name or type since it was published" if others else ""


def known_files(warehouse: Warehouse) -> dict[str, PublishedFile]:
    """Return what each file was when it was last published, by name."""
    return {file.file: file for file in (PublishedFile(*row) for row in warehouse.rows(_LATEST))}


def files_of(warehouse: Warehouse, snapshot: Path) -> set[str]:
    """Return the names of the files that a snapshot was published with, as the warehouse knows."""
    return {str(name) for (name,) in warehouse.rows(_OF_SNAPSHOT, [str(snapshot)])}


def keep(db: duckdb.DuckDBPyConnection, publication: int, files: Iterable[PublishedFile]) -> None:
    """Keep what a publication consists of, in the caller's transaction."""
    for file in files:
        db.execute(_KEEP, [publication, file.run_id, file.file, file.sha256, file.rows])
