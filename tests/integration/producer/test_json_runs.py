"""Runs of JSON values: produced, loaded, proved, broken, killed and continued as those of Avro are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.topics import admin_client, apply_topics, specs_for
from consumer.load.load import load
from consumer.proof.audit import audit
from consumer.proof.result import AuditResult
from producer import ProduceRequest, produce_shard
from producer.scenarios import contract_of, find_scenario
from schemas.formats import value_format
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry, gate
from tests.integration.producer.test_faults_declared import MACHINES, write
from tests.kit.commands import streamproof
from tests.kit.kafka import read_topic

RUN = "json/one"
EVENTS = 4_000
# Every type that there is, the identity in a field of the value.
EVERYTHING: tuple[dict[str, Any], str] = (
    {
        "type": "record",
        "name": "Everything",
        "fields": [
            {"name": "event_id", "type": "string"},
            {"name": "k", "type": "string"},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "small", "type": "int"},
            {"name": "real", "type": ["null", "double"]},
            {"name": "single", "type": "float"},
            {"name": "raw", "type": "bytes"},
            {"name": "mark", "type": {"type": "fixed", "name": "Mark", "size": 4}},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "level", "type": {"type": "enum", "name": "Level", "symbols": ["LOW", "HIGH"]}},
            {"name": "sizes", "type": {"type": "map", "values": "int"}},
            {"name": "tags", "type": {"type": "array", "items": ["null", "string"]}},
            {"name": "either", "type": ["null", "string", "long"]},
            {"name": "note", "type": "string", "default": "none"},
        ],
    },
    """
    schema: schema.avsc
    key: k
    fields:
      k: {faker: {provider: user_name, pool: 50}}
      note: {choice: ["it's ä", '"quoted" \\\\ and\\ttabbed', ""]}
    """,
)


def with_format(scenario: tuple[dict[str, Any], str], name: str) -> tuple[dict[str, Any], str]:
    return scenario[0], f"{scenario[1].rstrip()}\n    format: {name}\n"


def prepare(connection: Connection, topic: str, file: str) -> None:
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    scenario = find_scenario(file)
    with Registry(connection.registry) as registry:
        gate(registry, contract_of(scenario), subject_for(topic), written=scenario.format)


def request(topic: str, file: str, **more: Any) -> ProduceRequest:
    facts: dict[str, Any] = {"run_id": RUN, "seed": 5, "events": EVENTS}
    return ProduceRequest(topic=topic, scenario=file, **(facts | more))


def proved(connection: Connection, topic: str, folder: Path) -> AuditResult:
    warehouse = folder / "w.duckdb"
    load(connection, topic, warehouse, stop=threading.Event())
    return audit(connection, warehouse, topic, RUN)


def test_every_type_is_loaded_into_the_same_columns_as_from_avro(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    loaded = {}
    for name in ("avro", "json"):
        topic, folder = topic_name(name), tmp_path / name
        file = write(folder, with_format(EVERYTHING, name))
        prepare(connection, topic, file)
        manifest = produce_shard(connection, request(topic, file), stop=threading.Event())
        assert manifest.value_format == name
        result = proved(connection, topic, folder)
        assert result.verdict == "PASSED", result.reason
        with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as warehouse:
            # Times count back from the moment at which a run begins.
            ours = "SELECT COLUMNS('^[^_].*') FROM events"
            events = warehouse.sql(f'SELECT * EXCLUDE ("at", day) FROM ({ours}) ORDER BY event_id')
            assert len(events.types) == len(EVERYTHING[0]["fields"]) - 2
            loaded[name] = repr(events.fetchall()), str(events.types)
            assert warehouse.sql("SELECT DISTINCT format FROM schema_versions").fetchall() == [(name,)]
            assert warehouse.sql("SELECT count(*) FROM events WHERE either IS NOT NULL").fetchall() != [(0,)]
    assert loaded["avro"] == loaded["json"]


def test_every_kind_of_fault_is_found_and_nothing_else(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("broken")
    file = write(tmp_path / "own", with_format(MACHINES, "json"))
    prepare(connection, topic, file)
    faults = ("undecodable=27", "dropped=7", "tombstone=5", "out_of_order=9", "duplicate=9", "altered=12", "late=8")
    manifest = produce_shard(connection, request(topic, file, events=8_000, faults=faults), stop=threading.Event())
    result = proved(connection, topic, tmp_path)
    assert result.verdict == "PASSED", result.reason
    scored = {score.kind: (score.injected, score.found, score.false_alarms) for score in result.faults}
    assert scored == {kind: (count, count, 0) for kind, count in manifest.injected.items()}
    assert {kind for kind in scored if kind.startswith("undecodable.")} == value_format("json").breaks
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as warehouse:
        classes = warehouse.sql("SELECT DISTINCT error_class FROM quarantine").fetchall()
    assert {name for (name,) in classes} >= {
        "truncated", "bad_magic", "unknown_schema", "invalid_utf8", "trailing_bytes", "empty", "wrong_type",
        "unknown_member", "duplicate_key",
    }  # fmt: skip


def test_a_kind_that_the_format_does_not_have_is_refused_before_the_first_event(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("refused")
    file = write(tmp_path / "own", with_format(MACHINES, "avro"))
    prepare(connection, topic, file)
    with pytest.raises(Misconfigured, match="cannot be broken in this way") as refused:
        produce_shard(connection, request(topic, file, faults=("undecodable.wrong_type=1",)), stop=threading.Event())
    assert refused.value.exit_code == 78
    assert read_topic(connection, topic) == []


def test_the_commands_work_with_json(connection: Connection, topic_name: Callable[[str], str], tmp_path: Path) -> None:
    topic, folder = topic_name("commands"), tmp_path / "own"
    file = write(folder, with_format(EVERYTHING, "json"))
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    warehouse = tmp_path / "w.duckdb"
    where = ("--bootstrap-servers", connection.kafka.bootstrap_servers, "--registry-url", connection.registry.url)
    how = (file, "--topic", topic, "--run-id", RUN, "--events", 2_000)
    refused = streamproof("produce", *how, *where)
    assert refused.exit_code == 78
    assert "--format json" in refused.text
    contract = (folder / "schema.avsc", "--topic", topic, "--format", "json")
    assert streamproof("schemas", "gate", *contract, *where).exit_code == 0
    shown = streamproof("schemas", "diff", *contract, "--json", *where)
    assert shown.document["versions"][0]["status"] == "present"
    assert streamproof("produce", *how, "--fault", "undecodable=18", *where).exit_code == 0
    for command in ("load", "audit"):
        done = streamproof(command, topic, "--warehouse", warehouse, *where)
        assert done.exit_code == 0, done.text
    listed = streamproof("quarantine", "list", topic, "--warehouse", warehouse, "--json")
    assert sum(one["records"] for one in listed.document["classes"]) == 18
    replayed = streamproof("quarantine", "replay", topic, "--warehouse", warehouse, "--json", *where)
    assert (replayed.document["replayed"], replayed.document["remaining"]) == (0, 18)
    verified = streamproof("verify", warehouse, *where)
    assert verified.exit_code == 0, verified.text
    for command in ("check", "publish", "report"):
        more = () if command == "check" else ("--publications", tmp_path / "out")
        done = streamproof(command, topic, "--warehouse", warehouse, *more)
        assert done.exit_code == 0, done.text
    previewed = streamproof("preview", file, "--events", 100, "--json")
    assert previewed.document["value_bytes"]["mean"] > 200
