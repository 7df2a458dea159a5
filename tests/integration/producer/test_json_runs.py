"""Runs of JSON values: produced, loaded, proved, broken, killed and continued as those of Avro are."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from confluent_kafka import Producer

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
from tests.kit.commands import command_line, streamproof
from tests.kit.kafka import read_topic, topic_ends
from tests.kit.waiting import wait_until

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


def proved(connection: Connection, topic: str, folder: Path, written: str | None = None) -> AuditResult:
    warehouse = folder / "w.duckdb"
    load(connection, topic, warehouse, written=written, stop=threading.Event())
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
    registry = ("--registry-url", connection.registry.url)
    where = ("--bootstrap-servers", connection.kafka.bootstrap_servers, *registry)
    how = (file, "--topic", topic, "--run-id", RUN, "--events", 2_000)
    refused = streamproof("produce", *how, *where)
    assert refused.exit_code == 78
    assert "--format json" in refused.text
    contract = (folder / "schema.avsc", "--topic", topic, "--format", "json")
    assert streamproof("schemas", "gate", *contract, *registry).exit_code == 0
    shown = streamproof("schemas", "diff", *contract, "--json", *registry)
    assert shown.document["versions"][0]["status"] == "present"
    assert streamproof("produce", *how, "--fault", "undecodable=18", *where).exit_code == 0
    for command in ("load", "audit"):
        done = streamproof(command, topic, "--warehouse", warehouse, *where)
        assert done.exit_code == 0, done.text
    listed = streamproof("quarantine", "list", topic, "--warehouse", warehouse, "--json")
    assert sum(one["records"] for one in listed.document["classes"]) == 18
    replayed = streamproof("quarantine", "replay", topic, "--warehouse", warehouse, "--json", *registry)
    assert (replayed.document["replayed"], replayed.document["remaining"]) == (0, 18)
    verified = streamproof("verify", warehouse, *where)
    assert verified.exit_code == 0, verified.text
    for command in ("check", "publish", "report"):
        more = () if command == "check" else ("--publications", tmp_path / "out")
        done = streamproof(command, topic, "--warehouse", warehouse, *more)
        assert done.exit_code == 0, done.text
    previewed = streamproof("preview", file, "--events", 100, "--json")
    assert previewed.document["value_bytes"]["mean"] > 200


def test_plain_values_are_found_broken_and_proved_without_a_registry(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    alone = Connection.of({"bootstrap_servers": connection.kafka.bootstrap_servers})
    topic = topic_name("plain")
    file = write(tmp_path / "own", with_format(MACHINES, "plain-json"))
    apply_topics(admin_client(alone.kafka), specs_for(topic))
    faults = ("undecodable=21", "dropped=7", "tombstone=5", "out_of_order=9", "duplicate=9", "altered=12", "late=8")
    manifest = produce_shard(alone, request(topic, file, events=8_000, faults=faults), stop=threading.Event())
    assert (manifest.value_format, manifest.schema_used.id < 0, manifest.registry) == ("plain-json", True, None)
    result = proved(alone, topic, tmp_path, "plain-json")
    assert result.verdict == "PASSED", result.reason
    scored = {score.kind: (score.injected, score.found, score.false_alarms) for score in result.faults}
    assert scored == {kind: (count, count, 0) for kind, count in manifest.injected.items()}
    assert {kind for kind in scored if kind.startswith("undecodable.")} == value_format("plain-json").breaks
    values = [message.value() for message in read_topic(alone, topic)]
    assert any(bytes(value or b"").startswith(b'{"sizes":') for value in values)


def test_the_commands_work_with_plain_json_and_no_registry(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic, folder = topic_name("plainly"), tmp_path / "own"
    file = write(folder, with_format(EVERYTHING, "plain-json"))
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    warehouse = ("--warehouse", tmp_path / "w.duckdb")
    nowhere = {"STREAMPROOF_STATE_DIR": str(tmp_path / "no-stack")}
    kafka = ("--bootstrap-servers", connection.kafka.bootstrap_servers)

    def done(*words: object) -> Any:
        ended = streamproof(*words, env=nowhere)
        assert ended.exit_code == 0, ended.text
        return ended

    done("produce", file, "--topic", topic, "--run-id", RUN, "--events", 2_000, "--fault", "undecodable=14", *kafka)
    loaded = done("load", topic, *warehouse, "--format", "plain-json", "--json", *kafka)
    assert (loaded.document["rows"], loaded.document["quarantined"]) == (1_986, 14)
    done("audit", topic, *warehouse, *kafka)
    replayed = done("quarantine", "replay", topic, *warehouse, "--json")
    assert (replayed.document["replayed"], replayed.document["remaining"]) == (0, 14)
    done("verify", tmp_path / "w.duckdb", *kafka)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as opened:
        opened.execute("UPDATE schema_versions SET schema_id = -5; UPDATE events SET _schema_id = -5")
    assert streamproof("verify", tmp_path / "w.duckdb", *kafka, env=nowhere).exit_code == 65


def test_values_without_a_frame_are_of_one_contract_in_a_topic(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("one-contract")
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    first = write(tmp_path / "first", with_format(EVERYTHING, "plain-json"))
    other = write(tmp_path / "other", with_format(MACHINES, "plain-json"))
    produce_shard(connection, request(topic, first), stop=threading.Event())
    sent = len(read_topic(connection, topic))
    with pytest.raises(Misconfigured, match="of another contract to this topic") as refused:
        produce_shard(connection, replace(request(topic, other), run_id="json/two"), stop=threading.Event())
    assert (refused.value.exit_code, len(read_topic(connection, topic))) == (78, sent)
    produce_shard(connection, replace(request(topic, first), run_id="json/three"), stop=threading.Event())
    assert len(read_topic(connection, topic)) == 2 * sent


OTHERS = {"type": "record", "name": "Other", "fields": [{"name": "n", "type": "long"}]}


def send(connection: Connection, topic: str, values: list[bytes]) -> None:
    producer = Producer(connection.kafka.as_librdkafka())
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


def test_values_of_other_programs_are_loaded_with_a_schema_that_is_told(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("others")
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    contract = tmp_path / "other.avsc"
    contract.write_text(json.dumps(OTHERS))
    framed = b'\x00\x7f\xff\xff\x00{"n":3}'
    send(connection, topic, [b' { "n" : 1 }\n', b'{"n":2}', b'{"n":"x"}', b'{"m":1}', framed, b"\x00\x00", b""])
    warehouse = ("--warehouse", tmp_path / "w.duckdb")
    nowhere = {"STREAMPROOF_STATE_DIR": str(tmp_path / "no-stack")}
    kafka = ("--bootstrap-servers", connection.kafka.bootstrap_servers)
    # Nothing tells what they are: all of them wait in the quarantine.
    unknown = streamproof("load", topic, *warehouse, "--max-quarantined", "100%", "--json")
    assert (unknown.document["rows"], unknown.document["quarantined"]) == (0, 7)
    asked = streamproof("load", topic, "--warehouse", tmp_path / "x.duckdb", "--format", "plain-json")
    assert (asked.exit_code, "--schema FILE" in asked.text) == (78, True)
    for framed_alone in ((), ("--format", "avro"), ("--format", "json")):
        refused = streamproof("load", topic, *warehouse, *framed_alone, *kafka, env=nowhere)
        assert (refused.exit_code, "Schema Registry" in refused.text) == (78, True)
    with pytest.raises(Misconfigured, match="Schema Registry"):
        load(Connection.of({"bootstrap_servers": kafka[1]}), topic, tmp_path / "z.duckdb", stop=threading.Event())
    replayed = streamproof("quarantine", "replay", topic, *warehouse, "--schema", contract, "--json")
    assert (replayed.document["replayed"], replayed.document["remaining"]) == (2, 5)
    other = ("--warehouse", tmp_path / "y.duckdb")
    load_it = ("load", topic, *other, "--schema", contract, "--json", "--max-quarantined", "100%", *kafka)
    told = streamproof(*load_it, env=nowhere)
    assert (told.document["rows"], told.document["quarantined"]) == (2, 5), told.text
    with duckdb.connect(str(tmp_path / "y.duckdb"), read_only=True) as opened:
        assert opened.sql("SELECT n FROM events ORDER BY n").fetchall() == [(1,), (2,)]
        classes = dict(opened.sql("SELECT error_class, count(*) FROM quarantine GROUP BY 1").fetchall())
    assert classes == {"wrong_type": 1, "unknown_member": 1, "unknown_schema": 1, "short": 1, "empty": 1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "xml"), "there is no format xml"),
        (("--format", "avro", "--schema", "x.avsc"), "name their schemas themselves"),
        (("--schema", "x.json"), "not a contract"),
        (("--schema", "x.avsc"), "cannot be read"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(words: tuple[str, ...], said: str) -> None:
    refused = streamproof("load", "t", *words)
    assert (refused.exit_code, said in refused.text) == (78, True)


def test_a_topic_may_hold_both_formats_in_frames_and_values_without_one(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("mixed")
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    text = json.dumps(OTHERS)
    values: list[bytes] = []
    with Registry(connection.registry) as registry:
        for place, name in enumerate(("avro", "json")):
            used = registry.register(f"{topic}-{name}", text, name)
            encoder = value_format(name).encoder(text, used.id)
            rows = pa.RecordBatch.from_pylist([{"n": 10 * place + n} for n in range(3)], schema=encoder.arrow_schema)
            values += [value or b"" for value in encoder.encode(rows).to_pylist()]
            assert registry.schema(used.id).format == name
    send(connection, topic, [*values, b'{"n":20}', *values[::-1], b"junk"])
    contract = tmp_path / "other.avsc"
    contract.write_text(text)
    warehouse = tmp_path / "w.duckdb"
    done = streamproof("load", topic, "--warehouse", warehouse, "--schema", contract, "--json")
    assert (done.document["rows"], done.document["quarantined"]) == (13, 1)
    with duckdb.connect(str(warehouse), read_only=True) as opened:
        found = opened.sql(
            "SELECT format, list(DISTINCT n ORDER BY n) FROM events JOIN schema_versions ON schema_id = _schema_id "
            "GROUP BY 1"
        ).fetchall()
    assert dict(found) == {"avro": [0, 1, 2], "json": [10, 11, 12], "plain-json": [20]}
    assert streamproof("verify", warehouse).exit_code == 0


def test_a_run_without_frames_cannot_mix_versions(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "two"
    topic = topic_name("versions")
    file = write(folder, with_format(EVERYTHING, "plain-json"))
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    scenario = find_scenario(file)
    first = contract_of(scenario)
    two = replace(first, versions=(first.versions[0], replace(first.versions[0], version=2)))
    monkeypatch.setattr("producer.plan.agreement.contract_of", lambda _: two)
    with pytest.raises(Misconfigured, match="cannot mix versions") as refused:
        produce_shard(connection, request(topic, file, next_version_share=0.5), stop=threading.Event())
    assert refused.value.exit_code == 78


@pytest.mark.parametrize("name", ["json", "plain-json"])
def test_a_run_that_was_killed_is_continued_and_nothing_is_lost_or_sent_twice(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path, name: str
) -> None:
    topic = topic_name("killed")
    file = write(tmp_path / "own", with_format(EVERYTHING, name))
    if name == "json":
        prepare(connection, topic, file)
    else:
        apply_topics(admin_client(connection.kafka), specs_for(topic))
    # Another run first: the partitions of a topic that was made just now may not have leaders yet.
    produce_shard(connection, request(topic, file, run_id="before", events=10), stop=threading.Event())
    command = command_line(
        "produce", file, "--topic", topic, "--run-id", RUN, "--events", 8_000, "--rate", 4_000,
        "--fault", "undecodable=18", "--fault", "duplicate=10",
    )  # fmt: skip
    with topic_ends(connection, topic) as ends, subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: ends.count() > 800, "the first records", timeout_s=60, while_runs=process)
        process.kill()
        process.wait(10)
        assert 800 < ends.count() < 8_000
    assert streamproof(*command[3:]).exit_code == 0
    result = proved(connection, topic, tmp_path)
    assert (result.verdict, result.lost, result.phantom) == ("PASSED", 0, 0), result.reason
    scored = {score.kind: (score.injected, score.found, score.false_alarms) for score in result.faults}
    assert all(injected == found and not alarms for injected, found, alarms in scored.values())
