"""One real topic with a plain run and one with injected faults, loaded and published, to be edited in copies."""

from __future__ import annotations

import copy
import importlib
import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.connection import Connection
from consumer.load.load import load
from consumer.proof.audit import audit
from consumer.proof.checks import run_checks
from consumer.publish.publish import publish
from producer import ProduceRequest, produce_shard
from schemas.control_topic import ControlTopic
from schemas.registry.contract import load_contract, subject_for
from schemas.registry.gate import Registry, gate
from tests.integration.consumer.proof.edits.places import EVENTS, FAULTED, PLAIN, SHARDS
from tests.kit.depth import DEEP
from tests.kit.shared_work import made_once
from tests.kit.topics import make_topic

audit_module = importlib.import_module("consumer.proof.audit")

FAULTS = ("duplicate=9", "dropped=7", "undecodable=18", "tombstone=5")


@dataclass(frozen=True)
class Delivered:
    """A topic with two runs that passed, its warehouse, and what was published of it."""

    connection: Connection
    topic: str
    warehouse: Path
    publications: Path

    def copy(self, folder: Path) -> Delivered:
        """Return the same with files of one's own."""
        folder.mkdir(parents=True)
        shutil.copytree(self.publications, folder / "publications", symlinks=True)
        warehouse = Path(shutil.copy(self.warehouse, folder / "warehouse.duckdb"))
        return replace(self, warehouse=warehouse, publications=folder / "publications")

    def sql(self, statements: str) -> None:
        """Change the warehouse, as somebody with DuckDB's own shell would."""
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute(statements)

    @property
    def published(self) -> Path:
        """The topic's folder among the publications."""
        return self.publications / self.topic

    @property
    def snapshot(self) -> Path:
        """The snapshot that readers see."""
        return (self.published / "current").resolve()


def deliver(connection: Connection, topic: str, run_id: str, **how: Any) -> None:
    """Produce a run, a shard after the other, in this process."""
    for shard in range(SHARDS):
        facts: dict[str, Any] = {
            "topic": topic,
            "run_id": run_id,
            "shard": shard,
            "shards": SHARDS,
            "events": EVENTS,
            "seed": 7,
        }
        produce_shard(connection, ProduceRequest(**facts | how), stop=threading.Event())


@pytest.fixture(scope="session")
def made(connection: Connection, shared_folder: Path) -> Delivered:
    """Two runs of a topic in one warehouse, both passed and published. Nobody changes it: edit a copy."""
    once = made_once(shared_folder / "edits", lambda folder: make(connection, folder).topic)
    return delivered(connection, once.said, once.folder)


def delivered(connection: Connection, topic: str, folder: Path) -> Delivered:
    """Return what lies in a folder."""
    return Delivered(connection, topic, folder / "warehouse.duckdb", folder / "publications")


def make(connection: Connection, folder: Path) -> Delivered:
    """Produce, load, judge and publish both runs."""
    topic = f"edits-{uuid.uuid4().hex[:12]}"
    make_topic(connection, topic)
    contract = load_contract("customer_events")
    with Registry(connection.registry) as registry:
        gate(registry, contract, subject_for(topic), up_to=contract.active + 1)
    made = delivered(connection, topic, folder)
    deliver(connection, topic, PLAIN, next_version_share=0.4)
    load(connection, topic, made.warehouse, stop=threading.Event())
    deliver(connection, topic, FAULTED, faults=FAULTS)
    load(connection, topic, made.warehouse, stop=threading.Event())
    for run_id in (PLAIN, FAULTED):
        assert audit(connection, made.warehouse, topic, run_id).verdict == "PASSED"
        assert not run_checks(made.warehouse, run_id, topic=topic).blocked_by
        publish(made.warehouse, topic, run_id, made.publications)
    return made


@pytest.fixture
def own(made: Delivered, tmp_path: Path) -> Delivered:
    """The same with files of this test's own, to edit."""
    return made.copy(tmp_path / "own")


@pytest.fixture(scope="session")
def heard(made: Delivered) -> Callable[[], tuple[ControlTopic, object]]:
    """What the control topic and the topic say, asked once: a copy at each call."""
    control = audit_module.read_control_topic(made.connection.kafka, made.topic)
    ends = audit_module.look_at_topic(made.connection.kafka, made.topic)
    return lambda: (copy.deepcopy(control), ends)


@pytest.fixture
def _kafka_asked_once(heard: Callable[[], tuple[ControlTopic, object]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let audits take what Kafka said once, at ordinary depth: no edit of a file changes it."""
    if not DEEP:
        monkeypatch.setattr(audit_module, "read_control_topic", lambda *_: heard()[0])
        monkeypatch.setattr(audit_module, "look_at_topic", lambda *_: heard()[1])
