"""The one real stack of a test session: the process that was started as pytest owns it, and all its workers use it."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import StreamproofError
from cluster.local import LocalStack, read_local_stack
from stack.down import stop_stack
from stack.record import Record, read_record
from stack.request import UpRequest
from stack.up import up

SERVICES = frozenset({"kafka", "registry"})


class SilentWatcher:
    """A start that nobody looks at."""

    @contextmanager
    def fetching(self, name: str, size: int, /) -> Iterator[Callable[[int], None]]:
        """Show nothing."""
        yield lambda arrived: None

    def say(self, sentence: str) -> None:
        """Show nothing."""

    def look(self, record: Record) -> None:
        """Show nothing."""


def started(state: Path, request: UpRequest | None = None) -> LocalStack:
    """Start a stack that ends with this process, unless another request is given, and return its addresses."""
    up(state, request or UpRequest(owner=os.getpid()), SilentWatcher(), threading.Event())
    running = read_local_stack(state)
    assert running is not None
    return running


@dataclass(frozen=True)
class SharedStack:
    """Where the stack of the session keeps its state, and the number of the process that it ends with.

    Whoever asks first starts it; the others wait for that by the lock of the state folder. It ends with its owner even
    when that is killed.
    """

    state: Path
    owner: int

    def running(self) -> LocalStack:
        """Return the addresses of the stack; start it, or wait until it is ready."""
        record = read_record(self.state)
        # Not by `up` when it is there: that would wait while somebody adds Airflow to it.
        ready = record is not None and {each.name for each in record.processes if each.stage == "ready"} >= SERVICES
        found = read_local_stack(self.state) if ready else None
        return found or started(self.state, UpRequest(owner=self.owner))

    def stop(self) -> None:
        """End it, if anybody started it, and remove what it stored."""
        if self.state.exists():
            stop_stack(self.state)
            shutil.rmtree(self.state, ignore_errors=True)


class HeadStart:
    """Starts the stack while the workers still collect their tests."""

    def __init__(self, stack: SharedStack) -> None:
        self._stack, self._stop = stack, threading.Event()
        self._thread = threading.Thread(target=self._start, daemon=True)
        self._thread.start()

    def _start(self) -> None:
        # The test that asks for the stack meets the same error, and says it.
        with contextlib.suppress(StreamproofError):
            up(self._stack.state, UpRequest(owner=self._stack.owner), SilentWatcher(), self._stop)

    def end(self) -> None:
        """Interrupt the start if it still goes on."""
        self._stop.set()
        self._thread.join()
