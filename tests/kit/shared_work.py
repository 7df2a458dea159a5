"""Work that one process of a test session does for all its workers."""

from __future__ import annotations

import fcntl
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Made:
    """The folder that a piece of work was done in, and what was said of it."""

    folder: Path
    said: str


def made_once(place: Path, make: Callable[[Path], str]) -> Made:
    """Return a piece of work of the session: whoever asks first does it in a folder of its own, the others wait.

    Work that failed leaves nothing that anybody takes for whole: the next one begins anew, and meets the same error.

    :param place: a folder that all workers know.
    :param make: does the work in the folder that it is given, and returns what the others must know of it.
    """
    place.mkdir(parents=True, exist_ok=True)
    done = place / "done.json"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # it ends with whoever holds it, and his work has deadlines of its own
        if not done.exists():
            folder = Path(tempfile.mkdtemp(dir=place))
            done.write_text(json.dumps([str(folder), make(folder)]))
        folder_name, said = json.loads(done.read_text())
    return Made(Path(folder_name), said)
