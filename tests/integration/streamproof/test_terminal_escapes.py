"""A run whose name would take over a terminal, through every command that names it."""

from __future__ import annotations

import re

import pytest

from cluster.connection import Connection
from streamproof.cli import run
from tests.kit.topics import make_ready

RUN = "\x1b]0;owned\x07\x1b[31m[bold]red[/bold]"
# Rich leaves out a bell in some places.
SHOWN = "\\u001b]0;owned"


def test_escapes_in_a_runs_name_are_shown_by_every_command(connection: Connection, topic_name, tmp_path, capsys):
    topic, warehouse = make_ready(connection, topic_name("escapes")), str(tmp_path / "w.duckdb")
    own = ["--warehouse", warehouse, "--publications", str(tmp_path / "publications")]
    produce = ["produce", "customer_events", "--topic", topic, "--run-id", RUN]
    commands = [
        [*produce, "--events", "300", "--fault", "undecodable=5"],
        [*produce, "--events", "301"],
        ["load", topic, "--warehouse", warehouse],
        ["quarantine", "list", topic, "--warehouse", warehouse],
        ["audit", topic, "--run-id", RUN, *own],
        ["check", topic, "--run-id", RUN, *own],
        ["publish", topic, "--run-id", RUN, *own],
        ["report", topic, "--run-id", RUN, *own],
        ["verify", topic, "--warehouse", warehouse],
        ["audit", topic, "--run-id", f"{RUN} of nobody", *own],
    ]
    named = set()
    for arguments in commands:
        run(arguments)
        said = "".join(capsys.readouterr())
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", said), (arguments[0], said)
        if SHOWN in said:
            assert "[bold]red[/bold]" in said
            named.add(arguments[0])
    assert {"produce", "audit", "check"} <= named


@pytest.mark.parametrize("topic", ["\x1b[31mtopic", "to[bold]pic"])
def test_a_topic_that_cannot_be_one_is_shown_in_the_error(topic, connection, capsys):
    assert run(["load", topic]) == 78
    assert "\x1b" not in capsys.readouterr().err
