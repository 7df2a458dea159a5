"""docs/systems.md names nothing that is not there: commands, flags, Dags, files."""

from __future__ import annotations

import re

import pytest

from streamproof.cli import COMMANDS
from tests.kit import ROOT

PAGE = (ROOT / "docs" / "systems.md").read_text()
README = (ROOT / "README.md").read_text()
TABLE = PAGE[: PAGE.index("## ")]


def test_its_commands_are_commands():
    named = set(re.findall(r"streamproof ([a-z]+)", PAGE))
    assert {"produce", "count", "consume", "live", "tail", "topics", "up"} <= named <= set(COMMANDS)


def test_its_flags_are_flags():
    documented = set(
        re.findall(r"^\* `(?:-o, )?(--[a-z-]+)", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE)
    )
    assert set(re.findall(r"(?<!\w)--[a-z][a-z-]+", PAGE)) <= documented


@pytest.mark.parametrize("text", [TABLE, README[README.index("## Five systems") :].split("\n## ")[0]])
def test_every_system_has_a_dag_and_its_file_is_there(text):
    rows = [row for row in text.splitlines() if row.startswith("|")][2:]
    assert len(rows) == 5
    dags = [row.rstrip("| ").rsplit("|", 1)[1].strip(" `") for row in rows]
    assert [dag for dag in dags if not (ROOT / "dags" / f"{dag}.py").is_file()] == []


def test_its_files_are_there():
    files = re.findall(r"`([a-z_]+/[a-z0-9_/.-]+\.(?:py|yaml|avsc))`", PAGE)
    assert len(files) >= 3
    assert [file for file in files if not (ROOT / file).is_file()] == []
