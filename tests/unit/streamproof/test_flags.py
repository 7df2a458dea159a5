"""Flags that only a whole stack, a browser or a fault would show: each reaches what it is for."""

from __future__ import annotations

import json
import os
import re
import sys
import webbrowser
from typing import Any

import pytest

import cluster.topics
import consumer.load.load
import consumer.report
import producer
import schemas.registry.gate
import stack.up
from cluster.errors import Interrupted, Misconfigured
from consumer.report import ReportResult
from streamproof.cli import run
from streamproof.demo import lake as lake_demo
from streamproof.demo import own_stack
from streamproof.flags.replay import most_set_aside
from tests.kit import ROOT

NOWHERE = ["--bootstrap-servers", "127.0.0.1:9", "--registry-url", "http://127.0.0.1:9"]


class Caught(dict[str, Any]):
    """Stands for the function behind a command: keeps what it is called with, and ends the command."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.update(named, arguments=arguments)
        raise Interrupted("caught")


@pytest.fixture
def caught() -> Caught:
    return Caught()


@pytest.mark.parametrize(
    ("flags", "name", "value"),
    [
        (["--endless"], "endless", True),
        (["--events", "9", "--fault", "duplicate=3", "--fault", "dropped=1"], "faults", ("duplicate=3", "dropped=1")),
        (["--events", "9", "--next-version-share", "0.25"], "next_version_share", 0.25),
        (["--events", "9", "--next-version-ramp"], "next_version_ramp", True),
        (["--events", "9", "--rate", "10", "--time-compression", "60"], "options", {"time_compression": 60.0}),
        (["--events", "9", "--rate", "9", "-o", "time-compression=60"], "options", {"time_compression": 60.0}),
        (["--events", "9", "--catch-up", "skip", "--rate", "10"], "catch_up", "skip"),
    ],
)
def test_a_flag_of_produce_reaches_the_request(monkeypatch, caught, flags, name, value):
    monkeypatch.setattr(producer, "produce_run", caught)
    assert run(["produce", "customer_events", "--topic", "t", *NOWHERE, *flags]) == 75
    request = caught["arguments"][1]
    assert getattr(request.plan if name == "options" else request, name) == value


def test_ssl_asks_for_an_encrypted_connection(monkeypatch, caught):
    monkeypatch.setattr(producer, "produce_run", caught)
    assert run(["produce", "customer_events", "--topic", "t", "--events", "9", *NOWHERE, "--ssl"]) == 75
    assert caught["arguments"][0].kafka.security_protocol == "ssl"


@pytest.mark.parametrize("given", [True, False])
def test_accept_gap_reaches_the_load(monkeypatch, caught, given):
    monkeypatch.setattr(consumer.load.load, "load", caught)
    assert run(["load", "t", *NOWHERE, *(["--accept-gap"] if given else [])]) == 75
    assert caught["accept_gap"] is given


@pytest.mark.parametrize("given", [True, False])
def test_alter_reaches_the_topics(monkeypatch, caught, given):
    monkeypatch.setattr(cluster.topics, "apply_topics", caught)
    assert run(["topics", "apply", "--topic", "t", *NOWHERE[:2], *(["--alter"] if given else [])]) == 75
    assert caught["alter"] is given


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["topics", "apply"], "--registry-url"),
        (["topics", "diff"], "--registry-url"),
        (["schemas", "gate", "customer_events"], "--bootstrap-servers"),
        (["schemas", "diff", "customer_events"], "--bootstrap-servers"),
        (["quarantine", "replay", "t"], "--bootstrap-servers"),
    ],
)
def test_an_address_that_a_command_never_asks_is_no_flag_of_it(capsys, words, flag):
    assert run([*words, *NOWHERE]) == 78
    assert f"No such option: {flag}" in capsys.readouterr().err


@pytest.mark.parametrize("given", [True, False])
def test_a_dry_run_reaches_the_gate(monkeypatch, caught, given):
    monkeypatch.setattr(schemas.registry.gate, "gate", caught)
    assert run(["schemas", "gate", "customer_events", *NOWHERE[2:], *(["--dry-run"] if given else [])]) == 75
    assert caught["dry_run"] is given


def test_ports_reach_the_start_of_the_stack(monkeypatch, caught, tmp_path):
    monkeypatch.setenv("STREAMPROOF_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(stack.up, "up", caught)
    ports = {"kafka": 1001, "registry": 1002, "airflow": 1003, "postgres": 1004}
    words = ["--kafka-port", "1001", "--registry-port", "1002", "--airflow-port", "1003", "--postgres-port", "1004"]
    assert run(["up", "--airflow", "--postgres", *words]) == 75
    request = caught["arguments"][1]
    assert request.ports == ports
    assert request.components == {"airflow", "postgres"}


@pytest.mark.parametrize(("flags", "value"), [(["--restart"], True), (["--no-restart"], False), ([], None)])
def test_whether_services_are_started_again_reaches_the_start_of_the_stack(monkeypatch, caught, tmp_path, flags, value):
    monkeypatch.setenv("STREAMPROOF_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(stack.up, "up", caught)
    assert run(["up", *flags]) == 75
    assert caught["arguments"][1].restart is value


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("command", ["demo", "demo-lake"])
def test_a_demo_owns_its_stack_only_when_it_ends_with_it(monkeypatch, caught, tmp_path, command, given):
    monkeypatch.setenv("STREAMPROOF_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(own_stack, "up", caught)
    monkeypatch.setattr(lake_demo, "find_spark", lambda **_: None)
    for name in ("stdin", "stdout"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda: True, raising=False)
    assert run([command, *(["--once"] if given else [])]) == 75
    assert caught["arguments"][1].owner == (os.getpid() if given else None)


def test_the_demo_of_the_lake_is_told_files_lake_master_memory_and_format(monkeypatch, tmp_path):
    told: list[lake_demo.LakeDemo] = []

    def demo_lake(asked, **_):
        told.append(asked)
        return {"verdict": "UNKNOWN"}

    monkeypatch.setattr(lake_demo, "demo_lake", demo_lake)
    flags = ["--folder", str(tmp_path / "files"), "--to", str(tmp_path / "lake"), "--master", "spark://m:7077"]
    assert run(["demo-lake", *flags, "--memory", "2g", "--format", "delta"]) == 75
    (asked,) = told
    assert (asked.folder, asked.lake) == (tmp_path / "files", tmp_path / "lake")
    assert (asked.master, asked.memory, asked.table_format) == ("spark://m:7077", "2g", "delta")


@pytest.mark.parametrize("given", [True, False])
def test_open_shows_the_page_in_the_browser(monkeypatch, given, tmp_path):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    done = ReportResult(run_id="r", verdict="PASSED", path=tmp_path / "index.html", url="file:///page")
    monkeypatch.setattr(consumer.report, "write_report", lambda *_, **__: done)
    assert run(["report", "t", *(["--open"] if given else [])]) == 0
    assert opened == (["file:///page"] if given else [])


def test_a_calibration_is_in_the_document(capsys):
    assert run(["preview", "clickstream", "--events", "200", "--calibrate", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)["calibration"]
    assert set(measured) >= {"generated_per_s", "encoded_per_s", "delivered_per_s"}
    assert min(value for name, value in measured.items() if name.endswith("_per_s")) > 0


def test_every_flag_is_in_some_test():
    documented = set(re.findall(r"^\* `(--[a-z-]+)", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE))
    typers = {"--help", "--install-completion", "--show-completion"}
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    missing = {flag for flag in documented - typers if not re.search(rf"{flag}(?![a-z-])", tests)}
    assert not missing


@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "nan%", "inf%", "-1", "1.5", "100%", "some"])
def test_a_number_of_rows_that_may_be_set_aside_is_one(text):
    with pytest.raises(Misconfigured, match="neither a number of rows nor a share"):
        most_set_aside(text, strict=False)
    assert [most_set_aside(good, strict=False) for good in ("0", "20", "0.5%")] == [0, 20, 0.005]
