"""A folder for what a proof works on, which goes with it, however the process ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster.errors import StoreFailed, StoreFull
from cluster.machine.disk import is_full
from cluster.machine.turns import try_turn

_LOCK = "in-use"


@contextmanager
def scratch_folder(home: Path, failed: str) -> Iterator[Path]:
    """Give a folder in ``home``, and take it away; those of processes that were killed are taken away first.

    :param failed: what cannot be done where there is no such folder, for the message.
    :raises StoreFull: there is no room.
    :raises StoreFailed: it cannot be made.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in home.iterdir():
            _remove_if_left(left)
        folder = Path(tempfile.mkdtemp(dir=home))
        lock = (folder / _LOCK).open("w")
    except OSError as error:
        kind = StoreFull if is_full(error) else StoreFailed
        raise kind(
            f"{failed}: {error.strerror}",
            where=str(home),
            hint="Free some space, or name another folder in STREAMPROOF_STATE_DIR",
        ) from error
    with lock:
        try_turn(lock)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_if_left(folder: Path) -> None:
    with suppress(OSError), (folder / _LOCK).open("r+") as lock:  # somebody may begin or end at this moment
        if try_turn(lock):
            shutil.rmtree(folder, ignore_errors=True)
