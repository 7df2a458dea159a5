"""What DuckDB and the file system say, as the error tree says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psutil

from cluster.errors import (
    Interrupted,
    Misconfigured,
    StoreFailed,
    StoreFull,
    StoreOutOfMemory,
    StreamproofError,
    WarehouseDamaged,
    WarehouseLocked,
)
from cluster.machine.disk import is_full, is_refused, says_full, says_refused

_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) ?\(PID (?P<pid>\d+)\)")
# What a message says, what it means, and what to do next.
_MEANINGS: tuple[tuple[tuple[str, ...], type[StreamproofError], str, str], ...] = (
    (
        ("INTERRUPT",),
        Interrupted,
        "stopped; what was being written is rolled back, everything before it is kept",
        "The same command continues",
    ),
    (
        ("failed to offload", "max_temp_directory_size"),
        StoreOutOfMemory,
        "what does not fit into memory does not fit into the room beside the warehouse either",
        "The run claims more than the file holds, or the disk is small: check the manifests, and the free space",
    ),
    (
        ("Out of Memory", "failed to pin block", "could not allocate block", "failed to allocate data"),
        StoreOutOfMemory,
        "DuckDB needs more memory than it may have here; what was being written is rolled back",
        "Give `load` a smaller --batch-rows; if that does not help, report the size of the largest records",
    ),
    (
        ("Is a directory",),
        Misconfigured,
        "the warehouse path is a folder",
        "Name a file, such as events.duckdb",
    ),
    (
        ("Not a directory", "File exists", "No such file or directory", "File name too long"),
        Misconfigured,
        "the warehouse cannot be written there",
        "Check the path: its folder must be one in which files can be made",
    ),
    (
        ("not a valid DuckDB database file", "orrupt", "checksum", "Serialization Error", "Could not read"),
        WarehouseDamaged,
        "the file is not a readable DuckDB database",
        "Move it away, or restore a copy of it; a new warehouse loads again what Kafka still holds",
    ),
)


def is_locked(error: duckdb.Error) -> bool:
    """Tell whether another process holds the file."""
    return "Could not set lock on file" in str(error)


def locked(error: duckdb.Error, path: Path, waited_s: float) -> WarehouseLocked:
    """Name the process that holds the file."""
    return WarehouseLocked(
        f"the warehouse is held by {holder_of(error)}, waited {waited_s:.0f} s",
        where=str(path),
        hint="Run the command again when that process has ended, or give a longer --wait",
    )


def holder_of(error: duckdb.Error) -> str:
    """Return which process holds a file: DuckDB gives its PID, the operating system its command line."""
    found = _HOLDER.search(str(error))
    if not found:
        return "another process"
    return f"process {found['pid']} ({_command_line(int(found['pid'])) or found['program']})"


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
    text = str(error).split("\n", 1)[0].replace(str(path), path.name)
    said, where = text.replace(path.name, ""), f"{path}: {text}"
    if is_full(error) if isinstance(error, OSError) else says_full(said):
        return StoreFull(
            "no space left for the warehouse; what was being written is rolled back, everything before it is kept",
            where=where,
            hint="Free some space and run the same command again",
        )
    if is_refused(error) if isinstance(error, OSError) else says_refused(said):
        return StoreFailed(
            "the warehouse cannot be written: the disk is read-only, or belongs to somebody else",
            where=where,
            hint="Check who owns the file and its folder, and how the disk is mounted",
        )
    for signs, kind, message, hint in _MEANINGS:
        if any(sign in said for sign in signs):
            return kind(message, where=where, hint=hint)
    return StoreFailed(f"the warehouse failed: {text}", where=str(path), hint="Run the same command again")


@contextmanager
def as_store_errors(path: Path) -> Iterator[None]:
    """Raise what DuckDB raises inside as errors of the tree."""
    try:
        yield
    except duckdb.Error as error:
        raise store_error(error, path) from error
