"""Faults in scenarios of one's own: every kind that the fields allow is found, and nothing else is."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs do not re-export them
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from cluster.connection import Connection
from cluster.errors import Misconfigured
from cluster.topics import admin_client, apply_topics, specs_for, topic_configuration
from consumer.load.load import load
from consumer.proof.audit import audit
from consumer.proof.result import AuditResult
from producer import ProduceRequest, produce_shard
from producer.scenarios import contract_of, find_scenario
from producer.workers import produce_run
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry, gate
from tests.kit.fault_kinds import OF_AVRO

RUN = "own/one"
EVENTS = 8_000
SHARDS = 2
FAULTS = (
    "dropped=7",
    "tombstone=5",
    "undecodable=18",
    "hot_key=0.25",
    "out_of_order=25",
    "duplicate=9",
    "altered=21",
    "late=11,mean=20m",
    "clock_skew=1,by=-5m",
)

# Times as a timestamp of microseconds, a number in a record, busy keys, a text behind other types.
MACHINES = (
    {
        "type": "record",
        "name": "Cycle",
        "fields": [
            {"name": "sizes", "type": {"type": "map", "values": "int"}},
            {"name": "serial", "type": ["null", "long"]},
            {"name": "machine", "type": "string"},
            {"name": "State", "type": ["null", "string"]},
            {"name": "level", "type": {"type": "enum", "name": "Level", "symbols": ["LOW", "HIGH"]}},
            {"name": "made", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "ran", "type": {"type": "record", "name": "Ran", "fields": [
                {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
                {"name": "elapsed", "type": ["null", "double"]},
            ]}},
        ],
    },
    """
    schema: schema.avsc
    key: machine
    pools:
      machines: {size: 800, skew: 0.9, columns: {id: {sequence: {prefix: m-}}}}
    fields:
      machine: {pool: machines.id}
      State: {choice: {UP: 5, DOWN: 3, "it's \\u00e4": 1}, nulls: 0.3}
      made: {timestamp: {back_s: [1000, 90000]}}
      ran.at: {timestamp: {back_s: [0, 15]}}
      ran.elapsed: {distribution: {kind: lognormal, median: 3, sigma: 1}, nulls: 0.2}
    """,
)  # fmt: skip
# Times as text, a decimal that is full, a key that is a number, names that the table has to change.
TRIPS = (
    {
        "type": "record",
        "name": "Trip",
        "fields": [
            {"name": "fee", "type": {"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 2}},
            {"name": "_timestamp", "type": "string"},
            {"name": "taxi", "type": "long"},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "_key", "type": "string"},
        ],
    },
    """
    schema: schema.avsc
    key: taxi
    event_time: _timestamp
    spacing_ms: 100
    fields:
      fee: {distribution: {kind: uniform, low: 9, high: 9.99}}
      _timestamp: {timestamp: {}}
      taxi: {distribution: {kind: uniform, low: 1, high: 3000, round: 0}}
      day: {timestamp: {}}
      _key: {choice: [1, 2, 3]}
    """,
)
# Seconds as a plain int: they end in 2038, so the date of birth takes the future one.
VISITS = (
    {
        "type": "record",
        "name": "Visit",
        "fields": [
            {"name": "at", "type": "int"},
            {"name": "born", "type": {"type": "int", "logicalType": "date"}},
            {"name": "guest", "type": "string"},
            {"name": "currency", "type": "string"},
            {"name": "wait_s", "type": "int"},
        ],
    },
    """
    schema: schema.avsc
    key: guest
    fields:
      at: {timestamp: {}}
      guest: {faker: {provider: user_name, pool: 2000}}
      currency: {constant: EUR}
      wait_s: {distribution: {kind: exponential, mean: 200}}
    """,
)


def write(folder: Path, scenario: tuple[dict[str, Any], str]) -> str:
    """Write a scenario and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "schema.avsc").write_text(json.dumps(scenario[0]))
    (folder / "own.yaml").write_text(scenario[1])
    return str(folder / "own.yaml")


def prepare(connection: Connection, topic: str, file: str) -> None:
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    with Registry(connection.registry) as registry:
        gate(registry, contract_of(find_scenario(file)), subject_for(topic))


def request(topic: str, file: str, shard: int = 0, **more: Any) -> ProduceRequest:
    facts: dict[str, Any] = {"run_id": RUN, "shards": SHARDS, "seed": 3, "events": EVENTS, "faults": FAULTS}
    return ProduceRequest(topic=topic, scenario=file, shard=shard, **(facts | more))


def scored(result: AuditResult) -> dict[str, tuple[int, int, int]]:
    return {score.kind: (score.injected, score.found, score.false_alarms) for score in result.faults}


def audited(connection: Connection, topic: str, folder: Path) -> AuditResult:
    warehouse = folder / "w.duckdb"
    load(connection, topic, warehouse, stop=threading.Event())
    return audit(connection, warehouse, topic, RUN)


