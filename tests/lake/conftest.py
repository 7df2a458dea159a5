"""A lake of a test's own, and three readers of it: DuckDB here, Polars and Spark with the lake's Python."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.connection import Connection
from cluster.errors import DependencyDown
from cluster.local import PROJECT_ROOT
from cluster.machine.spark_home import SparkHome
from consumer.lake.lake import LakeRequest, job_request, lake
from consumer.lake.lock import lake_locked
from consumer.lake.progress import LakeResult
from consumer.lake.published import Published, event_files, read_published
from consumer.lake.spark_process import new_log, run_job
from stack.parts.spark import find_spark
from tests.kit.filled_topic import FilledTopic, fill_topic

READING = "tests.lake.reading"
KILLED = "tests.lake.killed_job"


@pytest.fixture(scope="session")
def spark_home() -> SparkHome:
    """Spark; without it these tests fail, and say how to get it."""
    return find_spark()


@dataclass
class Lake:
    """A lake in a folder of the test's own."""

    connection: Connection
    home: SparkHome
    folder: Path
    topics: list[str] = field(default_factory=list)

    def request(self, **options: Any) -> LakeRequest:
        """What is asked: one core of two, as other tests run beside."""
        options = {"master": "local[1]"} | options
        return LakeRequest(topics=tuple(self.topics), folder=self.folder, **options)

    def take(self, **options: Any) -> LakeResult:
        """Take what is there."""
        stop = options.pop("stop", threading.Event())
        return lake(self.connection, self.request(**options), home=self.home, stop=stop)

    def take_until_killed(self, at: str, **options: Any) -> None:
        """Take until the job kills itself, its JVM and all, at a point of ``killed_job.py``."""
        with lake_locked(self.folder) as lock, pytest.MonkeyPatch.context() as patch:
            patch.setenv("KILL_AT", at)
            line = job_request(self.connection, self.request(**options), self.home, locked=True).line()
            log, stop = new_log(self.folder), threading.Event()
            with pytest.raises(DependencyDown, match="killed by SIGKILL"):
                run_job(self.home, KILLED, line, log=log, stop=stop, heard=lambda _: None, inherited=(lock,))

    def listed(self, topic: str | None = None) -> Published:
        """The published list."""
        return read_published(self.folder / (topic or self.topics[0]))

    def files(self, topic: str | None = None) -> list[str]:
        """The files of committed events."""
        return [str(path) for path in event_files(self.folder / (topic or self.topics[0]))]

    def rows(self, query: str, topic: str | None = None) -> list[tuple[Any, ...]]:
        """Ask DuckDB, by the view that lies beside the list."""
        with duckdb.connect() as session:
            session.execute("SET TimeZone = 'UTC'")
            for statement in (self.folder / (topic or self.topics[0]) / "events.sql").read_text().split(";\n"):
                if statement.strip():
                    session.execute(statement)
            return session.execute(query).fetchall()

    def read(self, *readers: str, topic: str | None = None) -> dict[str, list[list[int]]]:
        """What each reader sees: partition, offset and checksum of every row, in order."""
        folder = self.folder / (topic or self.topics[0])
        environment = os.environ | {"PYTHONPATH": str(PROJECT_ROOT), "JAVA_HOME": str(self.home.java_home)}
        jars = ",".join(str(jar) for jar in (*self.home.jars, *self.home.delta_jars))
        done = subprocess.run(
            [self.home.python, "-m", READING, str(folder), jars, *readers],
            env=environment, capture_output=True, text=True, timeout=500, check=False, cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        found: dict[str, list[list[int]]] = json.loads(done.stdout.splitlines()[-1])
        return found

    def held(self, topic: str | None = None) -> list[list[int]]:
        """What DuckDB sees, in the same form."""
        asked = "SELECT kafka_partition, kafka_offset, value_crc FROM events ORDER BY ALL"
        return [list(row) for row in self.rows(asked, topic)]


@pytest.fixture
def new_lake(connection: Connection, spark_home: SparkHome, tmp_path: Path) -> Callable[..., Lake]:
    """A factory of lakes: ``new_lake("topic", "other")``."""
    return lambda *topics: Lake(connection, spark_home, tmp_path / "lake", list(topics))


@pytest.fixture
def new_topic(connection: Connection, topic_name: Callable[[str], str]) -> Callable[..., FilledTopic]:
    """A factory of topics that are there and empty: ``new_topic("clicks", partitions=2)``."""
    return lambda hint="lake", **how: fill_topic(connection, topic_name(hint), **how)
