"""Schemas that are hard to hold, through every step: they work to a verdict, or one sentence says why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.commands import streamproof
from tests.kit.topics import make_topic

CASES = Path(__file__).parents[2] / "cases"
# What no table holds, and the words that say so.
REFUSED = {"fs_union_of_130": "127", "fs_type_reused_14_deep": "10,000"}
NAMES = sorted(path.stem for path in CASES.glob("fs_*.avsc"))


@pytest.fixture
def scenario(tmp_path):
    """A factory of scenario files, each beside the schema of a case."""

    def make(name: str) -> Path:
        (tmp_path / f"{name}.avsc").write_bytes((CASES / f"{name}.avsc").read_bytes())
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"schema: {name}.avsc\n")
        return path

    return make


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSED])
def test_a_schema_that_is_hard_to_hold_comes_to_a_verdict(connection, topic_name, tmp_path, scenario, name):
    path, topic, warehouse = scenario(name), topic_name("hard"), tmp_path / "w.duckdb"
    make_topic(connection, topic)
    for words in (
        ("preview", path, "--events", 200),
        ("schemas", "gate", path.with_suffix(".avsc"), "--topic", topic),
        ("produce", path, "--topic", topic, "--events", 200),
        ("load", topic, "--warehouse", warehouse),
    ):
        ended = streamproof(*words, "--json")
        assert ended.exit_code == 0, ended.text
    audit = streamproof("audit", topic, "--warehouse", warehouse, "--json")
    assert audit.exit_code == 0, audit.text
    assert audit.document["verdict"] == "PASSED"


@pytest.mark.parametrize("name", REFUSED)
def test_a_schema_that_no_table_holds_is_refused_in_words_before_anything_is_sent(
    connection, topic_name, scenario, name
):
    path, topic = scenario(name), topic_name("hard")
    make_topic(connection, topic)
    for words in (
        ("preview", path),
        ("schemas", "gate", path.with_suffix(".avsc"), "--topic", topic),
        ("produce", path, "--topic", topic, "--events", 10),
    ):
        ended = streamproof(*words, "--json")
        assert ended.exit_code == 78, ended.text
        assert REFUSED[name] in ended.document["error"]["message"]


def test_every_case_of_a_schema_is_played():
    assert len(NAMES) >= 9
    assert set(REFUSED) < set(NAMES)
    for name in NAMES:
        if name != "fs_with_comments":
            json.loads((CASES / f"{name}.avsc").read_text(encoding="utf-8"))
