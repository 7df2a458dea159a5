"""The state folder of a stack, and whose turn it is to change it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import Busy, Interrupted, StoreFailed, StoreFull
from cluster.machine.disk import is_full, no_space
from cluster.machine.turns import take_turn

# A start may take this long where Airflow and all downloads are in it.
TURN_TIMEOUT_S = 900.0
# Below this a broker cannot begin a new segment: what dies then dies of it.
LOW_BYTES = 16_000_000


@contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """Turn a failure of the file system into one of the error tree."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise StoreFull(
                f"no space left for the state of the stack: {error.strerror}",
                where=str(error.filename or folder),
                hint="Free some space, or set STREAMPROOF_STATE_DIR to a folder on another disk",
            ) from error
        raise StoreFailed(
            f"the state folder cannot be written: {error.strerror or error}",
            where=str(error.filename or folder),
            hint="Set STREAMPROOF_STATE_DIR to a folder that you may write",
        ) from error


def free_bytes(folder: Path) -> int:
    """Return how much an ordinary user can still write there."""
    return shutil.disk_usage(folder).free


def space_fault(folder: Path) -> str:
    """Return a sentence when so little space is left that services fail; empty when there is enough."""
    free = free_bytes(folder)
    return f"only {free / 1e6:.1f} MB are free in the state folder" if free < LOW_BYTES else ""


def check_space(folder: Path, wanted_bytes: int = LOW_BYTES) -> None:
    """See that there is room, before anything is written.

    :raises StoreFull: less than ``wanted_bytes`` is free.
    """
    with store_errors(folder):
        free = free_bytes(folder)
        if free < wanted_bytes:
            raise no_space(f"{free / 1e6:.1f} MB are free, {wanted_bytes / 1e6:.0f} MB are wanted", folder)


@contextmanager
def turn(state: Path, stop: threading.Event, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the right to start a stack in ``state``; a second holder waits until the first has finished.

    :raises StoreFailed: the folder cannot be made or written.
    """
    with store_errors(state):
        (state / "log").mkdir(parents=True, exist_ok=True)
        handle = (state / "stack.lock").open("w")
    with handle:
        take_turn(
            handle,
            wait_s=TURN_TIMEOUT_S,
            busy=Busy("another `streamproof up` is still starting this stack", where=str(state)),
            stop=stop,
            stopped=Interrupted("interrupted while another `streamproof up` was starting this stack"),
            on_wait=on_wait,
        )
        yield
