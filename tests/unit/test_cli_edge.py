"""The edge of the command line: whatever happens there is one document, one sentence and one exit code."""

from __future__ import annotations

import json

import pytest

from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.local import warehouse_path
from producer.plan import ProduceRequest
from streamproof import cli


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
