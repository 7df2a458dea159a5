"""From events in a real Kafka to a verdict, a snapshot and a page, by the commands that a person types."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from cluster.connection import Connection
from cluster.local import LocalStack
from cluster.topics import admin_client, apply_topics, specs_for
from consumer.load.load import load
from consumer.proof.audit import audit
from producer import ProduceRequest, produce_shard
from schemas.identity import event_id
from tests.kit.commands import streamproof, streamproof_process
from tests.kit.topics import delete_topic, make_gated

RUN = "rehearsal/one"
EVENTS = 1000
SHARDS = 2


@dataclass(frozen=True)
class Delivered:
    """A topic with one run, and its warehouse."""

    topic: str
    warehouse: Path


class Terminal:
    """Types commands, and reads what they print."""

    def __init__(self, folder: Path) -> None:
        self.publications = folder / "publications"

    def type(self, *words: str | Path) -> tuple[int, dict[str, Any], str]:
        """Run one command with ``--json`` and return exit code, document and stderr."""
        ended = streamproof(*words, "--json")
        return ended.exit_code, ended.document, ended.stderr

    def read(self, *words: str | Path) -> tuple[int, str]:
        """Run one command in a process of its own, as a person would, and return exit code and stdout."""
        ended = streamproof_process(*words)
        return ended.exit_code, ended.stdout


@pytest.fixture
def terminal(stack: LocalStack, tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def deliver(
    connection: Connection,
    topic: str,
    *,
    run_id: str = RUN,
    shards: int = SHARDS,
    only: int | None = None,
    events: int = EVENTS,
) -> None:
    """Create the topic, register its schema and produce a run, or one shard of it, in this process."""
    make_gated(connection, topic)
    for shard in range(shards) if only is None else [only]:
        request = ProduceRequest(topic=topic, run_id=run_id, shard=shard, shards=shards, seed=7, events=events)
        assert produce_shard(connection, request, stop=threading.Event()).acknowledged == events // shards


@pytest.fixture(scope="module")
def origin(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """One run, delivered and loaded once for all tests of this file."""
    topic = f"truth-{uuid.uuid4().hex[:12]}"
    warehouse = tmp_path_factory.mktemp("truth") / "warehouse.duckdb"
    deliver(connection, topic)
    load_it(connection, topic, warehouse)
    assert audit(connection, warehouse, topic, RUN).verdict == "PASSED"
    return Delivered(topic, warehouse)


def load_it(connection: Connection, topic: str, warehouse: Path) -> None:
    load(connection, topic, warehouse, stop=threading.Event())


@pytest.fixture
def delivered(origin: Delivered, tmp_path: Path) -> Delivered:
    """The same topic with a warehouse of this test's own, to damage."""
    return Delivered(origin.topic, Path(shutil.copy(origin.warehouse, tmp_path / "own.duckdb")))


def sql(path: Path, *statements: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path)) as connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


def test_a_run_is_proved_published_and_reported(terminal: Terminal, delivered: Delivered) -> None:
    place = ["--warehouse", delivered.warehouse]
    shown = ["--publications", terminal.publications]

    code, said, _ = terminal.type("audit", delivered.topic, *place)
    assert (code, said["verdict"], said["run_id"]) == (0, "PASSED", RUN)
    assert (said["expected"], said["loaded"]) == (EVENTS, EVENTS)
    damage = ("lost", "duplicated", "phantom", "altered", "reordered", "undecodable")
    assert [said[name] for name in damage] == [0] * len(damage)
    assert (said["examples"], said["uncompared"]) == ({}, 0)

    code, said, _ = terminal.type("check", delivered.topic, *place)
    assert code == 0
    assert [result for result in said["results"] if result["passed"] is not True] == []

    code, said, _ = terminal.type("publish", delivered.topic, *place, *shown)
    assert (code, said["rows"]) == (0, EVENTS)
    with duckdb.connect(
        str(terminal.publications / delivered.topic / "current" / "snapshot.duckdb"), read_only=True
    ) as db:
        assert db.execute("SELECT count(*), count(DISTINCT event_id) FROM events").fetchall() == [(EVENTS, EVENTS)]
        assert db.execute("SELECT sum(events)::BIGINT FROM event_mix").fetchall() == [(EVENTS,)]

    code, said, _ = terminal.type("report", delivered.topic, *place, *shown)
    assert code == 0
    assert said["url"].startswith("file://")
    assert "PASSED" in Path(said["path"]).read_text()


