"""Runs with incidents, on a stack of three brokers and one of one: nothing is lost, and all of it is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.connection import Connection
from cluster.topics import admin_client
from producer import ProduceRequest, produce_shard
from producer.incidents.clocks import TopicClock
from producer.incidents.performance import Performance
from producer.incidents.stage import stage_of
from producer.plan.incidents import parse_incidents
from schemas.control_topic import read_control_topic, read_incidents
from schemas.manifest import control_topic_of
from stack.down import stop_stack
from stack.record import ProcessRecord, read_record
from stack.request import UpRequest
from tests.kit.commands import Ended, command_line, streamproof
from tests.kit.kafka import sequences_in
from tests.kit.shared_stack import started
from tests.kit.topics import make_ready
from tests.kit.waiting import wait_until

# The broker that is stopped may be on its way back when the other one freezes: then nobody acknowledges anything.
ROUGH = "2s: stop broker 2 for 2s; 5s: freeze registry for 1s; 7s: freeze broker 1 for 2s"
UP_AGAIN_S = 90.0


class Stage:
    """A stack that incidents may be done to, and commands that find it."""

    def __init__(self, state: Path, brokers: int) -> None:
        running = started(state, UpRequest(owner=os.getpid(), brokers=brokers))
        self.state = state
        self.env = {"STREAMPROOF_STATE_DIR": str(state)}
        self.connection = Connection.of({"bootstrap_servers": running.bootstrap_servers}, {"url": running.registry_url})

    def run(self, *words: object) -> Ended:
        return streamproof(*words, env=self.env)

    def process(self, name: str) -> ProcessRecord:
        record = read_record(self.state)
        assert record is not None
        return next(process for process in record.processes if process.name == name)

    def is_frozen(self, name: str) -> bool:
        process = self.process(name).process
        return process is not None and psutil.Process(process.pid).status() == psutil.STATUS_STOPPED

    def wait_until_ready(self) -> None:
        wait_until(lambda: all(
            each.stage == "ready" for each in (read_record(self.state) or pytest.fail("no stack")).processes
        ), "all of the stack to be back", timeout_s=UP_AGAIN_S, poll_s=0.1)  # fmt: skip


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Three brokers for this module."""
    state = tmp_path_factory.mktemp("three")
    try:
        yield Stage(state, 3)
    finally:
        stop_stack(state)


