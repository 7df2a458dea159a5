"""The stack under a demo: the one that runs, or one of its own, which is stopped again where that is asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from cluster.errors import Interrupted
from cluster.local import LocalStack, read_local_stack
from stack.down import stop_stack
from stack.request import UpRequest
from stack.up import take_back, up
from streamproof.views.start import start_view

# At the end of a demo: what it started and nobody wants to keep. "added" is what it gave to a stack that ran before.
Stops = Literal["everything", "added", "nothing"]


@contextmanager
def own_stack(
    state: Path, stop: threading.Event, *, once: bool, components: frozenset[str] = frozenset()
) -> Iterator[tuple[LocalStack, Stops]]:
    """Give the running stack, started if there was none, and what is stopped at the end: with ``once`` what is ours.

    :param components: what it needs beside Kafka and the registry.
    :raises Interrupted: it was stopped meanwhile.
    """
    before = read_local_stack(state)
    stops: Stops = "nothing"
    if once:
        there = before is not None and components <= before.endpoints.keys()
        stops = "everything" if before is None else "nothing" if there else "added"
    added: tuple[str, ...] = ()
    try:
        with start_view() as watcher:
            # Owned: it ends with this process, however that ends.
            result = up(state, UpRequest(components, owner=os.getpid() if once else None), watcher, stop)
        added = tuple(name for name in result.started if name not in result.again)
        stack = read_local_stack(state)
        if stack is None:
            raise Interrupted("the stack was stopped by somebody else", where=str(state))
        yield stack, stops
    finally:
        if stops == "everything":
            stop_stack(state)
        elif stops == "added" and added:
            take_back(state, added, whole=False)
