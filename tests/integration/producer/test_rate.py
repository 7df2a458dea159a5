"""The rate of `produce`, asked and reached, against the real broker."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cluster.connection import Connection
from producer.resume.earlier import read_manifest
from streamproof.cli import run
from tests.kit.seconds import held
from tests.kit.topics import make_ready


@pytest.fixture
def topic(connection: Connection, topic_name: Callable[[str], str]) -> str:
    """A topic that a run can be sent to."""
    return make_ready(connection, topic_name("rate"))


def test_a_rate_that_is_reached_is_told_with_the_seconds_of_sending_and_not_of_starting(connection, topic, capsys):
    asked = ["--rate", "200", "--events", "600", "--require-rate", "50%", "--run-id", "kept"]
    assert run(["produce", "customer_events", "--topic", topic, *asked, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["rate"]["asked"] == pytest.approx(200)
    # A busy machine may hold a run up; it never makes one faster than asked.
    assert 50 <= document["rate"]["percent"] <= 100
    assert document["rate"]["missed"] == (document["rate"]["percent"] < 95)
    assert document["seconds"] >= 2.9
    held(document["seconds"], 6, "three seconds of sending")
    assert document["startup_seconds"] > 0
    (sending,) = read_manifest(connection.kafka, topic, "kept", 0).sending
    assert (sending.due, sending.due_s, sending.acknowledged) == (600, 3.0, 600)
    # The same command finds the run finished, and says the same of it.
    assert run(["produce", "customer_events", "--topic", topic, *asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rate"] == document["rate"]


@pytest.mark.parametrize("shards", ["1", "2"])
def test_a_required_rate_that_no_machine_reaches_ends_with_65_although_every_event_arrived(topic, capsys, shards):
    asked = ["--rate", "900000000", "--events", "20000", "--shards", shards]
    assert run(["produce", "customer_events", "--topic", topic, *asked, "--require-rate", "95%", "--json"]) == 65
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["kind"] == "RateMissed"
    assert error["message"].startswith("95.0 % of the rate was required, ")
    assert "/s of 900,000,000/s asked (" in error["message"]
    assert (error["run"]["acknowledged"], error["run"]["failed"]) == (20_000, 0)


def test_a_missed_rate_is_a_warning_with_cause_and_advice_and_no_failure(topic, capsys):
    asked = ["--rate", "900000000", "--events", "20000"]
    assert run(["produce", "customer_events", "--topic", topic, *asked]) == 0
    said = capsys.readouterr()
    assert "/s of 900,000,000/s asked (" in said.out
    assert "warning the rate was missed, " in said.err
    assert "ask for less" in said.err
