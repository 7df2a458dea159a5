"""Making the staged copy of files, or finding it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cluster.errors import Busy, Interrupted, Misconfigured, StoreFailed
from cluster.machine.turns import take_turn
from producer.scenarios.replay.files import readable
from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows import Rows, SetAside
from producer.scenarios.replay.rows.infer import infer_schema
from producer.scenarios.replay.rows.opening import Opened, opened
from producer.scenarios.replay.rows.read import read_rows, refuse_unsaid
from producer.scenarios.replay.staged.aside import AsideWriter
from producer.scenarios.replay.staged.copy import Staged
from producer.scenarios.replay.staged.digests import Source, changed, content_of, digested
from producer.scenarios.replay.staged.index import INDEX, FileOfCopy, Index
from producer.scenarios.replay.staged.storing import sync, writing
from producer.scenarios.replay.staged.sweep import LOCK, MAKING, sweep
from producer.scenarios.replay.staged.times import holds_times
from producer.scenarios.replay.staged.writing import PartsWriter
from schemas.types.arrow import arrow_schema
from schemas.types.tree import parse

NOTES = "known_files.json"
# One waits for the maker of the same copy as long as it lives: its lock goes with it.
_WAIT_S = 7 * 86_400.0
_TOLD_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the copy is.

    :param doing: ``looking`` (at the bytes of the files), ``typing`` (finding the types) or ``copying``.
    :param done: share of the bytes, 0 to 1.
    :param rows: that were taken so far; 0 unless ``copying``.
    :param seconds: since ``doing`` began.
    """

    doing: str
    file: int
    files: int
    done: float
    rows: int
    set_aside: int
    seconds: float

    @property
    def rows_per_s(self) -> float:
        """Rows a second so far."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0


Told = Callable[[Progress], None]


def stage(
    paths: Sequence[Path],
    reading: Reading,
    home: Path,
    *,
    told: Told | None = None,
    stop: threading.Event | None = None,
) -> Staged:
    """Return the staged copy of files, made now unless it is there.

    1. look: the digest of each file, and of all of them with how they are read
    2. find: a copy of that name is the one
    3. take turns: one process makes it, others wait and find it
    4. type: without a schema, all rows are read for the types of their columns
    5. copy: rows in the types of the schema, beside them what is set aside
    6. swap: the finished copy gets its name by one rename; a stop or an error before that leaves nothing

    :param home: folder of the copies.
    :param told: is told how far it is, four times a second.
    :param stop: ends it.
    :raises Interrupted: stopped.
    :raises Misconfigured: the files have other columns, or cannot be read as is said.
    :raises StoreFull: no room for the copy.
    :raises StoreFailed: a file cannot be read, or changes while it is read; or the copy cannot be written.
    """
    stop = stop or threading.Event()
    teller = _Teller(told, stop)
    # 1. look
    sizes = [_size(path) for path in paths]
    teller.begin("looking", sizes)
    sources = digested(paths, home / NOTES, looked=teller.looked, stop=stop)
    content = content_of(sources, reading)
    # 2. find
    if (home / content / INDEX).exists():
        return Staged(home / content)
    with writing(home):
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / (LOCK + content)).open("a")
    # 3. take turns
    with lock:
        take_turn(
            lock,
            wait_s=_WAIT_S,
            busy=Busy("another process makes the staged copy of the same files", where=str(home)),
            stop=stop,
            stopped=_stopped(),
        )
        if not (home / content / INDEX).exists():
            sweep(home)
            making = home / (MAKING + content)
            with writing(home):
                shutil.rmtree(making, ignore_errors=True)
                making.mkdir()
            try:
                _make(sources, reading, content, making, teller)
                # 6. swap
                with writing(home):
                    shutil.rmtree(home / content, ignore_errors=True)  # a folder without an index is no copy
                    making.rename(home / content)
                    sync(home)
            finally:
                shutil.rmtree(making, ignore_errors=True)
    return Staged(home / content)


def _make(sources: Sequence[Source], reading: Reading, content: str, folder: Path, teller: _Teller) -> None:
    began = time.monotonic()
    sizes = [source.size for source in sources]
    text = reading.schema
    # 4. type
    if text is None:
        teller.begin("typing", sizes)
        text = infer_schema([source.path for source in sources], reading, teller.looked)
    root = parse(text)
    refuse_unsaid(root, reading.format)
    if reading.event_time is not None:
        node = dict(root.fields).get(reading.event_time)
        if node is None or not holds_times(node):
            raise Misconfigured(
                f"the event time {reading.event_time} is no timestamp and no long of milliseconds",
                where=str(sources[0].path.parent),
                hint=f"The fields are {', '.join(name for name, _ in root.fields)}",
            )
    # 5. copy
    teller.begin("copying", sizes)
    files: list[FileOfCopy] = []
    with (
        writing(folder),
        AsideWriter(folder) as asides,
        PartsWriter(folder, arrow_schema(root), reading.event_time) as parts,
    ):
        for number, source in enumerate(sources):
            name, rows, aside = readable(source.path.name), 0, 0
            with opened(source.path, reading.compression) as stream:
                for piece in _pieces(stream, reading, text):
                    parts.write(number, piece.batch)
                    rows += len(piece.batch)
                    aside += asides.write(name, piece.aside)
                    teller.copied(number, stream.place, len(piece.batch), _whole(piece.aside))
            parts.end_file()
            if changed(source):
                raise StoreFailed(
                    "the file changed while it was read",
                    where=str(source.path),
                    hint="Replay files that nobody writes to any more: run the same command again",
                )
            files.append(FileOfCopy(name=name, size=source.size, sha256=source.sha256, rows=rows, set_aside=aside))
        parts.finish()
        index = Index(
            content=content,
            contract=text,
            inferred=reading.schema is None,
            event_time=reading.event_time,
            never_negative=parts.never_negative,
            block_events=parts.block_events,
            rows=sum(file.rows for file in files),
            set_aside=dict(sorted(asides.counts.items())),
            files=files,
            seconds=round(time.monotonic() - began, 3),
        )
        (folder / f"{reading.record}.avsc").write_text(text + "\n")
    with writing(folder):
        # Last: a folder with an index is whole.
        (folder / INDEX).write_text(index.model_dump_json(indent=1))
        for path in folder.iterdir():
            sync(path)
        sync(folder)


def _pieces(stream: Opened, reading: Reading, text: str) -> Iterator[Rows]:
    """Yield the rows of a file, and do not take an error of reading for one of the copy."""
    try:
        yield from read_rows(stream, reading, text)
    except pa.ArrowException as error:
        raise StoreFailed(
            f"the rows of the file cannot be read: {' '.join(str(error).split())[:200]}",
            where=readable(str(stream.path)),
            hint="Bring the file again, or leave it out",
        ) from None


class _Teller:
    """Tells how far it is, now and then, and ends it at a stop."""

    def __init__(self, told: Told | None, stop: threading.Event) -> None:
        self._told = told
        self._stop = stop
        self._doing = ""
        self._sizes: list[int] = []
        self._rows = self._aside = 0
        self._began = self._last = 0.0

    def begin(self, doing: str, sizes: list[int]) -> None:
        self._doing, self._sizes = doing, sizes
        self._before = [0]
        for size in sizes:
            self._before.append(self._before[-1] + size)
        self._rows = self._aside = 0
        self._began, self._last = time.monotonic(), 0.0  # the first look is told at once

    def copied(self, number: int, place: int, rows: int, aside: int) -> None:
        self._rows += rows
        self._aside += aside
        self.looked(number, place)

    def looked(self, number: int, place: int) -> None:
        if self._stop.is_set():
            raise _stopped()
        now = time.monotonic()
        if self._told is None or now - self._last < _TOLD_EVERY_S:
            return
        self._last = now
        done = (self._before[number] + place) / max(1, self._before[-1])
        self._told(
            Progress(
                self._doing,
                number,
                len(self._sizes),
                min(1.0, done),
                self._rows,
                self._aside,
                now - self._began,
            )
        )


def _stopped() -> Interrupted:
    return Interrupted("stopped before the files were read to their end", hint="The same command begins again")


def _whole(asides: Sequence[SetAside]) -> int:
    return sum(aside.part == 0 for aside in asides)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # whoever reads it tells
