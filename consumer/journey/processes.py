"""An instance in a process of its own, as somebody would start it by hand. One that dies is not started again."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import TextIO, cast

from cluster.errors import StreamproofError
from cluster.machine.child import Said, TellsParent, how_it_ended
from consumer.journey.instance import run_instance
from consumer.journey.request import GroupWork, InstanceState

# A stop must be over within 4 s. What is not stored by then is read again, by whoever comes next.
STOP_GRACE_S = 2.5


@dataclass(frozen=True, slots=True)
class _Ended:
    """How an instance ended."""

    state: InstanceState | None
    error: StreamproofError | None = None


class Instance:
    """The process of one instance, and what it said last.

    :ivar died: how it ended, if it ended without a word.
    :ivar error: why it ended, if it said so.
    """

    def __init__(self, work: GroupWork, number: int, at_start: Callable[[], None] | None) -> None:
        self.state = InstanceState(number)
        self.alive = True
        self.died: str | None = None
        self.error: StreamproofError | None = None
        context = multiprocessing.get_context("spawn")  # librdkafka's threads do not survive a fork
        self.pipe, far_end = context.Pipe()
        self.process = context.Process(
            target=_work,
            args=(work, number, far_end, at_start),
            name=f"{work.request.group}-{number}",
            daemon=True,
        )
        self.process.start()
        far_end.close()

    def listen(self) -> None:
        """Take one message, or note that the process ended."""
        try:
            message = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self._ended()
            return
        if isinstance(message, Said):
            # By this process, so that a live display knows of it.
            sys.stderr.write(message.text)
        elif isinstance(message, _Ended):
            self.state = message.state or self.state
            self.error = message.error
            self.alive = False
            self.pipe.close()
        else:
            self.state = message

    def stop(self) -> None:
        """Ask the process to stop; it also stops when this end of the pipe is gone."""
        with contextlib.suppress(OSError, ValueError):
            self.pipe.send(None)

    def kill(self) -> None:
        """End the process as a machine does that loses its power."""
        self.process.kill()

    def end(self, *, grace_s: float = STOP_GRACE_S) -> None:
        """Let go of the process, and end it if it does not end by itself."""
        self.pipe.close()
        self.process.join(timeout=grace_s)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(timeout=STOP_GRACE_S)

    def _ended(self) -> None:
        self.end()
        self.alive = False
        self.died = how_it_ended(self.process.exitcode)


def _work(work: GroupWork, number: int, pipe: Pipe, at_start: Callable[[], None] | None) -> None:
    """Be one instance, and tell the parent how it is, and how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says when to stop
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_follow, args=(pipe, stop), daemon=True).start()
    lock = threading.Lock()
    if at_start is not None:
        at_start()
    if sys.stderr is not None:
        sys.stderr = cast("TextIO", TellsParent(pipe, lock, sys.stderr))

    def tell(message: InstanceState | _Ended) -> None:
        # A parent that is gone hears nothing; what is stored stays stored.
        with contextlib.suppress(OSError, ValueError), lock:
            pipe.send(message)

    # What is raised beside the tree is a bug, and multiprocessing prints where it was raised.
    try:
        tell(_Ended(run_instance(work, number, stop, tell)))
    except StreamproofError as error:
        tell(_Ended(None, error))


def _follow(pipe: Pipe, stop: threading.Event) -> None:
    """Stop when the parent says so, or is gone: then its end of the pipe is closed."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    stop.set()
