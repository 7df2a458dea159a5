"""Which second of the run it is: from what its shards tell here, or from what Kafka tells of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from cluster.reading import look_at_topic
from producer.send.meter import Progress
from schemas.control_topic import ControlTopic, read_control_topic
from schemas.manifest import Manifest


class ProgressClock:
    """The clock of a run whose shards report to this process; it begins with the first of them.

    :param clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._began: float | None = None

    def hear(self, progress: Progress) -> None:
        """Take what a shard says."""
        began = self._clock() - progress.run_s
        with self._lock:
            if self._began is None or began < self._began:
                self._began = began

    def __call__(self) -> float | None:
        """Return the second of the run; ``None`` before it began."""
        with self._lock:
            return None if self._began is None else self._clock() - self._began


class TopicClock:
    """The clock of a run whose shards are elsewhere: it begins when the first event is in the topic.

    Asked again and again, it asks Kafka no more once it knows. It counts the time of day from there, also while nobody
    sends: a shard that is tried again a minute later finds the clock a minute further.

    :param now: the time of day, UTC.
    """

    def __init__(
        self, kafka: KafkaSettings, topic: str, run_id: str, *, now: Callable[[], datetime] | None = None
    ) -> None:
        self._kafka, self._topic, self._run_id = kafka, topic, run_id
        self._now = now or (lambda: datetime.now(UTC))
        self._began: datetime | None = None
        self._looked = False

    def __call__(self) -> float | None:
        """Return the second of the run; ``None`` before it began, or while Kafka does not say."""
        if self._began is None:
            try:
                self._began = self._find()
            except StreamproofError:
                return None
            self._looked = True
        return None if self._began is None else (self._now() - self._began).total_seconds()

    def is_over(self) -> bool:
        """Tell whether every shard says that it came to its end; not while Kafka does not say."""
        try:
            manifests = _of_run(self._read(), self._run_id)
        except StreamproofError:
            return False
        ended = [each for each in manifests if each.status == "finished" and not each.interrupted]
        return bool(manifests) and len(ended) == max(each.shards for each in manifests)

    def _read(self) -> ControlTopic:
        return read_control_topic(self._kafka, self._topic, run_id=self._run_id)

    def _find(self) -> datetime | None:
        now, control = self._now(), self._read()
        # What was done before says when the run began more exactly than anything that can be seen now.
        recorded = control.incidents.get(self._run_id)
        for incident in recorded.incidents if recorded is not None else ():
            if incident.began_at is not None and incident.began_s is not None:
                return datetime.fromtimestamp(
                    datetime.fromisoformat(incident.began_at).timestamp() - incident.began_s, UTC
                )
        manifests = _of_run(control, self._run_id)
        if not manifests:
            return None
        _, bounds = look_at_topic(self._kafka, self._topic)
        before = min(manifests, key=lambda manifest: manifest.started_at)
        if not any(mark.high > before.start_offsets.get(partition, 0) for partition, mark in bounds.items()):
            return None
        # Whoever comes late knows no better than when the first shard set out.
        return now if self._looked else datetime.fromisoformat(before.started_at)


def _of_run(control: ControlTopic, run_id: str) -> list[Manifest]:
    return [manifest for (run, _), manifest in control.manifests.items() if run == run_id]
