"""One thread that works on the warehouse while the next batch is fetched and decoded.

At most two batches wait, so memory is bounded. Whatever fails in the thread is raised where the next batch is handed
over; the compare-and-set of positions keeps a later batch from being stored without the one before it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import ParamSpec, Self, TypeVar

from consumer.batch import Batch
from consumer.store import Store, Stored
from consumer.warehouse import Warehouse

MAX_WAITING = 2
# A stopped command must be gone within 4 s: a batch that takes longer is rolled back.
ABANDON_AFTER_S = 2.0
_POLL_S = 0.1

P = ParamSpec("P")
T = TypeVar("T")


class Writer:
    """Stores batches in order, in a thread of its own. Use it as a context manager.

    Leaving it after an error or a stop drops what waits, and finishes or rolls back what is being stored.

    :param stored: called, in the caller's thread, with what each batch held.
    """

    def __init__(
        self, warehouse: Warehouse, store: Store, stop: threading.Event, stored: Callable[[Stored], None]
    ) -> None:
        self._warehouse = warehouse
        self._store = store
        self._stop = stop
        self._stored = stored
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="warehouse")
        self._waiting: deque[Future[Stored]] = deque()

    def submit(self, batch: Batch) -> None:
        """Hand a batch over, after waiting for a free place.

        :raises StreamproofError: an earlier batch could not be stored.
        """
        while len(self._waiting) > MAX_WAITING and not self._stop.is_set():
            self._reap()
        self._waiting.append(self._pool.submit(self._store.write, batch))

    def drain(self) -> None:
        """Wait until everything is stored, or until a stop."""
        while self._waiting and not self._stop.is_set():
            self._reap()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the warehouse's thread, after the batches that wait, and return what it gives."""
        return self._pool.submit(function, *args, **kwargs).result()

    def _reap(self) -> None:
        """Wait a moment for the oldest batch, and report it when it is stored."""
        done, _ = wait([self._waiting[0]], timeout=_POLL_S)
        if done:
            self._stored(self._waiting.popleft().result())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Finish or roll back the batch at hand; what only waits is dropped."""
        running = [future for future in self._waiting if not future.cancel()]
        deadline = time.monotonic() + ABANDON_AFTER_S
        while running and time.monotonic() < deadline:
            running = list(wait(running, timeout=_POLL_S).not_done)
        if running:
            self._warehouse.connection.interrupt()
        self._pool.shutdown(wait=True)
        for future in self._waiting:
            if not future.cancelled() and future.exception() is None:
                self._stored(future.result())
        self._waiting.clear()
