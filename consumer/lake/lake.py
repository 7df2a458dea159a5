"""Topics into a lake: the main path of this package."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from cluster.connection import Connection
from cluster.errors import Interrupted, Misconfigured
from cluster.machine.spark_home import SparkHome
from cluster.text.names import check_topic_name
from consumer.lake.java_client import java_client
from consumer.lake.job.request import JobRequest
from consumer.lake.lock import lake_locked
from consumer.lake.published import TableFormat
from consumer.lake.spark_process import RunJob, new_log, run_job
from consumer.load.progress import PartitionResult
from schemas.formats import WrittenSchema

JOB = "consumer.lake.job"
WORK = ".work"  # of Spark, while it runs
MAX_RECORDS = 500_000
MEMORY = "700m"
PUBLISH_S = 5.0


@dataclass(frozen=True, slots=True)
class LakeRequest:
    """What is to be done.

    :ivar folder: the lake.
    :ivar event_times: the field that the folders of a topic go by; ``""`` for the time of the Kafka record, which is
        also what holds for a topic that is not named. A lake that is there keeps what it has.
    :ivar max_records: what a batch holds at most.
    :ivar memory: of the JVM, as Java writes it.
    :ivar follow: go on with what comes, and publish it every ``publish_s`` seconds, for ``for_s`` seconds if given.
    :ivar conf: further settings of Spark.
    """

    topics: tuple[str, ...]
    folder: Path
    master: str = "local[*]"
    table_format: TableFormat = "parquet"
    event_times: Mapping[str, str] = field(default_factory=dict)
    max_records: int = MAX_RECORDS
    memory: str = MEMORY
    follow: bool = False
    publish_s: float = PUBLISH_S
    for_s: float | None = None
    accept_gap: bool = False
    set_aside: bool = False
    plain: WrittenSchema | None = None
    conf: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class TopicProgress:
    """How far one topic is. Offsets count everything that was read, rows only events.

    :ivar behind: offsets of a followed topic that were not read when Spark last looked; ``None`` before it did.
    """

    topic: str
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


def lake(
    connection: Connection,
    request: LakeRequest,
    *,
    home: SparkHome,
    stop: threading.Event,
    progress: Callable[[LakeProgress], None] | None = None,
    run: RunJob = run_job,
) -> LakeResult:
    """Take every record that is in the topics now into the lake, exactly once; with ``follow``, what comes too.

    1. lock: one job at a time in a lake
    2. job: a process of Spark's own, which begins, reads, decodes, publishes (``job/topic.py``)
    3. end: a stop kills it with all that it started; what is published stays, and the same call continues

    :param home: where Spark is.
    :param progress: called when something is published, and when Spark has started.
    :param run: runs the job: a process of this machine, unless somebody else submits it.
    :raises Interrupted: ``stop`` was set; where topics are followed that is an ordinary end.
    :raises WarehouseLocked: another job is at work in the folder.
    :raises StreamproofError: docs/lake.md lists each kind.
    """
    began = time.monotonic()
    _check(request)
    with lake_locked(request.folder) as lock:
        log = new_log(request.folder)
        state = LakeProgress({topic: TopicProgress(topic) for topic in request.topics}, began)

        def heard(said: dict[str, Any]) -> None:
            _note(state, said)
            if progress is not None:
                progress(state)

        if progress is not None:
            progress(state)
        line = job_request(connection, request, home, locked=True).line()
        try:
            run(home, JOB, line, log=log, stop=stop, heard=heard, inherited=(lock,))
        except Interrupted:
            if not request.follow:
                raise
        finally:
            shutil.rmtree(request.folder / WORK, ignore_errors=True)
    ready = state.ready_at or time.monotonic()
    return LakeResult(
        lake=str(request.folder),
        table_format=request.table_format,
        topics=[_result(one) for one in state.topics.values()],
        seconds=time.monotonic() - began,
        startup_seconds=ready - began,
        log=str(log),
    )


def job_request(connection: Connection, request: LakeRequest, home: SparkHome, *, locked: bool = False) -> JobRequest:
    """Return what the job is told. It holds secrets: give it through a pipe, or a file that only its owner reads.

    :param locked: whoever starts the job holds the lock of the lake.
    """
    registry = connection.known_registry
    if registry is None and request.plain is None:
        registry = connection.registry  # says what is missing
    delta = request.table_format == "delta"
    plain = request.plain
    return JobRequest(
        folder=str(request.folder.absolute()),
        topics=list(request.topics),
        kafka=_told(connection.kafka),
        registry=None if registry is None else _told(registry),
        java=java_client(connection.kafka),
        jars=[str(jar) for jar in (*home.jars, *(home.delta_jars if delta else ()))],
        master=request.master,
        memory=request.memory,
        conf=dict(request.conf),
        event_times=dict(request.event_times),
        table_format=request.table_format,
        max_records=request.max_records,
        follow=request.follow,
        every_s=request.publish_s,
        for_s=request.for_s,
        accept_gap=request.accept_gap,
        set_aside=request.set_aside,
        plain=None if plain is None else {"text": plain.text, "format": plain.format},
        locked=locked,
    )


def _check(request: LakeRequest) -> None:
    for topic in request.topics:
        check_topic_name(topic)
    if len(set(request.topics)) != len(request.topics) or not request.topics:
        raise Misconfigured("each topic is named once", where=", ".join(request.topics))
    strangers = sorted(set(request.event_times) - set(request.topics))
    if strangers:
        raise Misconfigured(f"--event-time names topic {strangers[0]}, which is not to be taken")


def _told(settings: BaseModel) -> dict[str, Any]:
    """Return settings by their names, secrets plain."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in settings
        if value is not None
    }


def _note(state: LakeProgress, said: dict[str, Any]) -> None:
    if said["kind"] == "ready":
        state.ready_at = time.monotonic()
    topic = state.topics.get(str(said.get("topic")))
    if topic is None:
        return
    if said["kind"] == "begin":
        topic.starts, topic.ends = _offsets(said["starts"]), _offsets(said["ends"])
        topic.next_offsets = dict(topic.starts)
    elif said["kind"] == "lag":
        topic.behind = int(said["behind"])
    elif said["kind"] == "batch":
        topic.rows += said["rows"]
        topic.quarantined += said["quarantined"]
        topic.tombstones += said["tombstones"]
        topic.offsets += said["offsets"]
        topic.batches += 1
        topic.next_offsets = _offsets(said["next_offsets"])
        topic.seconds = state.seconds


def _result(topic: TopicProgress) -> TopicResult:
    partitions = [
        PartitionResult(partition, topic.starts.get(partition, 0), max(topic.ends.get(partition, at), at), at)
        for partition, at in sorted(topic.next_offsets.items())
    ]
    return TopicResult(
        topic.topic,
        topic.rows,
        topic.quarantined,
        topic.tombstones,
        topic.batches,
        partitions,
        round(topic.seconds, 3),
    )


def _offsets(said: dict[str, int]) -> dict[int, int]:
    return {int(partition): offset for partition, offset in said.items()}
