"""Cases of schemas that change in one topic: what a client that is not ours wrote is loaded as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.case_player import play

CASES = sorted((Path(__file__).parents[2] / "cases").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_holds(connection, topic_name, tmp_path, path):
    case = json.loads(path.read_text(encoding="utf-8"))
    played = play(case, connection, topic_name(case["topic"]), tmp_path / "w.duckdb")
    assert played.quarantine == []
    assert played.found == case["right"]
