"""A stack of the benchmark's own, so that nothing else writes to the broker that is measured."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.connection import Connection
from stack.down import stop_stack
from stack.record import Record
from stack.request import UpRequest
from stack.up import up


class _Lines:
    """Shows the start as plain lines."""

    @contextmanager
    def fetching(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        """Say what is fetched."""
        sys.stdout.write(f"fetching {name} ({size / 1e6:.0f} MB)\n")
        yield lambda _arrived: None

    def say(self, sentence: str) -> None:
        """Print the sentence."""
        sys.stdout.write(sentence + "\n")

    def look(self, record: Record) -> None:
        """Say nothing: a start takes seconds."""


@contextmanager
def private_stack(folder: Path, components: Iterable[str] = ()) -> Iterator[Connection]:
    """Start Kafka and the registry under ``folder`` and stop them at the end, also when this process is killed.

    :param components: what else is started; its record in ``folder/var`` says where that answers.
    """
    state = folder / "var"
    try:
        record = up(state, UpRequest(frozenset(components), owner=os.getpid()), _Lines(), threading.Event()).record
        yield Connection.of({"bootstrap_servers": record.address("kafka")}, {"url": record.address("registry")})
    finally:
        stop_stack(state)
