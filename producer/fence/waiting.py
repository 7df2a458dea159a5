"""Waiting until whoever had a shard before sends nothing of it any more.

What that one was allowed to hand to its client it handed over before its lease was over, and what its client was handed
has a verdict after its delivery timeout. Both count from its last renewal, by its clock. That renewal came before this
process took the transactional id. So whoever waits for both times from then on, by a clock of its own, has waited for
long enough, and nobody compares two clocks.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping

import structlog

from cluster.connection import KafkaSettings
from cluster.errors import Interrupted
from cluster.machine.identity import has_ended, lease_clock, this_machine
from cluster.reading import TopicFollower
from schemas.leases import Lease, lease_in
from schemas.manifest import control_topic_of

log = structlog.get_logger()

# A process that stood still looks at its lease after a step, and gives up what it handed over in that step; a client
# looks once a second for what took too long.
MARGIN_S = 2.0
_LOOK_S = 0.25
_AT_ONCE = 1_000


def wait_for_predecessor(
    kafka: KafkaSettings,
    topic: str,
    before: Lease | None,
    control_ends: Mapping[int, int],
    *,
    name: str,
    taken_at: float,
    stop: threading.Event,
) -> None:
    """Return when the process that had the shard before sends nothing any more.

    At once where there was none, and where it ran on this machine and has ended. Sooner than its times say when it
    tells that it was fenced and has stopped.

    :param before: its lease, which it did not give back.
    :param control_ends: where the control topic ended when that was read.
    :param name: the name that this process holds on this machine.
    :param taken_at: when this process took the transactional id, by :func:`lease_clock`.
    :raises Interrupted: ``stop`` was set.
    """
    if before is None or _known_to_have_ended(before, name):
        return
    until = taken_at + before.lease_s + before.settle_s + MARGIN_S
    if lease_clock() >= until:
        return
    log.warning(
        "another process had this shard and did not give it back, waiting until nothing of it can be on its way",
        run_id=before.run_id,
        shard=before.shard,
        holder=before.holder,
        seconds=round(until - lease_clock()),
    )
    with TopicFollower(kafka, control_topic_of(topic), purpose="produce") as follower:
        follower.assign(control_ends)
        while lease_clock() < until:
            records, _ = follower.fetch(_AT_ONCE, stop, wait_s=_LOOK_S)
            if stop.is_set():
                raise Interrupted(
                    "stopped while waiting for another process to let go of the shard, before anything was sent",
                    where=f"run {before.run_id}, shard {before.shard}, topic {topic}",
                    hint="The same command continues",
                )
            told = [lease for message in records.messages if (lease := lease_in(message)) is not None]
            if any(lease.token == before.token and lease.released for lease in told):
                log.info("the other process has stopped", run_id=before.run_id, shard=before.shard)
                return


def _known_to_have_ended(before: Lease, name: str) -> bool:
    """Tell whether the predecessor ran on this machine, and is gone.

    On Linux the name says so: two live processes never hold the same. Elsewhere its number has to be free.
    """
    if before.machine != this_machine():
        return False
    return before.name == name if sys.platform == "linux" else has_ended(before.pid)
