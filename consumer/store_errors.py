"""What DuckDB and the file system say, as the error tree says it."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psutil

from cluster.errors import Misconfigured, StoreFailed, StoreFull, StreamproofError, WarehouseDamaged, WarehouseLocked

_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) ?\(PID (?P<pid>\d+)\)")
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")
_NOT_A_DATABASE = ("not a valid DuckDB database file", "Corrupt", "corrupt", "checksum", "Serialization Error")
# What a row can be blamed for; everything else that DuckDB raises is the store's.
DATA_ERRORS = (
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.OutOfRangeException,
    duckdb.TypeMismatchException,
    duckdb.ConstraintException,
    duckdb.NotImplementedException,
)


def is_locked(error: duckdb.Error) -> bool:
    """Tell whether another process holds the file."""
    return "Could not set lock on file" in str(error)


def locked(error: duckdb.Error, path: Path, waited_s: float) -> WarehouseLocked:
    """Name the process that holds the file: DuckDB gives its PID, the operating system its command line."""
    found = _HOLDER.search(str(error))
    holder = "another process"
    if found:
        holder = f"process {found['pid']} ({_command_line(int(found['pid'])) or found['program']})"
    return WarehouseLocked(
        f"the warehouse is held by {holder}, waited {waited_s:.0f} s",
        where=str(path),
        hint="Run the command again when that process has ended, or give a longer --wait",
    )


def _command_line(pid: int) -> str | None:
    """Return the command line of a process, shortened, or ``None`` when it may not be read."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return None
    text = " ".join(words)
    return text if len(text) <= 160 else text[:157] + "..."


def store_error(error: duckdb.Error | OSError, path: Path) -> StreamproofError:
    """Return the error of the tree for what DuckDB or the file system raised about ``path``."""
    text = str(error).split("\n", 1)[0]
    full = any(sign in text for sign in _FULL) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    if full:
        return StoreFull(
            "no space left for the warehouse; the batch at hand was rolled back, everything before it is kept",
            where=str(path),
            hint="Free some space and run the same command again: it continues where it stopped",
        )
    if "Is a directory" in text:
        return Misconfigured(
            "the warehouse path is a folder", where=str(path), hint="Name a file, such as events.duckdb"
        )
    if "Permission denied" in text or "Read-only file system" in text or isinstance(error, PermissionError):
        return Misconfigured(
            "the warehouse cannot be written", where=str(path), hint="Check who owns the file and its folder"
        )
    if isinstance(error, OSError):
        return Misconfigured(f"the warehouse cannot be written: {error.strerror}", where=str(path))
    if any(sign in text for sign in _NOT_A_DATABASE):
        return WarehouseDamaged(
            f"the file is not a readable DuckDB database: {text}",
            where=str(path),
            hint="Move it away, or restore a copy of it; a new warehouse loads again what Kafka still holds",
        )
    return StoreFailed(
        f"DuckDB failed: {text}", where=str(path), hint="Run the same command again: nothing is half-stored"
    )


@contextmanager
def as_store_errors(path: Path) -> Iterator[None]:
    """Raise what DuckDB raises inside as errors of the tree."""
    try:
        yield
    except duckdb.Error as error:
        raise store_error(error, path) from error