@pytest.mark.parametrize("scenario", [MACHINES, TRIPS, VISITS], ids=["machines", "trips", "visits"])
def test_every_kind_in_a_scenario_of_ones_own_is_found_and_nothing_else(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path, scenario: tuple[dict[str, Any], str]
) -> None:
    topic = topic_name("own")
    file = write(tmp_path / "own", scenario)
    prepare(connection, topic, file)
    manifests = [produce_shard(connection, request(topic, file, n), stop=threading.Event()) for n in range(SHARDS)]
    for path in (tmp_path / "own").iterdir():  # the audit knows the scenario from the manifests alone
        path.unlink()
    result = audited(connection, topic, tmp_path)
    assert result.verdict == "PASSED", (result.reason, scored(result))
    injected = {kind: sum(m.injected.get(kind, 0) for m in manifests) for kind in OF_AVRO}
    assert scored(result) == {kind: (count, count, 0) for kind, count in injected.items()}
    assert all(injected.values()), "every kind is possible here"
    counts = {family: sum(n for kind, n in injected.items() if kind.split(".")[0] == family) for family in ASKED}
    assert counts == ASKED


ASKED = {
    "dropped": 7, "tombstone": 5, "undecodable": 18, "out_of_order": 25, "duplicate": 9, "altered": 21, "late": 11,
    "clock_skew": EVENTS // SHARDS - 3,
}  # fmt: skip


@pytest.mark.parametrize("skew", [0.0, 1.0, 1.3])
def test_busy_keys_are_not_called_hot(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path, skew: float
) -> None:
    topic = topic_name("skewed")
    file = write(tmp_path / "own", (MACHINES[0], MACHINES[1].replace("skew: 0.9", f"skew: {skew}")))
    prepare(connection, topic, file)
    with pytest.raises(Misconfigured, match="too few events to stand out") as caught:
        produce_shard(connection, request(topic, file, faults=("hot_key=1",)), stop=threading.Event())
    least = str(caught.value.hint).split()[4].rstrip(",").replace(",", "")
    for shard in range(SHARDS):
        produce_shard(connection, request(topic, file, shard, faults=(f"hot_key={least}",)), stop=threading.Event())
    result = audited(connection, topic, tmp_path)
    assert result.verdict == "PASSED", (result.reason, scored(result))
    assert scored(result) == {"hot_key": (int(least), int(least), 0)}


def test_a_wrong_clock_is_refused_where_the_broker_stamps_the_records(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("stamped")
    file = write(tmp_path / "own", TRIPS)
    admin = admin_client(connection.kafka)
    made = NewTopic(topic, num_partitions=1, config={"message.timestamp.type": "LogAppendTime"})
    admin.ask(admin.create_topics([made])[topic], "creating the topic")
    prepare(connection, topic, file)
    assert topic_configuration(admin, topic)["message.timestamp.type"] == "LogAppendTime"
    with pytest.raises(Misconfigured, match="the broker stamps the records itself"):
        produce_shard(connection, request(topic, file), stop=threading.Event())
    # All else is found there too.
    asked = FAULTS[:-1]
    for shard in range(SHARDS):
        produce_shard(connection, request(topic, file, shard, faults=asked), stop=threading.Event())
    result = audited(connection, topic, tmp_path)
    assert result.verdict == "PASSED", (result.reason, scored(result))


def test_a_wrong_clock_is_refused_where_the_topic_would_refuse_its_records(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("bounded")
    file = write(tmp_path / "own", TRIPS)
    prepare(connection, topic, file)
    with pytest.raises(Misconfigured, match=r"message\.timestamp\.after\.max\.ms is 3,600,000"):
        produce_shard(connection, request(topic, file, faults=("clock_skew=1,by=2h",)), stop=threading.Event())
    admin = admin_client(connection.kafka)
    entry = ConfigEntry("message.timestamp.before.max.ms", "600000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.ask(admin.incremental_alter_configs([resource])[resource], "altering the topic")
    with pytest.raises(Misconfigured, match=r"message\.timestamp\.before\.max\.ms is 600,000"):
        produce_shard(connection, request(topic, file, faults=("clock_skew=1,by=-11m",)), stop=threading.Event())


def test_a_finished_shard_tells_its_faults_again_though_they_are_on_pages(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schemas.control_topic.writing.INLINE_RANGES", 100)
    topic = topic_name("pages")
    file = write(tmp_path / "own", VISITS)
    prepare(connection, topic, file)
    asked = request(topic, file, shards=1, faults=("dropped=0.1", "duplicate=0.1"))
    first, again = (produce_run(connection, asked, shards=(0,), stop=threading.Event()).document() for _ in range(2))
    assert first["shards"][0]["faults"].keys() == {"dropped", "duplicate"}
    assert again["shards"] == first["shards"]
    assert again["injected"] == first["injected"] == sum(first["shards"][0]["faults"].values()) > 1_400
