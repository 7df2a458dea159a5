"""All shards of a run from one command: one process for each, because one Python process fills one core."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from typing import Any

from cluster.connection import Connection
from cluster.errors import DependencyDown, StreamproofError, Terminal
from producer.emit import produce_shard
from producer.meter import Progress
from producer.plan import ProduceRequest
from schemas.manifest import Manifest, count

_LOOK_S = 0.1
# A worker settles within four seconds of a stop; one that does not is ended.
_STOP_GRACE_S = 6.0


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to. ``error`` is the one that decides the exit code; the manifests there are come with it."""

    request: ProduceRequest
    manifests: tuple[Manifest, ...]
    seconds: float
    error: StreamproofError | None = None

    def document(self) -> dict[str, Any]:
        """Return what ``produce --json`` prints."""
        return {
            "run_id": self.request.run_id,
            "topic": self.request.topic,
            "scenario": self.request.scenario,
            "seed": self.request.seed,
            "shards": [
                {
                    "shard": manifest.shard,
                    "first_sequence": manifest.first_sequence,
                    "next_sequence": manifest.next_sequence,
                    "acknowledged": manifest.acknowledged,
                    "failed": count(manifest.failed),
                    "unknown": count(manifest.unknown),
                    "interrupted": manifest.interrupted,
                    "resumed": manifest.resumed,
                    "publish_delay_ms": manifest.publish_delay_ms,
                }
                for manifest in self.manifests
            ],
            "generated": sum(manifest.next_sequence - manifest.first_sequence for manifest in self.manifests),
            "acknowledged": sum(manifest.acknowledged for manifest in self.manifests),
            "failed": sum(count(manifest.failed) for manifest in self.manifests),
            "unknown": sum(count(manifest.unknown) for manifest in self.manifests),
            "seconds": round(self.seconds, 3),
        }


def produce_run(
    connection: Connection,
    request: ProduceRequest,
    *,
    shards: tuple[int, ...],
    stop: threading.Event,
    progress: Callable[[Progress], None] | None = None,
    at_start: Callable[[], None] | None = None,
) -> RunResult:
    """Produce some shards of a run: one in this process, several in a process each.

    :param progress: called with the progress of one shard at a time.
    :param at_start: called in each new process, such as to set up its logs; importable by name.
    """
    started = time.monotonic()
    if len(shards) == 1:
        outcomes = [_in_this_process(connection, request.for_shard(shards[0]), stop, progress)]
    else:
        outcomes = _in_processes(connection, [request.for_shard(shard) for shard in shards], stop, progress, at_start)
    manifests = tuple(manifest for manifest, _ in outcomes if manifest is not None)
    errors = [error for _, error in outcomes if error is not None]
    return RunResult(request, manifests, time.monotonic() - started, _worst(errors))


_Outcome = tuple[Manifest | None, StreamproofError | None]


def _in_this_process(
    connection: Connection,
    request: ProduceRequest,
    stop: threading.Event,
    progress: Callable[[Progress], None] | None,
) -> _Outcome:
    try:
        return produce_shard(connection, request, stop=stop, progress=progress), None
    except StreamproofError as error:
        return getattr(error, "manifest", None), error


def _worst(errors: list[StreamproofError]) -> StreamproofError | None:
    """Return the error that trying again does not help against, if there is one; it says how many more there are."""
    if not errors:
        return None
    worst = next((error for error in errors if isinstance(error, Terminal)), errors[0])
    if len(errors) > 1:
        worst.message += f" (and {len(errors) - 1} more shards did not finish)"
    return worst


class _Worker:
    """One process and what it said so far."""

    def __init__(
        self,
        connection: Connection,
        request: ProduceRequest,
        at_start: Callable[[], None] | None,
    ) -> None:
        context = multiprocessing.get_context("spawn")  # librdkafka's threads do not survive a fork
        self.pipe, far_end = context.Pipe()
        self.shard = request.shard
        self.outcome: _Outcome | None = None
        self.process = context.Process(
            target=_work,
            args=(connection, request, far_end, at_start),
            name=f"shard-{request.shard}",
            daemon=True,
        )
        self.process.start()
        far_end.close()

    def stop(self) -> None:
        """Ask the process to stop; it also stops when this end of the pipe is gone."""
        with contextlib.suppress(OSError):
            self.pipe.send(None)

    def listen(self, progress: Callable[[Progress], None] | None) -> bool:
        """Take one message; return whether more may follow."""
        try:
            message = self.pipe.recv()
        except EOFError:
            self.process.join(timeout=_STOP_GRACE_S)
            if self.outcome is None:
                ended = f"the process of shard {self.shard} ended with {self.process.exitcode} and said nothing"
                hint = "The same command with the same run id continues it"
                self.outcome = (None, DependencyDown(ended, hint=hint))
            return False
        if isinstance(message, Progress):
            if progress is not None:
                progress(message)
        else:
            self.outcome = message
        return True


def _in_processes(
    connection: Connection,
    requests: list[ProduceRequest],
    stop: threading.Event,
    progress: Callable[[Progress], None] | None,
    at_start: Callable[[], None] | None,
) -> list[_Outcome]:
    workers = [_Worker(connection, request, at_start) for request in requests]
    talking = {worker.pipe: worker for worker in workers}
    stopped_at: float | None = None
    try:
        while talking:
            for pipe in wait(list(talking), timeout=_LOOK_S):
                if isinstance(pipe, Pipe) and not talking[pipe].listen(progress):
                    del talking[pipe]
            if stop.is_set() and stopped_at is None:
                for worker in talking.values():
                    worker.stop()
                stopped_at = time.monotonic()
            if stopped_at is not None and time.monotonic() - stopped_at > _STOP_GRACE_S:
                for worker in talking.values():
                    worker.process.terminate()
    finally:
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            worker.process.join(timeout=_STOP_GRACE_S)
    return [worker.outcome for worker in workers if worker.outcome is not None]


def _work(
    connection: Connection,
    request: ProduceRequest,
    pipe: Pipe,
    at_start: Callable[[], None] | None,
) -> None:
    """Run one shard and tell the parent: progress, then manifest and error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says when to stop
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_follow, args=(pipe, stop), daemon=True).start()
    if at_start is not None:
        at_start()
    try:
        outcome: _Outcome = _in_this_process(connection, request, stop, pipe.send)
    except Exception:
        traceback.print_exc()
        raise
    pipe.send(outcome)


def _follow(pipe: Pipe, stop: threading.Event) -> None:
    """Stop when the parent says so, or when it is gone: then its end of the pipe is closed.

    A pipe, not ``multiprocessing.Event``: setting one waits for ever for a process that died while it waited.
    """
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    stop.set()
