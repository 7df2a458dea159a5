"""One thread that works on the sink while the next chunk is fetched and decoded.

A commit takes as long as several chunks, so several may wait: few enough, and small enough, that memory is bounded.
Whatever fails in the thread is raised where the next chunk is handed over. Nothing that was handed over later is
stored then; the compare-and-set of positions would refuse it as well.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import ParamSpec, Self, TypeVar

from consumer.sinks import Batches, Stored
from consumer.sinks.batch import Chunk

# Chunks, and bytes of values in them, that are being stored or wait. Decoded, a chunk takes about 1.5 times its values.
MAX_PENDING = 8
MAX_PENDING_BYTES = 48 * 1024 * 1024
# A stopped command must be gone within 4 s: what takes longer is rolled back.
ABANDON_AFTER_S = 2.0
_POLL_S = 0.1

P = ParamSpec("P")
T = TypeVar("T")


class Writer:
    """Stores chunks in order, in a thread of its own. Use it as a context manager.

    Leaving it normally, or after a stop, commits what was handed over; leaving it with an error rolls it back.

    :param stored: called, in the caller's thread, with what each batch held once it is durable.
    """

    def __init__(self, batches: Batches, stop: threading.Event, stored: Callable[[Stored], None]) -> None:
        self._batches = batches
        self._stop = stop
        self._stored = stored
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sink")
        self._waiting: deque[Future[Stored | None]] = deque()
        self._sizes: dict[Future[Stored | None], int] = {}
        self._failed = False

    def submit(self, chunk: Chunk) -> None:
        """Hand a chunk over, after waiting for a free place.

        :raises StreamproofError: an earlier chunk could not be stored.
        """
        size_bytes = int(chunk.records.sizes.sum())
        self.settle()
        while self._waiting and not self._has_room(size_bytes) and not self._stop.is_set():
            self._reap()
        future = self._pool.submit(self._add, chunk)
        self._waiting.append(future)
        self._sizes[future] = size_bytes

    def commit(self) -> None:
        """Let what was handed over be committed, without waiting for it."""
        self._waiting.append(self._pool.submit(self._commit))

    def settle(self) -> None:
        """Report the batches that are durable by now.

        :raises StreamproofError: something that was handed over could not be stored.
        """
        while self._waiting and self._waiting[0].done():
            self._reap()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the sink's thread and return what it gives.

        What was handed over is committed first: the function may change tables.
        """
        self._waiting.append(self._pool.submit(self._batches.commit))
        return self._pool.submit(function, *args, **kwargs).result()

    def _add(self, chunk: Chunk) -> Stored | None:
        """Store a chunk, unless one before it could not be stored."""
        if self._failed:
            return None
        try:
            return self._batches.add(chunk)
        except BaseException:
            self._failed = True
            raise

    def _commit(self) -> Stored | None:
        """Commit what was stored, unless something before it could not be."""
        return None if self._failed else self._batches.commit()

    def _has_room(self, size_bytes: int) -> bool:
        return len(self._waiting) < MAX_PENDING and sum(self._sizes.values()) + size_bytes <= MAX_PENDING_BYTES

    def _reap(self) -> None:
        """Wait a moment for the oldest chunk, and report the batch that it completed."""
        done, _ = wait([self._waiting[0]], timeout=_POLL_S)
        if done:
            future = self._waiting.popleft()
            self._sizes.pop(future, None)
            stored = future.result()
            if stored is not None:
                self._stored(stored)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._drop_what_waits()
            if self._waiting:
                self._batches.interrupt()
            self._pool.submit(self._batches.rollback)
            self._pool.shutdown(wait=True)

    def _drop_what_waits(self) -> None:
        """Cancel what is not begun, the last first: no chunk may be begun after the one before it was cancelled."""
        self._waiting = deque(reversed([future for future in reversed(self._waiting) if not future.cancel()]))

    def _finish(self) -> None:
        """Commit what was handed over. After a stop there is little time: what only waits is dropped."""
        if self._stop.is_set():
            self._drop_what_waits()
        self._waiting.append(self._pool.submit(self._batches.commit))
        deadline = None
        while self._waiting:
            self._reap()
            if self._stop.is_set():
                deadline = deadline or time.monotonic() + ABANDON_AFTER_S
                if time.monotonic() > deadline:
                    self._batches.interrupt()
