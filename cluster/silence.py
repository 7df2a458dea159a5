"""Saying that Kafka, or the registry, does not answer: while it does not, and when it does again.

Without it, a broker that hangs shows as nothing at all until a deadline has passed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

# Sooner would be noise of a busy machine; later is late for whoever watches.
SILENT_S = 5.0
AGAIN_S = 15.0

Tell = Callable[[str], None]


def _warn(sentence: str) -> None:
    log.warning(sentence)


class Silence:
    """Watches answers to what waits. The clock is the caller's.

    :param who: of whom an answer is awaited, such as ``Kafka``.
    :param until_s: how long something may wait at all.
    :param tell: takes a sentence; a warning of the log if not given.
    """

    def __init__(self, who: str, *, until_s: float, tell: Tell = _warn) -> None:
        self._who = who
        self._until_s = until_s
        self._after_s = min(SILENT_S, until_s / 2)
        self._tell = tell
        self._answers = 0
        self._since: float | None = None
        self._told_at: float | None = None

    def look(self, now: float, answers: int, waiting: int, what: str = "events") -> None:
        """Take a look; cheap enough for every millisecond.

        :param answers: how many there were by now.
        :param waiting: how many are awaited.
        :param what: what waits, in words.
        """
        if self._since is None or answers != self._answers or not waiting:
            if self._told_at is not None and answers != self._answers and self._since is not None:
                self._tell(f"{self._who} answers again, after {now - self._since:.0f} s")
            self._answers, self._since, self._told_at = answers, now if waiting else None, None
            return
        silent_s = now - self._since
        if silent_s < self._after_s or (self._told_at is not None and now - self._told_at < AGAIN_S):
            return
        self._told_at = now
        left_s = self._until_s - silent_s
        until = f"they are given up in {left_s:.0f} s" if left_s > 0 else "they are being given up"
        self._tell(f"{self._who} has not answered for {silent_s:.0f} s: {waiting:,} {what} wait, {until}")


@contextmanager
def telling_if_silent(who: str, doing: str, *, until_s: float, tell: Tell = _warn) -> Iterator[None]:
    """Say so when what happens inside takes long; once, and again when it is over.

    :param doing: what is being done, as in "looking the schema up".
    :param until_s: when it is given up.
    """
    told = threading.Event()

    def say() -> None:
        told.set()
        tell(f"{who} has not answered for {after_s:.0f} s, {doing}; given up after {until_s:.0f} s")

    after_s = min(SILENT_S, until_s / 2)
    timer = threading.Timer(after_s, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if told.is_set():
        tell(f"{who} answers again")
