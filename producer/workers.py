"""All shards of a run from one command: one process for each, because one Python process fills one core."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from typing import Any

import structlog

from cluster.connection import Connection
from cluster.errors import DeliveryTimedOut, Interrupted, RecordsUndelivered, StreamproofError, Terminal
from producer.incidents.clocks import ProgressClock
from producer.incidents.performance import Beside, Performance
from producer.incidents.stage import stage_of
from producer.judgement import Outcome, Tally, stopped, too_slow, undelivered
from producer.plan.plan import Plan
from producer.plan.request import ProduceRequest
from producer.send.meter import Progress
from producer.send.refusals import Reason, in_order
from producer.worker import STOP_GRACE_S, Worker, outcome_of
from schemas.incidents import Incident
from schemas.manifest import Manifest, count
from schemas.rates import RateReached, rate_reached

log = structlog.get_logger()

_LOOK_S = 0.1
_UNDELIVERED = (DeliveryTimedOut, RecordsUndelivered)


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to. ``error`` is the one that decides the exit code; the manifests there are come with it.

    :param seconds: of the whole command.
    :param reasons: why Kafka did not take events, in numbers.
    :param rate: of the run, by its manifests: every attempt that ended in order.
    :param incidents: what was done to the local stack meanwhile.
    """

    plan: Plan
    manifests: tuple[Manifest, ...]
    seconds: float
    error: StreamproofError | None = None
    reasons: tuple[Reason, ...] = ()
    rate: RateReached | None = None
    incidents: tuple[Incident, ...] = ()

    @property
    def sending_s(self) -> float:
        """Seconds of sending, of all attempts; start-up and end are apart."""
        return 0.0 if self.rate is None else self.rate.seconds

    def document(self) -> dict[str, Any]:
        """Return what ``produce --json`` prints."""
        return {
            "run_id": self.plan.run_id,
            "topic": self.plan.topic,
            "scenario": self.manifests[0].scenario if self.manifests else self.plan.scenario,
            "seed": self.plan.seed,
            "shards": [
                {
                    "shard": manifest.shard,
                    "first_sequence": manifest.first_sequence,
                    "next_sequence": manifest.next_sequence,
                    "acknowledged": manifest.acknowledged,
                    "failed": count(manifest.failed),
                    "unknown": count(manifest.unknown),
                    "skipped": manifest.skipped,
                    "interrupted": manifest.interrupted,
                    "resumed": manifest.resumed,
                    "publish_delay_ms": manifest.publish_delay_ms,
                    "faults": manifest.injected,
                    "versions": {str(row.schema_used.version): row.events for row in manifest.versions},
                }
                for manifest in self.manifests
            ],
            "generated": sum(manifest.next_sequence - manifest.first_sequence for manifest in self.manifests),
            "acknowledged": sum(manifest.acknowledged for manifest in self.manifests),
            "failed": sum(count(manifest.failed) for manifest in self.manifests),
            "unknown": sum(count(manifest.unknown) for manifest in self.manifests),
            "reasons": [reason.document() for reason in self.reasons],
            "skipped": sum(manifest.skipped for manifest in self.manifests),
            "injected": sum(sum(manifest.injected.values()) for manifest in self.manifests),
            "rate": None if self.rate is None else self.rate.document(),
            "incidents": [incident.model_dump() for incident in self.incidents],
            "seconds": round(self.sending_s, 3),
            "startup_seconds": round(max(0.0, self.seconds - self.sending_s), 3),
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

    A process that dies is started again once and continues. When it dies again the run has failed: the others are
    stopped, and what they sent is kept.

    :param progress: called with the progress of one shard at a time.
    :param at_start: called in each new process, such as to set up its logs; importable by name.
    :raises Misconfigured: incidents are asked for, and the run does not go to the local stack, or that has no such
        broker.
    """
    started, plan = time.monotonic(), request.plan
    clock = ProgressClock()
    beside = _incidents(connection, plan, shards, clock, stop)

    def hear(said: Progress) -> None:
        clock.hear(said)
        if progress is not None:
            progress(said)

    incidents: list[Incident] = []
    try:
        if len(shards) == 1:
            outcomes = [outcome_of(connection, plan.for_shard(shards[0]), stop, hear)]
        else:
            plans = [plan.for_shard(shard) for shard in shards]
            outcomes = _in_processes(connection, plans, stop, lambda _, said: hear(said), at_start)
    finally:
        if beside is not None:
            incidents = beside.end()
    return _result(plan, outcomes, time.monotonic() - started, incidents)


def produce_feeds(
    connection: Connection,
    requests: Sequence[ProduceRequest],
    *,
    stop: threading.Event,
    progress: Callable[[Plan, Progress], None] | None = None,
    at_start: Callable[[], None] | None = None,
) -> tuple[RunResult, ...]:
    """Produce several feeds of one run side by side, each to its topic and every shard of each in its own process.

    As :func:`produce_run` does it for one: all begin together, and a process that is lost stops the others.
    Incidents are not done.

    :param progress: called with the plan of a shard and its progress.
    """
    started = time.monotonic()
    plans = [request.plan.for_shard(shard) for request in requests for shard in range(request.shards)]
    outcomes = iter(_in_processes(connection, plans, stop, progress or (lambda *_: None), at_start))
    by_feed = [(request.plan, [next(outcomes) for _ in range(request.shards)]) for request in requests]
    seconds = time.monotonic() - started
    return tuple(_result(plan, own, seconds) for plan, own in by_feed)


def _result(plan: Plan, outcomes: list[Outcome], seconds: float, incidents: Sequence[Incident] = ()) -> RunResult:
    """Return what the outcomes of the shards of a plan come to."""
    manifests = tuple(outcome.manifest for outcome in outcomes if outcome.manifest is not None)
    reasons = in_order(reason for outcome in outcomes for reason in outcome.tally.reasons)
    rate, where = rate_reached(manifests), f"run {plan.run_id}, topic {plan.topic}"
    error = _error(plan, outcomes) or too_slow(rate, plan.require_rate, run_id=plan.run_id, where=where)
    return RunResult(plan, manifests, seconds, error, reasons, rate, tuple(incidents))


def _incidents(
    connection: Connection, plan: Plan, shards: tuple[int, ...], clock: ProgressClock, stop: threading.Event
) -> Beside | None:
    """Have the incidents of the run done beside it: once for all its shards, by whoever has the first."""
    if not plan.incidents or 0 not in shards:
        return None
    stage = stage_of(connection, plan.incidents)
    for warning in stage.warnings(plan.incidents, plan.delivery_timeout_s):
        log.warning(warning)
    performance = Performance(connection.kafka, plan.topic, plan.run_id, plan.incidents, stage, run_clock=clock)
    return Beside(performance, stop)


def _error(plan: Plan, outcomes: list[Outcome]) -> StreamproofError | None:
    """Return the error that decides. A stop, or events that Kafka did not take, is told of all shards together."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    worst = min(errors, key=_rank, default=None)
    whole = sum((outcome.tally for outcome in outcomes), Tally())
    where = f"run {plan.run_id}, topic {plan.topic}"
    if worst is not None and len(outcomes) > 1:
        if all(isinstance(error, Interrupted) for error in errors) and whole != Tally():
            return stopped(whole, run_id=plan.run_id, where=where)
        if isinstance(worst, _UNDELIVERED):
            worst = undelivered(whole, run_id=plan.run_id, where=where)
            return _worst([worst, *(error for error in errors if not isinstance(error, _UNDELIVERED))])
    return _worst(errors)


def _worst(errors: list[StreamproofError]) -> StreamproofError | None:
    """Return the error that decides: one that trying again does not help against, else one that is not a mere stop.

    It says how many more there are.
    """
    if not errors:
        return None
    worst = min(errors, key=_rank)
    if len(errors) > 1:
        others = len(errors) - 1
        worst.message += f" (and {others} more shard{'s' if others > 1 else ''} did not finish)"
    return worst


def _rank(error: StreamproofError) -> tuple[bool, bool]:
    return not isinstance(error, Terminal), isinstance(error, Interrupted)


def _in_processes(
    connection: Connection,
    plans: list[Plan],
    stop: threading.Event,
    progress: Callable[[Plan, Progress], None],
    at_start: Callable[[], None] | None,
) -> list[Outcome]:
    """Start the workers, and listen until each has an outcome; a stop or a lost worker stops all of them.

    Where there is a schedule, all begin it when the last is ready, so that the shards add up to it at every moment.
    """
    workers = [Worker(connection, plan, at_start) for plan in plans]
    stopped_at: float | None = None
    start = CommonStart()
    try:
        while running := {worker.pipe: worker for worker in workers if worker.outcome is None}:
            for pipe in wait(list(running), timeout=_LOOK_S):
                worker = running[pipe]  # type: ignore[index]  # of what was passed in
                worker.listen(partial(progress, worker.plan))
            start.let_begin(workers)
            if stopped_at is None and (stop.is_set() or any(worker.lost for worker in workers)):
                for worker in workers:
                    worker.stop()
                stopped_at = time.monotonic()
            if stopped_at is not None and time.monotonic() - stopped_at > STOP_GRACE_S:
                for worker in running.values():
                    worker.process.kill()
    finally:
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            worker.end()
    return [worker.outcome for worker in workers if worker.outcome is not None]


class CommonStart:
    """When the shards of a command begin: together, once all are ready; one that was started again begins at once.

    Those that send events at their own times have one clock. It begins at the start, or, where some go on, with the
    first of their next events; who was started again joins it at the second that it is by now.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_at: float | None = None
        self._first_s = 0.0

    def let_begin(self, workers: Sequence[Worker]) -> None:
        """Let those that wait begin, if it is time."""
        now = self._clock()
        if self._began_at is None:
            if not all(worker.waiting or worker.outcome is not None for worker in workers):
                return
            self._began_at = now
            self._first_s = _first_second(workers)
        for worker in workers:
            if worker.waiting:
                worker.go(self._first_s + now - self._began_at if worker.plan.own_times else None)


def _first_second(workers: Sequence[Worker]) -> float:
    """Return the second at which the common clock begins."""
    ready = [worker.ready for worker in workers if worker.ready is not None and worker.plan.own_times]
    nexts = [each.next_s for each in ready if math.isfinite(each.next_s)]
    return min(nexts, default=0.0) if any(each.landed for each in ready) else 0.0
