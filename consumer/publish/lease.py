"""Who still reads a snapshot: a reader that has its database open keeps it, whatever is published meanwhile.

DuckDB holds a shared lock (``fcntl``) on a database that it has open to read: a snapshot with one is not removed.
A reader of the Parquet files alone holds none; ``flock --shared <snapshot>/snapshot.duckdb <command>`` gives it one.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from cluster.machine.turns import try_turn

# struct flock of Linux: type, whence, start, length, process.
_FLOCK = struct.Struct("hhqqi4x")


def is_read(snapshot: Path) -> bool:
    """Return whether another process has the snapshot open, or holds a lock on it. Nothing is changed."""
    try:
        descriptor = os.open(snapshot / "snapshot.duckdb", os.O_RDONLY)
    except OSError:
        return False
    try:
        return _is_open_in_duckdb(descriptor) or not try_turn(descriptor)
    finally:
        os.close(descriptor)


def _is_open_in_duckdb(descriptor: int) -> bool:
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, *_ = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    return bool(kind != fcntl.F_UNLCK)