@pytest.fixture
def stage(three: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The same for one test: everything runs when it begins."""
    monkeypatch.setenv("STREAMPROOF_STATE_DIR", str(three.state))
    three.wait_until_ready()
    return three


@pytest.fixture(scope="module")
def rough(three: Stage) -> dict[str, Any]:
    """What `produce --json`, `audit --json` and the report say of a run under load with three incidents."""
    make_ready(three.connection, "rough")
    produced = three.run(
        *("produce", "customer_events", "--topic", "rough", "--rate", 300, "--seconds", 12, "--shards", 2),
        *("--run-id", "r", "--incident", ROUGH, "--json"),
    )
    assert produced.exit_code == 0, produced.text
    three.wait_until_ready()
    assert three.run("load", "rough").exit_code == 0
    audited = three.run("audit", "rough", "--json")
    assert three.run("report", "rough").exit_code == 0
    (page,) = (three.state / "publications" / "rough" / "reports").glob("*/index.html")
    summary = json.loads(page.with_name("summary.json").read_text())
    return {
        "produced": produced.document,
        "warned": produced.stderr,
        "audit": audited.document,
        "page": page.read_text(),
        "summary": summary,
    }


def test_a_run_whose_brokers_and_registry_are_taken_away_passes_with_every_event(rough):
    assert (rough["produced"]["acknowledged"], rough["produced"]["failed"], rough["produced"]["unknown"]) == (
        3600,
        0,
        0,
    )
    assert (rough["audit"]["verdict"], rough["audit"]["loaded"], rough["audit"]["lost"]) == ("PASSED", 3600, 0)


def test_what_was_planned_and_what_happened_is_part_of_the_run(three, rough):
    told = rough["produced"]["incidents"]
    assert [f"{each['kind']} {each['target']}" for each in told] == [
        "stop broker 2",
        "freeze registry",
        "freeze broker 1",
    ]
    for each in told:
        assert each["fault"] == ""
        assert each["at_s"] <= each["began_s"] < each["ended_s"] <= each["back_s"]
        assert each["ended_s"] - each["began_s"] >= each["for_s"] - 0.002  # both are rounded to milliseconds
        assert each["began_at"] < each["ended_at"] <= each["back_at"]
    assert rough["audit"]["incidents"] == told
    assert [each.model_dump() for each in read_incidents(three.connection.kafka, "rough", "r")] == told
    # Manifests are what they were: two, and nothing that cannot be read.
    control = read_control_topic(three.connection.kafka, "rough")
    assert (sorted(control.manifests), control.unread) == ([("r", 0), ("r", 1)], {})


def test_the_report_draws_the_timeline_and_tells_what_each_incident_did(rough):
    page, summary = rough["page"], rough["summary"]
    assert page.count('class="band"') == 6, "three incidents over the rate, and over the delay"
    for incident in rough["produced"]["incidents"]:
        assert f"{incident['kind']} {incident['target']} from {incident['began_s']:.1f} s" in page
    assert [each["text"] for each in summary["incidents"]] == ROUGH.split("; ")
    stopped = summary["incidents"][0]
    assert stopped["lowest"] is not None
    assert stopped["longest_ms"] > 0
    assert summary["delays_ms"]


def test_the_leader_of_a_partition_can_be_killed(stage, topic_name):
    topic = make_ready(stage.connection, topic_name("leader"))
    admin = admin_client(stage.connection.kafka)
    leader = admin.list_topics(topic, timeout=10).topics[topic].partitions[0].leader
    ended = stage.run(
        *("produce", "customer_events", "--topic", topic, "--rate", 300, "--seconds", 4, "--run-id", "killed"),
        *("--incident", f"1s: kill broker {leader} for 1s", "--json"),
    )
    assert (ended.exit_code, ended.document["acknowledged"]) == (0, 1200), ended.text
    (incident,) = ended.document["incidents"]
    assert incident["back_at"] is not None
    assert stage.process(f"kafka-{leader}").restarts == 0, "what is asked for is no death"
    assert sequences_in(stage.connection, topic) == {0: list(range(1200))}


def test_a_broker_goes_on_when_the_command_that_froze_it_is_killed_and_is_not_frozen_again(stage, topic_name):
    topic = make_ready(stage.connection, topic_name("asker"))
    control = admin_client(stage.connection.kafka).list_topics(control_topic_of(topic), timeout=10)
    # One that does not lead the control topic, so that the record can be read.
    frozen = control.topics[control_topic_of(topic)].partitions[0].leader % 3 + 1
    words = (
        *("produce", "customer_events", "--topic", topic, "--rate", 300, "--events", 1800, "--run-id", "k", "--json"),
        *("--incident", f"2s: freeze broker {frozen} for 4s"),
    )
    with subprocess.Popen(
        command_line(*words), env=os.environ | stage.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as asker:
        wait_until(lambda: stage.is_frozen(f"kafka-{frozen}"), "the freeze", timeout_s=60, while_runs=asker)
        asker.send_signal(signal.SIGKILL)
    wait_until(lambda: not stage.is_frozen(f"kafka-{frozen}"), "the thaw", timeout_s=3)
    (recorded,) = read_incidents(stage.connection.kafka, topic, "k")
    assert recorded.asked_at is not None
    stage.wait_until_ready()
    ended = stage.run(*words)
    assert (ended.exit_code, ended.document["acknowledged"]) == (0, 1800), ended.text
    (incident,) = ended.document["incidents"]
    assert (incident["ended_at"], incident["back_at"]) == (None, None)
    assert "was gone before its end" in incident["fault"]
    assert sequences_in(stage.connection, topic) == {0: list(range(1800))}


def test_who_does_not_see_the_shards_does_their_incidents_by_what_kafka_tells(stage, topic_name):
    topic = make_ready(stage.connection, topic_name("beside"))
    kafka = stage.connection.kafka
    clock = TopicClock(kafka, topic, "apart")
    planned = parse_incidents(["2s: freeze broker 2 for 2s; 50m: kill broker 1 for 1s"])
    performance = Performance(kafka, topic, "apart", planned, stage_of(stage.connection, planned), run_clock=clock)
    beside = threading.Thread(target=performance.perform, args=(clock.is_over,))
    beside.start()
    request = ProduceRequest(topic=topic, run_id="apart", rate=300, seconds=8)
    manifest = produce_shard(stage.connection, request, stop=threading.Event())
    beside.join(timeout=UP_AGAIN_S)
    assert not beside.is_alive()
    assert manifest.acknowledged == 2400
    frozen, late = performance.incidents
    assert frozen.began_s is not None
    assert 2 <= frozen.began_s < 5
    assert frozen.back_at is not None
    assert (late.began_at, late.fault) == (None, "the run ended before it could begin")
    assert read_incidents(kafka, topic, "apart") == [frozen, late]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--incident", "1s: stop broker 4 for 1s"), "there is no broker 4, the local stack has brokers 1 to 3"),
        (("--incident", "1s: stop broker 1 for 9s"), "ends after the run, which takes 5s"),
        (
            ("--incident", "1s: stop broker 1 for 1s", "--bootstrap-servers", "127.0.0.1:1"),
            "incidents are done to the local stack, and the run goes to another Kafka",
        ),
    ],
    ids=["no such broker", "beyond the end", "another Kafka"],
)
def test_incidents_that_cannot_be_are_refused_before_anything_is_sent(stage, flags, said):
    ended = stage.run("produce", "customer_events", "--topic", "none", "--seconds", 5, *flags)
    assert (ended.exit_code, said in ended.stderr) == (78, True), ended.text


def test_without_a_local_stack_incidents_are_refused(tmp_path, stage):
    kafka = stage.connection.kafka.bootstrap_servers
    elsewhere = {"STREAMPROOF_STATE_DIR": str(tmp_path), "STREAMPROOF_BOOTSTRAP_SERVERS": kafka}
    ended = streamproof(
        *("produce", "customer_events", "--topic", "t", "--seconds", 5, "--incident", "1s: stop broker 1 for 1s"),
        *("--registry-url", stage.connection.registry.url),
        env=elsewhere,
    )
    assert (ended.exit_code, "none runs here" in ended.stderr) == (78, True), ended.text


def test_the_only_broker_can_freeze_for_three_seconds_and_the_recovery_is_told(
    tmp_path_factory, topic_name: Callable[[str], str]
):
    state = tmp_path_factory.mktemp("one")
    try:
        stage, topic = Stage(state, 1), topic_name("only")
        make_ready(stage.connection, topic)
        ended = stage.run(
            *("produce", "customer_events", "--topic", topic, "--rate", 300, "--seconds", 12, "--run-id", "r"),
            *("--incident", "2s: freeze broker 1 for 3s", "--json"),
        )
        assert (ended.exit_code, ended.document["acknowledged"]) == (0, 3600), ended.text
        assert "the only broker will be away, and nothing is acknowledged meanwhile" in ended.stderr
        assert stage.run("load", topic).exit_code == 0
        assert stage.run("audit", topic, "--json").document["verdict"] == "PASSED"
        report = stage.run("report", topic, "--json")
        (effect,) = json.loads(Path(report.document["path"]).with_name("summary.json").read_text())["incidents"]
        assert (effect["lowest"], effect["disturbed"]) == (0, True)
        assert effect["longest_ms"] > 2000
        # Not before it went on; how much later is the machine's.
        assert effect["recovered_s"] is None or effect["recovered_s"] > 2
    finally:
        stop_stack(state)
