"""One job at a time in a lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import StoreFailed, WarehouseLocked
from cluster.machine.turns import take_turn

LOCK = ".lock"


@contextmanager
def lake_locked(folder: Path) -> Iterator[int]:
    """Hold the lock of a lake, and yield its descriptor: a process that inherits it holds the lock too.

    :raises WarehouseLocked: another job is at work there.
    :raises StoreFailed: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
    except OSError as error:
        raise StoreFailed(
            f"the folder of the lake cannot be written: {error.strerror}", where=str(folder), hint="Give another --to"
        ) from error
    with file:
        take_turn(
            file,
            wait_s=0,
            busy=WarehouseLocked(
                "another job is at work in this lake", where=str(folder), hint="Wait for it, or end it, and try again"
            ),
        )
        yield file.fileno()
