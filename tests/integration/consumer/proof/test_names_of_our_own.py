"""A topic whose fields are called as everything that our SQL has a name for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cluster.connection import Connection
from tests.kit.commands import streamproof
from tests.kit.topics import make_topic
from tests.kit.whole_way import scenario_of
from tests.kit.words_of_sql import members, names

EVENTS = 20


def named_as_ours() -> dict[str, Any]:
    """Return a schema with a field for each name: a record where a point stands behind it, every other in capitals."""
    inside = members()
    fields = [{"name": "event_id", "type": "string"}]
    below = {name for each in inside.values() for name in each}
    for number, name in enumerate(sorted({*names(), *inside, *below} - {"event_id"})):
        called = name.upper() if number % 2 else name
        kind: Any = "int"
        if name in inside:
            members_of = [{"name": each, "type": "int"} for each in inside[name]]
            kind = {"type": "record", "name": f"Of_{name}", "fields": members_of}
        fields.append({"name": called, "type": kind})
    return {"type": "record", "name": "Names", "fields": fields}


def test_fields_with_the_names_of_our_own_sql_are_loaded_proved_and_published(
    connection: Connection, topic_name: Any, tmp_path: Path
) -> None:
    topic = make_topic(connection, topic_name("names"))
    scenario = scenario_of(json.dumps(named_as_ours()), tmp_path)
    file, published = tmp_path / "w.duckdb", tmp_path / "published"
    for words in (
        ("schemas", "gate", scenario.with_suffix(".avsc"), "--topic", topic),
        ("produce", scenario, "--topic", topic, "--events", EVENTS),
        ("load", topic, "--warehouse", file),
        ("audit", topic, "--warehouse", file),
        ("check", topic, "--warehouse", file),
        ("publish", topic, "--warehouse", file, "--publications", published),
        ("verify", file),
        ("verify", published / topic, "--warehouse", file),
        ("audit", topic, "--at", f"{file}#events"),
    ):
        ended = streamproof(*words, "--json")
        assert ended.exit_code == 0, (words, ended.text)
