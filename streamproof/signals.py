"""Signals as a flag: the work ends by itself, in order, instead of being torn out of a call."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.errors import Interrupted
from streamproof.console import stderr

# A signal must end a command within 4 s, whatever call it meets.
_PATIENCE_S = 3.5


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set; handlers are put back on leaving.

    A second Ctrl-C interrupts at once, for a person who does not want to wait.
    """
    stop = threading.Event()

    def handle(number: int, _: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ended_in_time(stop: threading.Event, said: str) -> Iterator[None]:
    """End the process when a stop meets a call that does not answer; for work that may be killed at any moment.

    :param said: what is told then.
    """
    finished = threading.Event()

    def watch() -> None:
        stop.wait()
        if not finished.wait(_PATIENCE_S):
            stderr.print(said)
            os._exit(Interrupted.exit_code)

    threading.Thread(target=watch, daemon=True, name="stop-watch").start()
    try:
        yield
    finally:
        finished.set()
