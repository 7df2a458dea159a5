"""Showing a start of the stack: one moving line for each service on a terminal, log lines elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from stack.record import ProcessRecord, Record
from stack.request import Watcher
from streamproof.console import stderr

# Smaller files are counted, but not named in a log.
NAMED_FROM_BYTES = 5_000_000
FETCHING = "fetching"


@contextmanager
def start_view() -> Iterator[Watcher]:
    """Yield a watcher that shows on stderr what it is told."""
    if not stderr.is_terminal:
        yield _Lines()
        return
    columns = (SpinnerColumn(finished_text="[green]✓[/]"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        yield _Moving(progress)


class _Lines:
    """One log line for each thing that happens."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()
        self._stages: dict[str, str] = {}

    @contextmanager
    def fetching(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        if size >= NAMED_FROM_BYTES:
            self._log.info("fetching", file=name, mb=round(size / 1e6))
        yield lambda _arrived: None

    def say(self, sentence: str) -> None:
        self._log.info(sentence)

    def look(self, record: Record) -> None:
        for process in record.processes:
            if self._stages.get(process.name) != process.stage:
                self._stages[process.name] = process.stage
                known = {"seconds": process.seconds} if process.seconds is not None else {}
                self._log.info(process.stage, service=process.name, version=process.version, **known)


class _Moving:
    """A line for each service, and one for all downloads."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._lines: dict[str, TaskID] = {}
        self._size = self._arrived = 0

    @contextmanager
    def fetching(self, _name: str, size: int) -> Iterator[Callable[[int], None]]:
        def arrived(count: int) -> None:
            with self._lock:
                self._arrived += count
                text = f"fetching Kafka and the registry, once: {self._arrived / 1e6:.0f} of {self._size / 1e6:.0f} MB"
                self._line(FETCHING, text, done=False)

        with self._lock:
            self._size += size
        yield arrived

    def say(self, sentence: str) -> None:
        self._progress.console.print(sentence, markup=False)

    def look(self, record: Record) -> None:
        if FETCHING in self._lines:
            self._progress.update(self._lines[FETCHING], completed=1)
        for process in record.processes:
            self._line(process.name, _description(process), done=process.stage == "ready")

    def _line(self, key: str, text: str, *, done: bool) -> None:
        if key not in self._lines:
            self._lines[key] = self._progress.add_task(text, total=1)
        self._progress.update(self._lines[key], description=text, completed=int(done))


def _description(process: ProcessRecord) -> str:
    return escape(f"{process.name} {process.version}: {process.stage}")
