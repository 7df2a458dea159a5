"""Is what a topic's run sent in what somebody's pipeline stored, once, unaltered?

Open :func:`audit_pipeline` first: it is the protocol.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from cluster.connection import Connection
from cluster.errors import Interrupted, PlaceMissing, TopicMissing, Transient
from consumer.pipeline.asked import Asked
from consumer.pipeline.claims import read_all_claims, read_also, read_claims
from consumer.pipeline.look import Progress, TruthOf, Work, look
from consumer.pipeline.result import PipelineResult
from consumer.pipeline.session import ProofSession, proof_session, stopped
from consumer.pipeline.stored import StoredPlace

# Between two looks at a pipeline that is at work: as long as a look takes, within these, seconds.
_LEAST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 15.0

log = structlog.get_logger()


def audit_pipeline(
    connection: Connection,
    topic: str,
    place: StoredPlace,
    truth_of: TruthOf,
    *,
    run_id: str | None = None,
    asked: Asked | None = None,
    wait_s: float = 0.0,
    again: bool = False,
    stop: threading.Event | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PipelineResult:
    """Compare what a run's manifests claim with what is stored at a place. Nothing is written there.

    1. claims: read the control topic to its end; set aside what the topic cannot hold
    2. open: the place as of one moment; which columns hold the id, and which the fields of an event
    3. take: which event each row is, and 64 bits of each value that is compared
    4. tell: the run again, event by event; which of them should be there, and which values differ
    5. compare: identities, their order, and the expectations
    6. judge; where another look may change the verdict and there is time, look again. A place that is not there yet, or
       that somebody writes to, is waited for in the same way

    :param truth_of: makes the events of a run again, where that is asked for; those of a ledger are in Kafka.
    :param run_id: the run, or the ledger; when ``None`` the latest run, or the latest ledger where no run is known.
    :param wait_s: look again for so long, seconds, until the verdict is final.
    :param again: whoever asks will look again: values are compared only if nothing is missing, as before a last look.
    :raises Interrupted: stopped.
    :raises Misconfigured: no manifest names the run, or the place has not what was asked for.
    :raises StreamproofError: Kafka or the place does not answer.
    """
    began = time.monotonic()
    stop = stop or threading.Event()
    work = Work(connection, topic, asked or Asked(), truth_of, stop, progress)
    looks, once, last = 0, wait_s <= 0, wait_s <= 0 and not again
    with proof_session(stop) as session:
        while True:
            looked_at = time.monotonic()
            result = _look(session, connection, place, run_id, work, last=last, patient=not once and not last)
            looks += 1
            if result is not None and (once or last or result.judgement.final):
                return replace(result, looks=looks, seconds=round(time.monotonic() - began, 3))
            left_s = wait_s - (time.monotonic() - began)
            # The last look is a whole one.
            last = left_s <= 0
            pause_s = min(max(_LEAST_PAUSE_S, time.monotonic() - looked_at), _LONGEST_PAUSE_S, max(0.0, left_s))
            if stop.wait(pause_s):
                raise stopped()


def _look(
    session: ProofSession,
    connection: Connection,
    place: StoredPlace,
    run_id: str | None,
    work: Work,
    *,
    last: bool,
    patient: bool,
) -> PipelineResult | None:
    """Take steps 1 to 6 once.

    :param patient: return ``None`` where the place cannot be looked at yet.
    """
    # 1. claims
    claims = (
        read_all_claims(connection, work.topic) if work.asked.all_runs else read_claims(connection, work.topic, run_id)
    )
    also = [read_also(connection, each, claims, all_runs=work.asked.all_runs) for each in work.asked.also]
    try:
        # 2. open
        with place.open() as rows:
            # 3. to 6.
            return look(session, claims, rows, work, also=also, last=last)
    except Interrupted:
        raise
    except (Transient, PlaceMissing, TopicMissing) as error:
        # A pipeline that has only begun makes its table with the first row, and a writer lets go of its file.
        if not patient:
            raise
        log.info("it cannot be looked at yet", reason=error.message, where=error.where)
        return None
