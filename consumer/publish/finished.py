"""Publishing while a topic is followed: every run that has ended is proved, and shown to readers if it passed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from cluster.connection import Connection
from cluster.errors import StreamproofError, Transient
from consumer.proof.audit import audit
from consumer.proof.checks import run_checks
from consumer.publish.publish import publish
from consumer.sinks import DEFAULT_WAIT_S, Place
from schemas.control_topic import ControlTopic, read_control_topic

log = structlog.get_logger()

_PUBLISHED = "SELECT DISTINCT run_id FROM publications"

# Says what became of a run, in words; ``True`` when readers see it.
Told = Callable[[str, str, bool], None]


class FinishedRuns:
    """What ``load --follow`` lets into its warehouse now and then: see :class:`consumer.load.follow.Aside`.

    A run is taken up when each of its shards has said that it is finished. One whose audit is UNKNOWN, because the load
    is behind perhaps, is tried again the next time; one that failed is told once, and shown to nobody.

    :param every_s: how often to look whether a run has ended, in seconds.
    :param told: is told of each run that was tried: its id, a sentence, and whether readers see it.
    """

    def __init__(
        self, connection: Connection, topic: str, place: Place, publications: Path, *, every_s: float, told: Told
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._place = place
        self._publications = publications
        self._every_s = every_s
        self._told = told
        self._look_at = time.monotonic() + every_s
        self._settled: set[str] | None = None
        self._ended: list[str] = []

    def is_due(self) -> bool:
        """Tell whether a run has ended of which nothing is known yet; the control topic is read once an interval."""
        if time.monotonic() < self._look_at:
            return bool(self._ended)
        self._look_at = time.monotonic() + self._every_s
        try:
            ended = ended_runs(read_control_topic(self._connection.kafka, self._topic))
        except StreamproofError as error:
            log.info("no run is published now: the control topic cannot be read", error=error.message)
            return False
        self._ended = [run for run in ended if run not in (self._settled or ())]
        return bool(self._ended)

    def work(self) -> list[str]:
        """Prove and publish what has ended, and return the runs that readers see now and did not before."""
        if self._settled is None:
            with self._place.to_look(topic=self._topic) as warehouse:
                self._settled = {str(run) for (run,) in warehouse.rows(_PUBLISHED)}
        ended, self._ended = self._ended, []
        return [run for run in ended if run not in self._settled and self._publish(run)]

    def _publish(self, run: str) -> bool:
        assert self._settled is not None
        try:
            sentence = self._proved(run)
        except Transient as error:
            self._told(run, f"not published yet: {error.message}", False)
            return False
        except StreamproofError as error:
            self._settled.add(run)
            self._told(run, f"not published: {error.message}", False)
            return False
        self._settled.add(run)
        self._told(run, sentence, True)
        return True

    def _proved(self, run: str) -> str:
        """Publish a run, if it is proved.

        :raises StreamproofError: it is not, and the sentence says why.
        """
        result = audit(self._connection, self._place, self._topic, run)
        if result.verdict == "PASSED":
            run_checks(self._place, run, topic=self._topic, wait_s=DEFAULT_WAIT_S)
        # It refuses what the audit or a blocking check did not let pass.
        published = publish(self._place, self._topic, run, self._publications)
        return f"published, {published.rows:,} events of {published.runs} runs"


def ended_runs(control: ControlTopic) -> list[str]:
    """Return the runs of which every shard has a manifest that says finished, in the order in which they began."""
    ended = []
    for run in control.runs():
        manifests = [manifest for (name, _), manifest in control.manifests.items() if name == run]
        if len(manifests) == manifests[0].shards and all(one.status == "finished" for one in manifests):
            ended.append(run)
    return ended
