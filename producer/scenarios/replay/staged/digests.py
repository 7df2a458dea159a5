"""What files hold, as a digest: a copy is known by it, wherever the files are."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import Interrupted
from producer.scenarios.replay.files import unreadable
from producer.scenarios.replay.reading import Reading

_AT_ONCE = 4 << 20
_MOST_KNOWN = 100_000


@dataclass(frozen=True, slots=True)
class Source:
    """One file as it was found: its bytes, and by what a change of it is noticed."""

    path: Path
    size: int
    changed_ns: int
    sha256: str


def content_of(sources: Sequence[Source], reading: Reading) -> str:
    """Return what the rows of files in their order depend on: their bytes, and how they are read."""
    whole = hashlib.sha256(reading.known_by().encode())
    for source in sources:
        whole.update(f"\n{source.size} {source.sha256}".encode())
    return whole.hexdigest()[:32]


def digested(
    paths: Sequence[Path], notes: Path, *, looked: Callable[[int, int], None], stop: threading.Event
) -> list[Source]:
    """Return files with their digests. One that was read before, and was not changed since, is not read again.

    :param notes: file with the digests that are known; whether it can be written does not matter.
    :param looked: told the number of the file, and how many bytes of it were read.
    :raises Interrupted: stopped.
    :raises StoreFailed: a file cannot be read.
    """
    known, found, news = _read(notes), [], False
    for number, path in enumerate(paths):
        try:
            there = path.stat()
            key, facts = str(path.absolute()), [there.st_size, there.st_mtime_ns, there.st_ino]
            before = known.get(key)
            if before is None or before[:3] != facts:
                known[key] = before = [*facts, _sha256(path, number, looked, stop)]
                news = True
        except OSError as error:
            raise unreadable(path, error) from None
        found.append(Source(path, there.st_size, there.st_mtime_ns, str(before[3])))
    if news:
        _write(notes, known)
    return found


def changed(source: Source) -> bool:
    """Tell whether a file is another one by now, or gone."""
    try:
        there = source.path.stat()
    except OSError:
        return True
    return (there.st_size, there.st_mtime_ns) != (source.size, source.changed_ns)


def _sha256(path: Path, number: int, looked: Callable[[int, int], None], stop: threading.Event) -> str:
    found, read = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_AT_ONCE):
            found.update(piece)
            read += len(piece)
            looked(number, read)
            if stop.is_set():
                raise Interrupted("stopped while the files were looked at", hint="The same command begins again")
    return found.hexdigest()


def _read(notes: Path) -> dict[str, list[int | str]]:
    try:
        known = json.loads(notes.read_text())
    except (OSError, ValueError):
        return {}
    sound = isinstance(known, dict) and all(isinstance(one, list) and len(one) == 4 for one in known.values())
    return known if sound else {}


def _write(notes: Path, known: dict[str, list[int | str]]) -> None:
    """Write the notes beside and swap them in; two who write at once lose what one of them learnt."""
    with contextlib.suppress(OSError):
        notes.parent.mkdir(parents=True, exist_ok=True)
        kept = dict(list(known.items())[-_MOST_KNOWN:])
        handle, name = tempfile.mkstemp(dir=notes.parent, prefix=".known-")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(kept, file)
            Path(name).replace(notes)
        except OSError:
            Path(name).unlink(missing_ok=True)
