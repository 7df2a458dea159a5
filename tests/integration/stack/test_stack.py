"""The real Kafka and the real registry under ``streamproof up``, ``status`` and ``down``."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.connection import Connection
from cluster.local import LocalStack
from stack.children import members
from stack.down import stop_stack
from stack.parts.artifacts import cache_dir, ensure_artifacts
from stack.parts.java import kafka_command
from tests.kit.commands import Ended, command_line
from tests.kit.commands import streamproof as typed_here
from tests.kit.seconds import within
from tests.kit.waiting import wait_until

STRING = json.dumps({"schema": json.dumps({"type": "string"})})
JSON = {"Content-Type": "application/json"}

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def own_state(tmp_path: Path) -> Iterator[Path]:
    """A state folder beside the session's, with a space, a comma and a letter that is not ASCII in its name."""
    state = tmp_path / "état, local"
    yield state
    stop_stack(state)
    assert not members(state)


@pytest.fixture
def streamproof(own_state: Path) -> Command:
    """Run a command on that folder, as a user would."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = command_line(*arguments)
        env = {**os.environ, "STREAMPROOF_STATE_DIR": str(own_state)}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture
def status(own_state: Path) -> Callable[..., Ended]:
    """Ask for the status of that folder, in this process: it is asked often."""
    return lambda *flags: typed_here("status", *flags, env={"STREAMPROOF_STATE_DIR": str(own_state)})


def document(result: subprocess.CompletedProcess[str]) -> Mapping[str, Any]:
    """The one JSON document that a command printed."""
    found: Mapping[str, Any] = json.loads(result.stdout)
    return found


def test_commands_find_the_running_stack_by_themselves(stack: LocalStack, connection: Connection) -> None:
    assert Connection.discover() == connection


def test_with_the_cache_filled_nothing_is_fetched(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    assert (ensure_artifacts(cache_dir()).registry_home / "quarkus-run.jar").is_file()


def test_the_stack_listens_on_the_loopback_address_only(stack: LocalStack) -> None:
    listening = [
        connection.laddr[0]
        for name in ("kafka", "registry")
        for process in members(stack.state_dir, name=name)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 4  # broker, controller, registry, the registry's management
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_a_mistyped_topic_does_not_appear(stack: LocalStack, topic_name: Callable[[str], str]) -> None:
    topic = topic_name("mistyped")
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "message.timeout.ms": 1500})
    producer.produce(topic, b"value")
    producer.flush(10)
    assert topic not in AdminClient({"bootstrap.servers": stack.bootstrap_servers}).list_topics(timeout=10).topics


def test_kafkas_own_tools_run_from_the_same_jars(stack: LocalStack, topic_name: Callable[[str], str]) -> None:
    topic = topic_name("tools")
    where = ("--bootstrap-server", stack.bootstrap_servers)
    for tool, *arguments in (
        ("TopicCommand", *where, "--create", "--topic", topic),
        (
            "ProducerPerformance",
            *("--topic", topic, "--num-records", "1000", "--record-size", "100", "--throughput", "-1"),
            *("--command-property", f"bootstrap.servers={stack.bootstrap_servers}"),
        ),
        (
            "consumer.ConsoleConsumer",
            *(*where, "--topic", topic, "--from-beginning", "--max-messages", "1000", "--timeout-ms", "20000"),
        ),
    ):
        argv = kafka_command(f"org.apache.kafka.tools.{tool}", *arguments)
        result = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, result.stderr + result.stdout
    assert "Processed a total of 1000 messages" in result.stderr
    assert len(result.stdout.splitlines()) == 1000


def test_a_whole_life(
    streamproof: Command, status: Callable[..., Ended], own_state: Path, topic_name: Callable[[str], str]
) -> None:
    """Up, status, up again, data, kill -9 and a restart, down, up: with everything that was stored still there."""
    nothing = streamproof("status", "--json")
    assert nothing.returncode == 69
    assert document(nothing)["error"]["hint"] == "Run `streamproof up`"
    assert "Nothing was running" in streamproof("down").stdout

    first = streamproof("up", "--json")
    assert first.returncode == 0, first.stderr
    addresses = document(first)
    assert addresses["state_dir"] == str(own_state)
    assert [process["name"] for process in addresses["processes"]] == ["kafka", "registry"]
    topic, kafka, registry = topic_name("kept"), addresses["bootstrap_servers"], addresses["registry_url"]
    _store(kafka, registry, topic)

    running = streamproof("status", "--json")
    assert running.returncode == 0, running.stderr
    for process in document(running)["processes"]:
        assert process["healthy"], process
        assert 50e6 < process["memory_bytes"] < 1e9
    assert "healthy" in status().stdout

    again = streamproof("up")
    assert again.returncode == 0
    assert "runs already" in again.stdout
    assert kafka in again.stdout

    pid = next(process["pid"] for process in document(running)["processes"] if process["name"] == "registry")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: ended(pid), "the end of the registry")
    after = status("--json")
    assert after.exit_code == 69
    kept, dead = after.document["processes"]
    assert kept["stage"] == "ready"
    assert dead["stage"] in {"died", "restarting", "starting"}
    wait_until(lambda: status().exit_code == 0, "the registry to be healthy again", timeout_s=60)
    restarted = status("--json").document["processes"][1]
    assert restarted["restarts"] == 1
    assert restarted["pid"] != pid
    assert "SIGKILL" in restarted["ended"]
    _find_again(kafka, registry, topic)

    began = time.monotonic()
    assert document(streamproof("down", "--json"))["stopped"] == ["kafka", "registry"]
    within(15, began, "down")
    assert not members(own_state)

    second = document(streamproof("up", "--json"))
    assert (second["bootstrap_servers"], second["registry_url"]) == (kafka, registry)
    _find_again(kafka, registry, topic)
    assert document(streamproof("down", "--json"))["stopped"] == ["kafka", "registry"]


def test_a_taken_port_is_named(streamproof: Command, stack: LocalStack) -> None:
    port = stack.bootstrap_servers.rpartition(":")[2]
    result = streamproof("up", "--kafka-port", port)
    assert result.returncode == 78
    assert f"port {port} for kafka is taken" in result.stderr


def test_ctrl_c_while_starting_leaves_nothing(own_state: Path) -> None:
    argv = command_line("up")
    env = {**os.environ, "STREAMPROOF_STATE_DIR": str(own_state)}
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as starting:
        wait_until(lambda: members(own_state), "the first process")
        starting.send_signal(signal.SIGINT)
        _, told = starting.communicate(timeout=15)
    assert starting.returncode == 75
    assert "the start was interrupted" in told
    assert not members(own_state)
    assert not (own_state / "stack.json").exists()


def _store(kafka: str, registry: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(timeout=20)
    producer = Producer({"bootstrap.servers": kafka, "acks": "all"})
    producer.produce(topic, b"kept")
    assert producer.flush(20) == 0
    answer = httpx.post(f"{registry}/subjects/{topic}-value/versions", content=STRING, headers=JSON, timeout=20)
    assert answer.status_code == 200, answer.text


def _find_again(kafka: str, registry: str, topic: str) -> None:
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": topic,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": "false",
        }
    )
    consumer.subscribe([topic])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert message.value() == b"kept"
    assert httpx.get(f"{registry}/subjects/{topic}-value/versions", timeout=20).json() == [1]


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
