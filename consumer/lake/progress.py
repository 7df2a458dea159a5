"""What a job of a lake says of itself: while it runs, and at its end."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from consumer.lake.published import Published, last_batch
from consumer.load.progress import PartitionResult


@dataclass(slots=True)
class TopicProgress:
    """How far one topic is. Offsets count everything that was read, rows only events.

    :ivar last_batch: the newest batch that was heard of; ``None`` until the job has said where it begins.
    :ivar behind: offsets of a followed topic that were not read when Spark last looked; ``None`` before it did.
    """

    topic: str
    last_batch: int | None = None
    starts: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    next_offsets: dict[int, int] = field(default_factory=dict)
    rows: int = 0
    quarantined: int = 0
    tombstones: int = 0
    batches: int = 0
    offsets: int = 0
    seconds: float = 0.0
    behind: int | None = None

    @property
    def offsets_total(self) -> int:
        """Offsets between the listed positions and the ends, when the job began."""
        return sum(max(0, end - self.starts.get(partition, end)) for partition, end in self.ends.items())

    def note_published(self, published: Published) -> None:
        """Take the batches of the list that a killed job had published and did not live to say."""
        if self.last_batch is None:
            return
        if self.last_batch is None:
            return
        unheard = [batch for batch in published.batches if batch.batch_id > self.last_batch]
        for batch in unheard:
            self.rows += batch.rows
            self.quarantined += batch.quarantined
            self.tombstones += sum(one.tombstones for one in batch.partitions)
            self.offsets += sum(one.end - one.start for one in batch.partitions)
            self.batches += 1
        if unheard:
            self.last_batch = last_batch(published)
            self.next_offsets = dict(published.next_offsets)

    def result(self) -> TopicResult:
        """Return what the run did to the topic."""
        partitions = [
            PartitionResult(partition, self.starts.get(partition, 0), max(self.ends.get(partition, at), at), at)
            for partition, at in sorted(self.next_offsets.items())
        ]
        return TopicResult(
            self.topic,
            self.rows,
            self.quarantined,
            self.tombstones,
            self.batches,
            partitions,
            round(self.seconds, 3),
        )


@dataclass(slots=True)
class LakeProgress:
    """How far a job is; ``ready`` once Spark has started."""

    topics: dict[str, TopicProgress]
    began: float
    ready_at: float | None = None

    @property
    def rows(self) -> int:
        """Events that are published."""
        return sum(one.rows for one in self.topics.values())

    @property
    def quarantined(self) -> int:
        """Records that were set aside."""
        return sum(one.quarantined for one in self.topics.values())

    @property
    def offsets(self) -> int:
        """Offsets that are behind the published positions."""
        return sum(one.offsets for one in self.topics.values())

    @property
    def offsets_total(self) -> int:
        """Offsets that were there when the job began."""
        return sum(one.offsets_total for one in self.topics.values())

    @property
    def batches(self) -> int:
        """Batches that are published."""
        return sum(one.batches for one in self.topics.values())

    @property
    def behind(self) -> int | None:
        """Offsets that followed topics have beyond what is read; ``None`` while one is not known."""
        known = [one.behind for one in self.topics.values() if one.behind is not None]
        return sum(known) if len(known) == len(self.topics) else None

    @property
    def seconds(self) -> float:
        """Since Spark has started."""
        return 0.0 if self.ready_at is None else time.monotonic() - self.ready_at

    @property
    def rate(self) -> float:
        """Rows a second since Spark has started."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the bound at the rate so far."""
        done = self.offsets
        return max(0, self.offsets_total - done) * self.seconds / done if done else None

    def note(self, said: dict[str, Any]) -> None:
        """Take a line of the job."""
        if said["kind"] == "ready":
            self.ready_at = time.monotonic()
        topic = self.topics.get(str(said.get("topic")))
        if topic is None:
            return
        if said["kind"] == "begin":
            topic.starts, topic.ends = _offsets(said["starts"]), _offsets(said["ends"])
            topic.next_offsets = dict(topic.starts)
            topic.last_batch = int(said["last_batch"])
        elif said["kind"] == "lag":
            topic.behind = int(said["behind"])
        elif said["kind"] == "batch":
            topic.rows += said["rows"]
            topic.quarantined += said["quarantined"]
            topic.tombstones += said["tombstones"]
            topic.offsets += said["offsets"]
            topic.batches += 1
            topic.last_batch = int(said["batch_id"])
            topic.next_offsets = _offsets(said["next_offsets"])
            topic.seconds = self.seconds


@dataclass(frozen=True, slots=True)
class TopicResult:
    """What one run did to one topic."""

    topic: str
    rows: int
    quarantined: int
    tombstones: int
    batches: int
    partitions: list[PartitionResult]
    seconds: float


@dataclass(frozen=True, slots=True)
class LakeResult:
    """What one run did.

    :ivar startup_seconds: until Spark had started; it is in ``seconds``.
    """

    lake: str
    table_format: str
    topics: list[TopicResult]
    seconds: float
    startup_seconds: float
    log: str

    def document(self) -> dict[str, Any]:
        """Return the result as ``lake --json`` prints it."""
        rounded = {"seconds": round(self.seconds, 3), "startup_seconds": round(self.startup_seconds, 3)}
        return asdict(self) | rounded


def _offsets(said: dict[str, int]) -> dict[int, int]:
    return {int(partition): offset for partition, offset in said.items()}
