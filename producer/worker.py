"""One shard in a process of its own. One that dies is started again once, and continues what is in the topic."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import TextIO, cast

import structlog

from cluster.connection import Connection
from cluster.errors import DependencyDown, StreamproofError
from cluster.machine.child import Said, TellsParent, how_it_ended
from producer.attempt import AtReady
from producer.emit import run_shard
from producer.judgement import Outcome
from producer.plan.plan import Plan
from producer.send.meter import Progress
from producer.send.pacing import Ready

log = structlog.get_logger()

# A worker settles within four seconds of a stop; one that does not is ended.
STOP_GRACE_S = 6.0
# Shards of a schedule begin together; one that is ready does not wait longer than this for the others.
TOGETHER_S = 10.0
# Those that send events at their own times keep one clock; reading what landed may take one of them this long.
_ONE_CLOCK_S = 600.0


@dataclass(frozen=True, slots=True)
class Go:
    """The word to begin, at a second of the schedule where one clock counts for all."""

    begin_s: float | None = None


def outcome_of(
    connection: Connection,
    plan: Plan,
    stop: threading.Event,
    progress: Callable[[Progress], None] | None,
    at_ready: AtReady | None = None,
) -> Outcome:
    """Produce one shard in this process."""
    try:
        return run_shard(connection, plan, stop=stop, progress=progress, at_ready=at_ready)
    except StreamproofError as error:
        return Outcome(error=error)


class Worker:
    """The process of one shard, and what it said so far.

    ``outcome`` is there once it has ended. ``lost`` says that it died, was started again, and died again.
    ``waiting`` says that its first events are ready, and that it waits for the word to begin; ``ready`` where it is.
    """

    def __init__(self, connection: Connection, plan: Plan, at_start: Callable[[], None] | None) -> None:
        self._connection = connection
        self._plan = plan
        self._at_start = at_start
        self._told: Outcome | None = None
        self._stopping = False
        self._deaths = 0
        self.outcome: Outcome | None = None
        self.waiting = False
        self.ready: Ready | None = None
        self._start()

    @property
    def lost(self) -> bool:
        """Whether the shard has no process any more that could finish it."""
        return self._deaths > 1

    @property
    def plan(self) -> Plan:
        """What the shard is to do."""
        return self._plan

    def stop(self) -> None:
        """Ask the process to stop; it also stops when this end of the pipe is gone."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self.pipe.send(None)

    def go(self, begin_s: float | None = None) -> None:
        """Let the process begin its schedule, at a second of it if one is given."""
        self.waiting = False
        with contextlib.suppress(OSError):
            self.pipe.send(Go(begin_s))

    def listen(self, progress: Callable[[Progress], None] | None) -> None:
        """Take one message, or note that the process ended."""
        try:
            message = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self._ended()
            return
        if isinstance(message, Ready):
            self.ready, self.waiting = message, True
        elif isinstance(message, Said):
            # By this process, so that a live display knows of it.
            sys.stderr.write(message.text)
        elif isinstance(message, Progress):
            if progress is not None:
                progress(message)
        else:
            self._told = message

    def end(self) -> None:
        """Let go of the process, and end it if it does not end by itself."""
        self.pipe.close()
        self.process.join(timeout=STOP_GRACE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _start(self) -> None:
        self.waiting = False
        context = multiprocessing.get_context("spawn")  # librdkafka's threads do not survive a fork
        self.pipe, far_end = context.Pipe()
        self.process = context.Process(
            target=_work,
            args=(self._connection, self._plan, far_end, self._at_start),
            name=f"shard-{self._plan.shard}",
            daemon=True,
        )
        self.process.start()
        far_end.close()

    def _ended(self) -> None:
        """Take the outcome that was told; a process that died without one is started again, the first time."""
        self.end()  # two processes of one shard would send everything twice
        if self._told is not None:
            self.outcome = self._told
            return
        self._deaths += 1
        how, shard, run_id = how_it_ended(self.process.exitcode), self._plan.shard, self._plan.run_id
        if self._deaths == 1 and not self._stopping:
            log.warning("worker died, starting it again", run_id=run_id, shard=shard, how=how)
            self._start()
            return
        died = "died twice; the last time" if self.lost else "died while it was asked to stop:"
        self.outcome = Outcome(
            error=DependencyDown(
                f"the process of shard {shard} {died} {how}",
                where=f"run {run_id}, topic {self._plan.topic}",
                hint=f"The same command with --run-id {run_id} finds out what landed and continues",
            )
        )


def _work(
    connection: Connection,
    plan: Plan,
    pipe: Pipe,
    at_start: Callable[[], None] | None,
) -> None:
    """Run one shard and tell the parent: progress, then manifest and error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says when to stop
    stop: threading.Event = threading.Event()
    go: queue.SimpleQueue[Go] = queue.SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_follow, args=(pipe, stop, go), daemon=True).start()
    lock = threading.Lock()
    if at_start is not None:
        at_start()
    if sys.stderr is not None:
        sys.stderr = cast("TextIO", TellsParent(pipe, lock, sys.stderr))

    def tell(message: Progress | Outcome | Ready) -> None:
        # A parent that is gone hears nothing; the manifest is written all the same.
        with contextlib.suppress(OSError), lock:
            pipe.send(message)

    def begin_together(ready: Ready) -> float | None:
        tell(ready)
        until = time.monotonic() + (_ONE_CLOCK_S if plan.own_times else TOGETHER_S)
        while not stop.is_set() and time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                return go.get(timeout=0.05).begin_s
        return None

    # What is raised beside the tree is a bug, and multiprocessing prints where it was raised.
    tell(outcome_of(connection, plan, stop, tell, begin_together if plan.paced else None))


def _follow(pipe: Pipe, stop: threading.Event, go: queue.SimpleQueue[Go]) -> None:
    """Begin and stop when the parent says so; stop when it is gone: then its end of the pipe is closed.

    A pipe, not ``multiprocessing.Event``: setting one waits for ever for a process that died while it waited.
    """
    with contextlib.suppress(EOFError, OSError):
        while isinstance(word := pipe.recv(), Go):
            go.put(word)
    stop.set()
