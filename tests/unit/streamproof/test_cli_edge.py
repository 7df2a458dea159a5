"""The edge of the command line: whatever happens there is one document, one sentence and one exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.local import warehouse_path
from producer.plan.request import ProduceRequest
from streamproof import cli
from streamproof.flags.sample import SAMPLE_FLAGS
from tests.kit import ROOT


@pytest.mark.parametrize(("raised", "code"), [(RuntimeError("x"), 70), (KeyboardInterrupt(), 75)])
def test_a_bug_and_an_interruption_are_one_document_under_json(monkeypatch, capsys, raised, code):
    def discover(*_: object, **__: object) -> Connection:
        raise raised

    monkeypatch.setattr(Connection, "discover", discover)
    assert cli.run(["audit", "customer_events", "--json"]) == code
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["error"]["exit_code"] == code


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "x" * 300])
def test_no_topic_name_leads_out_of_the_warehouse_folder(name):
    with pytest.raises(Misconfigured, match="is not a topic name"):
        warehouse_path(name)


def test_a_run_id_that_is_not_text_is_refused():
    with pytest.raises(Misconfigured, match="not UTF-8"):
        ProduceRequest(topic="t", run_id="bad\udcff", events=1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["load", "t", "--warehouse", ""], "the value of --warehouse"),
        (["load", "t", "--warehouse="], "the value of --warehouse"),
        (["report", "t", "--publications", ""], "the value of --publications"),
        (["topics", "apply", "--bootstrap-servers", ""], "the value of --bootstrap-servers"),
        (["produce", "customer_events", "--topic", "t", "--run-id", ""], "the value of --run-id"),
        (["load", ""], "an argument"),
    ],
)
def test_an_empty_value_is_refused_and_not_taken_for_another_place(arguments, named, capsys):
    assert cli.run([*arguments, "--json"]) == 78
    assert json.loads(capsys.readouterr().out)["error"]["message"] == f"{named} is empty"


@pytest.mark.parametrize("command", ["diff", "gate"])
def test_no_subject_is_made_for_a_name_that_no_topic_can_have(command, capsys):
    assert cli.run(["schemas", command, "customer_events", "--topic", "a b", "--json"]) == 78
    assert "'a b' is not a topic name" in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--seed", "-1"),
        ("--partitions", "0"),
        ("--partitions", "1000000"),
        ("--schema-version", "0"),
        ("--users", "0"),
    ],
)
def test_a_preview_refuses_a_number_out_of_range(flag, value, capsys):
    assert cli.run(["preview", "clickstream", flag, value, "--json"]) == 78
    assert flag in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize("port", ["0", "65536"])
def test_a_port_that_does_not_exist_is_refused(port, capsys):
    assert cli.run(["up", "--kafka-port", port, "--json"]) == 78
    assert "--kafka-port" in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize(
    ("given", "here"),
    [
        (["--runFor", "3"], "--runFor is --seconds"),
        (["--mTLSEnable"], "--mTLSEnable is --mtls"),
        (["-nou", "3", "--numThreads=2"], "-nou is --users; --numThreads is --shards"),
        (["-nle"], "-nle is not needed: no log is written without --event-log"),
    ],
)
def test_a_flag_of_the_sample_producer_is_told_by_its_name_here(given, here, capsys):
    assert cli.run(["produce", "clickstream", "--topic", "t", "--json", *given]) == 78
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["message"] == f"flags of the AWS sample producer have other names here: {here}"


def test_a_flag_of_nobody_is_told_as_ever(capsys):
    assert cli.run(["produce", "clickstream", "--topic", "t", "--ratee", "3"]) == 78
    assert "No such option: --ratee" in capsys.readouterr().err


def test_every_flag_of_the_guides_table_has_its_counterpart():
    guide = (ROOT / "docs" / "clickstream.md").read_text()
    table = guide.split("| sample producer | here |")[1].split("\n\n")[0]
    flags = [flag for row in table.splitlines()[2:] for flag in re.findall(r"`(-[^`]+)`", row.split("|")[1])]
    assert len(flags) == 23
    assert [flag for flag in flags if flag.lower() not in SAMPLE_FLAGS] == ["--topic", "--help"]


def test_help_breaks_where_the_terminal_does_and_has_a_frame_for_other_pipelines(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.run(["audit", "--help"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert any(line.endswith("FAILED (exit 65) names those that are not. UNKNOWN (exit 75): a") for line in lines)
    frame = next(number for number, line in enumerate(lines) if "What another pipeline stored ─" in line)
    flags = [
        number for number, line in enumerate(lines) if line.startswith(("│ --at ", "│ --expect ", "│ --scenario "))
    ]
    assert len(flags) == 3
    assert min(flags) > frame
    assert not [line for line in lines if "…" in line]


def test_a_command_is_loaded_alone_and_every_command_is_known_by_its_module():
    whole = cli.whole_app()
    groups = [group.name for group in whole.registered_groups]
    names = [command.name or command.callback.__name__ for command in whole.registered_commands]
    assert sorted([*names, *groups]) == sorted(cli.COMMANDS)
    seen = "'streamproof.commands.produce' in sys.modules"
    code = f"import sys; from streamproof.cli import run; run(['tail', '--help']); print({seen})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "Usage: streamproof tail" in done.stdout
    assert done.stdout.endswith("False\n")
