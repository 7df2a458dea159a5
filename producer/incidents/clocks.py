"""Which second of the run it is: from what its shards tell here, or from what Kafka tells of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Lock

from cluster.connection import KafkaSettings
from cluster.errors import StreamproofError
from cluster.reading import TopicReader, look_at_topic
from producer.send.meter import Progress
from schemas.control_topic import ControlTopic, read_control_topic
from schemas.manifest import Manifest

# How often Kafka is asked whether a run has begun, and whether it is over.
_LOOK_S = 0.25
_END_S = 1.0


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
    """The clock of a run whose shards are elsewhere: it begins with the time that the first event in the topic has.

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
        self._next_look = self._next_end = 0.0
        self._over = False

    def __call__(self) -> float | None:
        """Return the second of the run; ``None`` before it began, or while Kafka does not say."""
        if self._began is None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_S
            try:
                self._began = self._find()
            except StreamproofError:
                return None
        return None if self._began is None else (self._now() - self._began).total_seconds()

    def is_over(self) -> bool:
        """Tell whether every shard says that it came to its end; not while Kafka does not say."""
        if self._over or time.monotonic() < self._next_end:
            return self._over
        try:
            manifests = _of_run(self._read(), self._run_id)
        except StreamproofError:
            manifests = []
        self._next_end = time.monotonic() + _END_S
        ended = [each for each in manifests if each.status == "finished" and not each.interrupted]
        self._over = bool(manifests) and len(ended) == max(each.shards for each in manifests)
        return self._over

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
        first = min(manifests, key=lambda manifest: manifest.started_at)
        starts = {
            partition: max(mark.low, first.start_offsets.get(partition, 0))
            for partition, mark in bounds.items()
            if mark.high > max(mark.low, first.start_offsets.get(partition, 0))
        }
        return self._stamp_of_the_first(starts, datetime.fromisoformat(first.started_at), now) if starts else None

    def _stamp_of_the_first(self, starts: Mapping[int, int], since: datetime, now: datetime) -> datetime:
        """Return the time of the first event; a clock that is wrong on purpose may have stamped it with another."""
        with TopicReader(self._kafka, self._topic) as reader:
            reader.assign(starts, {partition: start + 1 for partition, start in starts.items()})
            stamps = [datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC) for message in reader.messages()]
        return min((stamp for stamp in stamps if since <= stamp <= now), default=now)


def _of_run(control: ControlTopic, run_id: str) -> list[Manifest]:
    return [manifest for (run, _), manifest in control.manifests.items() if run == run_id]
