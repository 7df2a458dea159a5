"""What processes of ours and the process that started them have in common: standard error, and how one ended."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class Said:
    """What a process wrote to standard error."""

    text: str


class TellsParent:
    """Standard error of a process: whole lines go to the parent; what it no longer hears is written as usual."""

    def __init__(self, pipe: Pipe, lock: threading.Lock, before: TextIO) -> None:
        self._pipe = pipe
        self._lock = lock
        self._before = before
        self._rest = ""

    def write(self, text: str) -> int:
        """Take text, and tell the lines that are whole."""
        lines, end, self._rest = (self._rest + text).rpartition("\n")
        if end:
            try:
                with self._lock:
                    self._pipe.send(Said(lines + end))
            except (OSError, ValueError):
                self._before.write(lines + end)
        return len(text)

    def flush(self) -> None:
        """Nothing waits but half a line."""

    def isatty(self) -> bool:
        """Tell whether the parent writes to a terminal, as that decides how lines look."""
        return self._before.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._before, name)


def how_it_ended(exitcode: int | None) -> str:
    """Return an exit code of ``multiprocessing`` in words: "it was killed by SIGKILL"."""
    if exitcode is not None and exitcode < 0:
        return f"it was killed by {signal.Signals(-exitcode).name}"
    return f"it ended with exit code {exitcode} and without a result"
