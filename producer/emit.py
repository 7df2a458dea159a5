"""The main path of the producer: one shard of one run, from agreement to manifest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from cluster.connection import Connection
from cluster.errors import BrokerUnreachable, Refused, StreamproofError, TakenOver
from producer.alone import alone
from producer.attempt import AtReady, Attempt
from producer.fence import Right
from producer.fence.fence import Fence
from producer.fence.unfenced import Unfenced
from producer.judgement import Outcome, Tally, stopped, undelivered
from producer.plan.agreement import agree
from producer.plan.plan import Plan
from producer.plan.request import ProduceRequest
from producer.resume.resume import Landed, find_landed, refuse_unaccounted
from producer.send.meter import Progress
from producer.send.refusals import with_help
from schemas.control_topic import WRITE_TIMEOUT_S, paged
from schemas.manifest import Manifest, count

log = structlog.get_logger()

_STOP_MANIFEST_S = 1.0


def produce_shard(
    connection: Connection,
    request: ProduceRequest,
    *,
    stop: threading.Event,
    progress: Callable[[Progress], None] | None = None,
    at_ready: AtReady | None = None,
) -> Manifest:
    """Produce one shard of a run to its end, as :func:`run_shard` does by its plan, and return its manifest.

    :raises Interrupted: stopped; the same request continues.
    :raises Refused: login, rights or TLS, at the start or while events were sent.
    :raises DeliveryTimedOut: events failed or are unknown; the same request sends them again.
    :raises RecordsUndelivered: the same, and some of them would be refused again.
    :raises StreamproofError: as :func:`run_shard`.
    """
    outcome = run_shard(connection, request.plan, stop=stop, progress=progress, at_ready=at_ready)
    if outcome.error is not None:
        raise outcome.error
    if outcome.manifest is None:
        raise RuntimeError("a shard ended without an error and without a manifest")
    return outcome.manifest


def run_shard(
    connection: Connection,
    plan: Plan,
    *,
    stop: threading.Event,
    progress: Callable[[Progress], None] | None = None,
    at_ready: AtReady | None = None,
) -> Outcome:
    """Produce one shard of a run and return what it ended with; the only process that does.

    1. agree: the topic exists, the schema is registered, and what the data depends on is fixed. Meanwhile the shard is
       taken: whoever sends it elsewhere cannot go on
    2. resume: a finished shard is recognised; of an unfinished one the broker is asked which events landed, once
       nothing of whoever had it before can be on its way
    3. announce: a ``running`` manifest, so that a shard that dies is known to be missing
    4. send: what is missing, when it is due; a stop, the time limit or a broker that is gone end it. Who looks on
       is told once a second, in the control topic (best effort)
    5. settle: wait for every delivery report, until a deadline; then nothing is left without a verdict
    6. declare: the ``finished`` manifest, which names what failed and what is unknown
    7. judge: an error unless every event was acknowledged

    :param stop: set by a signal: ends within four seconds, with a manifest and :class:`Interrupted` as the error.
    :param at_ready: called when the first events can be sent; the schedule begins when it returns, at the second of it
        that it returns, or where the shard goes on by itself.
    :raises Busy: another process on this machine produces the same shard.
    :raises TakenOver: another process elsewhere has taken the shard before the first event was sent.
    :raises Interrupted: stopped before the first event could be sent; the same request continues.
    :raises Refused: login, rights or TLS, at the start.
    :raises BrokerUnreachable: no broker at the start, or none left to take the manifest at the end.
    :raises Misconfigured: topic or schema missing, or the run id was used with other settings.
    :raises TopicRecreated: the run was begun on a former topic of the same name.
    :raises DataRejected: the topic holds events of the run that no manifest accounts for.
    """
    with alone(connection.kafka.bootstrap_servers, plan.topic, plan.run_id, plan.shard) as name:
        if not connection.kafka.shard_fence:
            with Unfenced(connection.kafka) as unfenced:
                return _run(connection, plan, unfenced, stop=stop, progress=progress, at_ready=at_ready)
        with Fence(connection.kafka, plan, name, stop) as fence:
            return _run(connection, plan, fence, stop=stop, progress=progress, at_ready=at_ready)


def _run(
    connection: Connection,
    plan: Plan,
    right: Right,
    *,
    stop: threading.Event,
    progress: Callable[[Progress], None] | None,
    at_ready: AtReady | None,
) -> Outcome:
    """Do what :func:`run_shard` promises."""
    began = time.perf_counter()
    # 1. agree
    agreement = agree(connection, plan, stop=stop, fenced=right.taken)
    # 2. resume
    if agreement.done and agreement.earlier is not None:
        log.info("shard is finished already", run_id=plan.run_id, shard=plan.shard)
        return Outcome(agreement.earlier, tally=Tally.of(agreement.earlier))
    right.wait_for(agreement.lease, agreement.control_ends)
    landed = Landed.nothing()
    if agreement.earlier is not None:
        landed = find_landed(connection.kafka, agreement.announced, agreement.scenario.identity, stop=stop)
        log.info("shard continues", run_id=plan.run_id, shard=plan.shard, landed=landed.count)
    else:
        refuse_unaccounted(
            connection.kafka,
            agreement.announced,
            agreement.unaccounted,
            taken_back=agreement.taken_back,
            stop=stop,
        )
    # 3. announce
    right.announce(agreement.announced)

    def look(now: Progress) -> None:
        right.tell(generated=now.generated, acknowledged=now.acknowledged, failed=now.failed)
        if progress is not None:
            progress(now)

    attempt = Attempt(connection, plan, agreement, landed, stop=stop, progress=look, began=began, right=right)
    # 4. send
    attempt.send(at_ready)
    # 5. settle
    attempt.settle()
    # 6. declare
    manifest = attempt.manifest()
    try:
        _declare(right, manifest, attempt)
    except TakenOver as error:
        # What is unknown may be on its way.
        if attempt.delivery.certain and not manifest.unknown:
            right.give_way()
        return Outcome(error=_taken_over(error, manifest))
    # 7. judge
    return _judge(connection, manifest, attempt)


def _taken_over(error: TakenOver, manifest: Manifest) -> TakenOver:
    return TakenOver(
        f"{error.message}, {manifest.acknowledged:,} events were acknowledged until then",
        where=error.where,
        hint=error.hint,
    )


def _declare(right: Right, manifest: Manifest, attempt: Attempt) -> None:
    """Write the finished manifest, or say that it could not be written."""
    timeout_s = _STOP_MANIFEST_S if attempt.stop.is_set() else WRITE_TIMEOUT_S
    try:
        whole, pages = paged(manifest)
        right.declare(whole, pages, timeout_s=timeout_s)
    except TakenOver:
        raise
    except StreamproofError as error:
        lost = count(manifest.failed) + count(manifest.unknown)
        raise BrokerUnreachable(
            f"{manifest.acknowledged:,} events acknowledged, {lost:,} not, and the manifest could not be written: "
            f"{error.message}",
            where=f"run {manifest.run_id}, shard {manifest.shard}, topic {manifest.topic}",
            hint="When the broker is back, the same command finds out what landed and continues",
        ) from None


def _judge(connection: Connection, manifest: Manifest, attempt: Attempt) -> Outcome:
    """Return what the shard came to: an error unless it ran to its end with every event acknowledged."""
    delivery, plan = attempt.delivery, attempt.plan
    copies, keyed = delivery.copies, attempt.agreement.scenario.key is not None
    was_stopped = manifest.interrupted and attempt.stop.is_set()
    reasons = delivery.reasons.all()
    if not was_stopped:
        # It may ask the broker, for which a stop leaves no time.
        reasons = with_help(reasons, connection.kafka, plan.topic, plan.run_id, keyed=keyed)
    tally = Tally.of(manifest, reasons, failed=len(copies.failed), unknown=len(copies.unknown))
    where = f"run {manifest.run_id}, shard {manifest.shard}, topic {manifest.topic}"
    problem: StreamproofError | None = None
    if was_stopped:
        problem = stopped(tally, run_id=manifest.run_id, where=where)
    elif tally.open:
        problem = undelivered(tally, run_id=manifest.run_id, where=where, cause=delivery.broken)
        if isinstance(delivery.broken, Refused | TakenOver):
            problem = type(delivery.broken)(problem.message, where=where, hint=delivery.broken.hint)
    elif delivery.broken is not None:
        problem = delivery.broken
    return Outcome(manifest, problem, tally)
