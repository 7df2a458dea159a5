"""`streamproof live` against the real broker: one snapshot, lines, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import threading

import pytest

from cluster.connection import Connection
from consumer.live.snapshot import IN_TOPIC, STAGES
from producer import ProduceRequest, produce_shard
from streamproof.cli import run
from tests.kit.commands import command_line
from tests.kit.waiting import wait_until


@pytest.fixture
def filled(connection: Connection, ready_topic: str) -> str:
    """A topic with a finished run of 50 events."""
    produce_shard(connection, ProduceRequest(topic=ready_topic, run_id="seen", events=50), stop=threading.Event())
    return ready_topic


def test_one_snapshot_has_an_answer_to_everything(filled: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["live", filled, "--once", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    (topic,) = document["topics"]
    assert document["whole"]
    assert [(stage["name"], stage["count"]) for stage in topic["stages"][:3]] == [(name, 50) for name in STAGES[:3]]
    assert topic["stages"][3]["count"] is None
    assert topic["stages"][3]["unknown"] == "no load told its group how far it is"
    assert len(topic["newest"]["rows"]) == 20
    assert topic["runs"]["rows"][0]["run_id"] == "seen"


def test_where_nobody_sees_colours_each_topic_is_a_line(filled: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["live", filled, "--for", "2s"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(filled in line and "loaded unknown (no load told" in line for line in lines)
    assert f"{IN_TOPIC} 50" in lines[-1]


def test_a_topic_that_is_not_there_is_refused_with_the_one_that_was_meant(
    filled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["live", filled[:-1]]) == 78

    assert f"did you mean {filled}?" in capsys.readouterr().err


def test_where_no_broker_answers_it_is_said_at_once_and_with_69(
    stack: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["live", "any", "--bootstrap-servers", "127.0.0.1:1"]) == 69


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_and_every_line_is_a_document(filled: str, number: signal.Signals) -> None:
    process = subprocess.Popen(
        command_line("live", filled, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(number)
    rest, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    numbers = [json.loads(line)["number"] for line in (*lines, *rest.splitlines())]
    assert numbers == sorted(set(numbers))


def test_it_ends_when_nobody_reads_it_any_more(filled: str) -> None:
    process = subprocess.Popen(command_line("live", filled, "--json"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()

    assert wait_until(lambda: process.poll() is not None, "the end of the command", timeout_s=60)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--port", "9000"], "--port is of the page alone"),
        (["--host", "0.0.0.0", "--open"], "--host and --open are of the page alone"),
        (["--page", "--once"], "--page is a page that goes on"),
        (["--page", "--host", "192.0.2.1"], "the page cannot be served"),
    ],
)
def test_flags_of_the_page_that_cannot_be_are_refused(
    filled: str, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert run(["live", filled, *flags]) == 78

    assert said in capsys.readouterr().err
