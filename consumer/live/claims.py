"""What the shards of a topic say of themselves, put together from the control topic as it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cluster.connection import KafkaSettings
from cluster.errors import DependencyDown
from cluster.reading import TopicFollower
from cluster.records import Message
from schemas.control_topic import ControlTopic, Shard
from schemas.incidents import RunIncidents
from schemas.manifest import Manifest, control_topic_of, count
from schemas.progress import ShardProgress, progress_in

# Two that were to come did not: the shard was killed, or stands still, or Kafka does not take what it tells.
SILENT_S = 4.0
_AT_ONCE = 5_000
_WAIT_S = 0.05
_CAUGHT_UP_WITHIN_S = 30.0
# How many runs are told of one by one, those in progress apart.
_KEPT_RUNS = 200
RUNNING, FINISHED, INTERRUPTED, SILENT = "running", "finished", "interrupted", "silent"


@dataclass(frozen=True, slots=True)
class ShardClaim:
    """The newest that a shard said.

    :ivar generated: events, with those that were dropped on purpose once it has ended; ``None`` where it runs and has
        not told.
    :ivar heard_s: when it said this, seconds since 1970, by Kafka's clock or the producer's.
    """

    run_id: str
    shard: int
    shards: int
    scenario: str
    state: str
    started_at: str
    start_offsets: Mapping[int, int]
    asked: int | None = None
    generated: int | None = None
    acknowledged: int | None = None
    failed: int | None = None
    heard_s: float | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """What all shards of a topic say.

    :ivar mute: how many run and have not told how far they are; they are in no sum.
    :ivar at_s: the moment that the sums are of, seconds since 1970: those that run tell one after the other.
    """

    shards: tuple[ShardClaim, ...] = ()
    generated: int = 0
    acknowledged: int = 0
    mute: int = 0
    at_s: float = 0.0
    runs: Mapping[str, tuple[ShardClaim, ...]] = field(default_factory=dict)
    incidents: tuple[RunIncidents, ...] = ()


class ShardBook:
    """The newest claims, record by record, by the rules of ``schemas/control_topic/``."""

    def __init__(self) -> None:
        self._manifests: dict[Shard, tuple[Manifest, float]] = {}
        self._progress: dict[Shard, tuple[ShardProgress, float]] = {}
        self._incidents: dict[str, RunIncidents] = {}

    def take(self, message: Message) -> None:
        """Apply one record; those of a partition come in their order."""
        at_s = message.timestamp()[1] / 1000
        progress = progress_in(message)
        if progress is not None:
            self._progress[progress.run_id, progress.shard] = (progress, at_s)
            return
        said = ControlTopic()
        said.take(message)
        self._incidents.update(said.incidents)
        for shard in said.deleted:
            self._manifests.pop(shard, None)
        for shard, manifest in said.manifests.items():
            self._manifests[shard] = (_slim(manifest), at_s)

    def claims(self, now_s: float) -> Claims:
        """Return what holds now.

        :param now_s: seconds since 1970: a shard that has told nothing for a while is silent.
        """
        shards = tuple(self._claim(shard, now_s) for shard in self._manifests)
        told = [claim for claim in shards if claim.generated is not None]
        heard = [claim.heard_s for claim in told if claim.state == RUNNING and claim.heard_s is not None]
        return Claims(
            shards,
            sum(claim.generated or 0 for claim in told),
            sum(claim.acknowledged or 0 for claim in told),
            len(shards) - len(told),
            _moment(heard, now_s),
            _by_run(shards),
            tuple(self._incidents.values()),
        )

    def _claim(self, shard: Shard, now_s: float) -> ShardClaim:
        manifest, at_s = self._manifests[shard]
        ended = manifest.status == "finished"
        progress, told_s = self._progress.get(shard, (None, 0.0))
        if ended or progress is None or progress.attempt != manifest.resumed:
            progress, told_s = None, at_s
        if ended:
            state = INTERRUPTED if manifest.interrupted else FINISHED
            generated: int | None = manifest.next_sequence - manifest.first_sequence
            acknowledged: int | None = manifest.acknowledged
            failed: int | None = count(manifest.failed) + count(manifest.unknown)
        else:
            state = SILENT if now_s - told_s > SILENT_S else RUNNING
            generated = progress.generated if progress else None
            acknowledged = progress.acknowledged if progress else None
            failed = progress.failed if progress else None
        return ShardClaim(
            *shard,
            shards=manifest.shards,
            scenario=manifest.scenario,
            state=state,
            started_at=manifest.started_at,
            start_offsets=manifest.start_offsets,
            asked=manifest.asked,
            generated=generated,
            acknowledged=acknowledged,
            failed=failed,
            heard_s=told_s if told_s > 0 else None,
        )


def _moment(heard: list[float], now_s: float) -> float:
    """Return the moment that sums are of: on the average, that of the last word of those that run."""
    if not heard:
        return now_s
    at_s = sum(heard) / len(heard)
    # The clock of another machine may be wrong by any amount.
    return at_s if now_s - SILENT_S <= at_s <= now_s else now_s


def _slim(manifest: Manifest) -> Manifest:
    """Return a manifest without what takes room and is not looked at: there may be thousands."""
    lean: dict[str, object] = {
        "crc": None,
        "placed": None,
        "faults": [],
        "rate_windows": [],
        "contract": None,
        "pack": {},
    }
    return manifest.model_copy(update=lean)


def _by_run(shards: Iterable[ShardClaim]) -> dict[str, tuple[ShardClaim, ...]]:
    """Return the shards of each run: those in progress first, then the newest."""
    runs: dict[str, list[ShardClaim]] = {}
    for claim in shards:
        runs.setdefault(claim.run_id, []).append(claim)
    newest_first = sorted(runs.values(), key=lambda claims: min(claim.started_at for claim in claims), reverse=True)
    newest_first.sort(key=lambda claims: all(claim.state in {FINISHED, INTERRUPTED} for claim in claims))
    return {
        claims[0].run_id: tuple(sorted(claims, key=lambda claim: claim.shard)) for claims in newest_first[:_KEPT_RUNS]
    }


class ClaimsQuestion:
    """Follows the control topic of each topic, and says what its shards claim."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._followed: dict[str, _Followed] = {}

    def ask(self, topic: str) -> Claims:
        """Return what the shards say, up to the end of the control topic.

        :raises TopicMissing: it has no control topic.
        :raises StreamproofError: Kafka does not answer.
        """
        if topic not in self._followed:
            self._followed[topic] = _Followed(self._kafka, topic)
        try:
            return self._followed[topic].claims()
        except BaseException:
            self._drop(topic)  # it begins anew, from the first record
            raise

    def keep(self, topics: Collection[str]) -> None:
        """Close the followers of other topics."""
        for topic in [topic for topic in self._followed if topic not in topics]:
            self._drop(topic)

    def _drop(self, topic: str) -> None:
        self._followed.pop(topic).close()


class _Followed:
    """One control topic that is followed."""

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._book = ShardBook()
        self._reader = TopicFollower(kafka, control_topic_of(topic), purpose="live")
        self._stop = threading.Event()  # nobody sets it: what is waited for has a deadline
        try:
            marks = self._reader.watermarks(range(self._reader.identify().partitions))
            self._reader.assign({partition: mark.low for partition, mark in marks.items()})
        except BaseException:
            self._reader.close()
            raise

    def claims(self) -> Claims:
        """Take what is new, and return what the shards say."""
        ends = {partition: mark.high for partition, mark in self._reader.watermarks(self._reader.positions).items()}
        until = time.monotonic() + _CAUGHT_UP_WITHIN_S
        while any(at < ends[partition] for partition, at in self._reader.positions.items()):
            if time.monotonic() > until:
                raise DependencyDown("the control topic does not arrive", where=self._reader.topic)
            records, _ = self._reader.fetch(_AT_ONCE, self._stop, wait_s=_WAIT_S)
            for message in records.messages:
                self._book.take(message)
        return self._book.claims(datetime.now(UTC).timestamp())

    def close(self) -> None:
        """Leave Kafka."""
        self._reader.close()
