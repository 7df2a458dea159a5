"""What a start is asked for, and who looks on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from stack.record import Record, Security


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What to start beside what every stack has: components, and ports by their names (`stack.services.component`).

    Where no port is named, last time's is taken, or a free one. ``security`` of ``None`` is that of the stack that
    runs, or none. ``restart`` tells whether a service that dies is started again; ``None`` is what the stack that runs
    does, or yes. ``owner`` ties the stack to the process of that number: it ends when that does, however that ends.
    """

    components: frozenset[str] = frozenset()
    ports: Mapping[str, int] = field(default_factory=dict)
    security: Security | None = None
    restart: bool | None = None
    owner: int | None = None


class Watcher(Protocol):
    """Whoever shows the start to a person."""

    def fetching(self, name: str, size: int, /) -> AbstractContextManager[Callable[[int], None]]:
        """Take the name and size of a file, and give a function that takes the bytes that arrived since.

        Several threads call it at once.
        """

    def say(self, sentence: str) -> None:
        """Take a sentence about what happens."""

    def look(self, record: Record) -> None:
        """Take the record, many times while the services start."""
