"""What a start is asked for, and who looks on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from cluster.errors import Misconfigured
from stack.record import Record, Security


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What to start beside what every stack has: components, and ports by their names (`stack.services.component`).

    Where no port is named, last time's is taken, or a free one. ``security`` of ``None`` is that of the stack that
    runs, or none; ``brokers`` of ``None`` are as many as the storage has, or one. ``restart`` tells whether a service
    that dies is started again; ``None`` is what the stack that runs does, or yes. ``owner`` ties the stack to the
    process of that number: it ends when that does, however that ends.

    :raises Misconfigured: a number of brokers of which no majority could outlive one.
    """

    components: frozenset[str] = frozenset()
    ports: Mapping[str, int] = field(default_factory=dict)
    security: Security | None = None
    brokers: int | None = None
    restart: bool | None = None
    owner: int | None = None

    def __post_init__(self) -> None:
        if self.brokers not in {None, 1, 3}:
            raise Misconfigured(
                f"a local stack cannot have {self.brokers} brokers",
                hint="Ask for 1, or for 3: the smallest number of which the others go on when one is away",
            )


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
