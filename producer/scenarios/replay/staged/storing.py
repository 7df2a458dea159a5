"""Writing beside the files that are replayed: what the disk says is told once, and what is there is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from cluster.errors import StoreFailed, StoreFull
from cluster.machine.disk import is_full
from producer.scenarios.replay.staged.sweep import MAKING


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Tell what goes wrong with a copy's folder.

    :raises StoreFull: no room.
    :raises StoreFailed: it cannot be written.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        full = is_full(error)
        kind = StoreFull if full else StoreFailed
        raise kind(
            "no space left for the staged copy of the files" if full else f"the staged copy cannot be written: {error}",
            where=str(folder.parent if folder.name.startswith(MAKING) else folder),
            hint="Free some space, or name another folder in STREAMPROOF_STATE_DIR; the same command begins again",
        ) from None


def sync(path: Path) -> None:
    """Have a file or a folder on the disk before anything relies on it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
