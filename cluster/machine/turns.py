"""Taking turns: whose turn it is to do what only one process may do at a time.

A turn is a lock on a file that is open, or a name on this machine. The kernel takes either back from a process that
ends, however it ends; so nothing is left locked, and nobody has to be asked to unlock it.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

_RETRY_S = 0.1


def take_turn(
    file: IO[str],
    *,
    wait_s: float,
    busy: Exception,
    stop: threading.Event | None = None,
    stopped: Exception | None = None,
    on_wait: Callable[[], None] | None = None,
) -> None:
    """Lock a file until it is closed; wait while another process has it locked.

    :param wait_s: how long to wait, seconds.
    :param busy: raised when it is still locked then.
    :param stop: ends the waiting with ``stopped``.
    :param on_wait: called once, when there is something to wait for.
    """
    deadline = time.monotonic() + wait_s
    stop = stop or threading.Event()
    told = False
    while not try_turn(file):
        if time.monotonic() > deadline:
            raise busy
        if not told and on_wait is not None:
            on_wait()
        told = True
        if stop.wait(_RETRY_S):
            raise stopped or busy


def try_turn(file: IO[str] | int) -> bool:
    """Lock a file, or a descriptor, until it is closed, and return ``True``; ``False`` when another has it locked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def name_held(name: str) -> Iterator[bool]:
    """Hold a name on this machine, and tell whether nobody else holds it.

    It is the name of a Unix socket in Linux's abstract namespace, for what has no folder that all processes know; no
    file is left behind. Other systems have no such names: there, everybody is told ``True``.
    """
    if sys.platform != "linux":
        yield True
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as held:
        try:
            held.bind(f"\0{name}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            free = False
        else:
            free = True
        yield free
