"""Topics into a lake: the main path of this package."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
from consumer.lake.progress import LakeProgress, LakeResult, TopicProgress
from consumer.lake.published import TableFormat, read_published
from consumer.lake.spark_process import RunJob, new_log, run_job
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
    :ivar checkpoints: folder of Spark's checkpoints; ``None`` for beside the data that each is of.
    :ivar group: the consumer group that lag tools see; ``None`` for ``streamproof-lake-<topic>``.
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
    checkpoints: Path | None = None
    group: str | None = None
    conf: Mapping[str, str] = field(default_factory=dict)


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
            state.note(said)
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
            for one in state.topics.values():
                if one.last_batch is not None:
                    one.note_published(read_published(request.folder / one.topic))
        finally:
            shutil.rmtree(request.folder / WORK, ignore_errors=True)
    ready = state.ready_at or time.monotonic()
    return LakeResult(
        lake=str(request.folder),
        table_format=request.table_format,
        topics=[one.result() for one in state.topics.values()],
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
        checkpoints=None if request.checkpoints is None else str(request.checkpoints.absolute()),
        group=request.group,
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