def test_a_person_reads_the_verdict_with_the_first_identities(terminal: Terminal, delivered: Delivered) -> None:
    code, text = terminal.read("audit", delivered.topic, "--warehouse", delivered.warehouse)
    assert code == 0
    assert text.startswith(f"PASSED  All {EVENTS:,} acknowledged events")
    lost = event_id(RUN, 1, EVENTS // SHARDS - 1)
    sql(delivered.warehouse, f"DELETE FROM events WHERE event_id = '{lost}'")
    code, text = terminal.read("audit", delivered.topic, "--warehouse", delivered.warehouse)
    assert code == 65
    assert lost in text


def test_a_lost_event_fails_audit_check_and_publication_and_is_reported(
    terminal: Terminal, delivered: Delivered
) -> None:
    place = ["--warehouse", delivered.warehouse]
    lost = event_id(RUN, 0, 234)
    sql(delivered.warehouse, f"DELETE FROM events WHERE event_id = '{lost}'")
    code, said, stderr = terminal.type("audit", delivered.topic, *place)
    assert (code, said["verdict"], said["lost"], said["examples"]["lost"]) == (65, "FAILED", 1, [lost])
    assert (said["error"]["kind"], said["error"]["exit_code"]) == ("VerdictFailed", 65)
    assert "streamproof report" in stderr
    code, said, _ = terminal.type("check", delivered.topic, *place)
    failed = {result["check"] for result in said["results"] if result["passed"] is False}
    assert code == 65
    assert failed == {"volume_per_shard", "ledger_counts"}
    code, said, _ = terminal.type("publish", delivered.topic, *place, "--publications", terminal.publications)
    assert (code, said["error"]["kind"]) == (65, "VerdictFailed")
    assert not list(terminal.publications.rglob("*.parquet"))
    code, said, _ = terminal.type("report", delivered.topic, *place, "--publications", terminal.publications)
    assert code == 0
    assert lost in Path(said["path"]).read_text()


def test_a_run_with_a_shard_that_never_ran_is_unknown(
    terminal: Terminal, connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic, warehouse = topic_name("half"), tmp_path / "half.duckdb"
    deliver(connection, topic, only=0, events=400)
    load_it(connection, topic, warehouse)
    code, said, stderr = terminal.type("audit", topic, "--warehouse", warehouse)
    assert (code, said["verdict"]) == (75, "UNKNOWN")
    assert "shard 1 of 2 left no manifest" in stderr
    deliver(connection, topic, only=1, events=400)
    code, said, stderr = terminal.type("audit", topic, "--warehouse", warehouse)
    assert (code, said["verdict"], said["lost"], said["awaited"]) == (75, "UNKNOWN", 0, 200)
    assert "streamproof load" in stderr
    load_it(connection, topic, warehouse)
    code, said, _ = terminal.type("audit", topic, "--warehouse", warehouse)
    assert (code, said["verdict"], said["loaded"]) == (0, "PASSED", 400)


def test_a_truncated_event_is_undecodable_and_named_by_its_first_bytes(
    terminal: Terminal, connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic, warehouse = topic_name("torn"), tmp_path / "torn.duckdb"
    deliver(connection, topic, events=200)
    consumer = Consumer(connection.kafka.as_librdkafka(group_id="unused", auto_offset_reset="earliest"))
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(10)
    consumer.close()
    assert message is not None
    assert message.error() is None
    producer = Producer(connection.kafka.as_librdkafka(acks="all"))
    producer.produce(topic, key=message.key(), value=message.value()[:-5], partition=0)
    assert producer.flush(10) == 0
    load_it(connection, topic, warehouse)
    code, said, _ = terminal.type("audit", topic, "--warehouse", warehouse)
    assert (code, said["verdict"]) == (65, "FAILED")
    assert (said["undecodable"], said["duplicated"], said["lost"]) == (1, 1, 0)
    torn = message.value()[6:42].decode()
    assert said["examples"]["undecodable"] == [torn]
    assert said["located"]["undecodable"][0]["partition"] == 0


def test_what_others_write_meanwhile_does_not_change_a_verdict(
    terminal: Terminal, connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic, warehouse = topic_name("busy"), tmp_path / "busy.duckdb"
    deliver(connection, topic, run_id="first", events=200)
    load_it(connection, topic, warehouse)
    deliver(connection, topic, run_id="second", events=200)
    # The first run is whole, and the topic went on: an answer, and in time.
    code, said, _ = terminal.type("audit", topic, "--run-id", "first", "--warehouse", warehouse)
    assert (code in {0, 75}, said["loaded"], said["lost"]) == (True, 200, 0)
    code, said, _ = terminal.type("audit", topic, "--run-id", "second", "--warehouse", warehouse)
    assert (code, said["awaited"]) == (75, 200)
    load_it(connection, topic, warehouse)
    assert [
        terminal.type("audit", topic, "--run-id", run_id, "--warehouse", warehouse)[0] for run_id in ("first", "second")
    ] == [0, 0]


def test_a_run_that_nobody_knows_is_refused_with_those_that_are_known(terminal: Terminal, delivered: Delivered) -> None:
    for command in ("audit", "check", "publish", "report"):
        code, said, stderr = terminal.type(
            command, delivered.topic, "--run-id", "nope", "--warehouse", delivered.warehouse
        )
        assert (code, said["error"]["kind"]) == (78, "Misconfigured"), command
        assert RUN in stderr


def test_a_missing_warehouse_says_to_load(terminal: Terminal, delivered: Delivered, tmp_path: Path) -> None:
    for command in ("audit", "check", "publish", "report"):
        code, said, _ = terminal.type(command, delivered.topic, "--warehouse", tmp_path / "none.duckdb")
        assert code == 78, command
        assert "streamproof load" in said["error"]["hint"]
    assert not (tmp_path / "none.duckdb").exists()


def test_a_damaged_warehouse_is_said_to_be_damaged(terminal: Terminal, delivered: Delivered) -> None:
    delivered.warehouse.write_bytes(b"not a database" * 1000)
    for command in ("audit", "check", "publish", "report"):
        assert terminal.type(command, delivered.topic, "--warehouse", delivered.warehouse)[0] == 74, command


def test_a_missing_topic_is_named_and_not_its_control_topic(terminal: Terminal, delivered: Delivered) -> None:
    code, said, _ = terminal.type("audit", f"{delivered.topic}-nope", "--warehouse", delivered.warehouse)
    assert (code, said["error"]["kind"]) == (78, "TopicMissing")
    assert "manifests" not in said["error"]["message"] + said["error"]["hint"]


def test_a_deleted_control_topic_is_said_by_all_that_need_it_and_proves_nothing(
    terminal: Terminal, connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic, place = topic_name("uncontrolled"), ["--warehouse", tmp_path / "uncontrolled.duckdb"]
    deliver(connection, topic, events=200)
    admin, control = admin_client(connection.kafka), f"{topic}.manifests"
    delete_topic(connection, control)
    code, said, _ = terminal.type("load", topic, *place)
    assert (code, said["rows"]) == (0, 200)
    code, said, _ = terminal.type("audit", topic, *place)
    assert (code, said["error"]["kind"]) == (78, "TopicMissing")
    assert f"topic {control}, which holds the manifests, does not exist" in said["error"]["message"]
    assert f"topics apply --topic {topic}`" in said["error"]["hint"]
    apply_topics(admin, specs_for(topic))
    for command in ("audit", "publish"):
        code, said, _ = terminal.type(command, topic, *place)
        assert code == 78, command
        assert "there is no manifest" in said["error"]["message"], command
    assert not list(terminal.publications.rglob("*.parquet"))


def test_a_broker_that_does_not_answer_is_said_so_in_time(terminal: Terminal, delivered: Delivered) -> None:
    code, said, _ = terminal.type(
        "audit", delivered.topic, "--warehouse", delivered.warehouse, "--bootstrap-servers", "127.0.0.1:9"
    )
    assert (code, said["error"]["kind"]) == (69, "BrokerUnreachable")
