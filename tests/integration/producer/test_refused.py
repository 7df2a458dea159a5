"""Events that Kafka does not take: its reason is told, with what helps."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cluster.connection import Connection
from cluster.declarations import TopicSpec
from cluster.topics import admin_client, apply_topics, specs_for
from schemas.registry.contract import load_contract, subject_for
from schemas.registry.gate import Registry
from streamproof.cli import run
from tests.kit import ROOT

KEYLESS = {
    "type": "record",
    "name": "Keyless",
    "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "string"}],
}


@pytest.fixture
def topic_with(connection: Connection, topic_name: Callable[[str], str]) -> Callable[..., str]:
    """A function that makes a topic with settings of its own, and its control topic."""

    def make(schema: str, **config: str) -> str:
        topic = topic_name("refused")
        data, control = specs_for(topic)
        settings = {name.replace("_", "."): value for name, value in config.items()}
        own = TopicSpec(data.name, data.partitions, data.replication_factor, settings)
        apply_topics(admin_client(connection.kafka), [own, control])
        with Registry(connection.registry) as registry:
            registry.register(subject_for(topic), schema)
        return topic

    return make


def error_of(capsys, *arguments: str) -> dict[str, object]:
    assert run(["produce", *arguments, "--json"]) == 65
    error: dict[str, object] = json.loads(capsys.readouterr().out)["error"]
    return error


@pytest.mark.parametrize("shards", ["1", "2"])
def test_a_compacted_topic_without_keys_is_named_as_the_reason_with_what_helps(topic_with, tmp_path, capsys, shards):
    (tmp_path / "keyless.avsc").write_text(json.dumps(KEYLESS))
    scenario = tmp_path / "keyless.yaml"
    scenario.write_text("schema: keyless.avsc\n")
    topic = topic_with((tmp_path / "keyless.avsc").read_text(), cleanup_policy="compact")
    error = error_of(capsys, str(scenario), "--topic", topic, "--events", "500", "--shards", shards)
    assert "(500 failed, 0 unknown): 500 INVALID_RECORD (Broker failed to validate record)" in error["message"]
    assert "cleanup.policy=compact: it takes no event without a key" in error["hint"]
    assert "sends what is missing" not in error["hint"]
    assert error["run"]["acknowledged"] == 0
    assert error["run"]["reasons"] == [
        {"reason": "INVALID_RECORD", "says": "Broker failed to validate record", "events": 500}
    ]


def test_a_run_of_which_nothing_was_accepted_is_no_success_anywhere(topic_with, tmp_path, capsys):
    scenario = ROOT / "tests" / "cases" / "keyless_to_compacted.yaml"
    topic = topic_with(scenario.with_name("keyless.avsc").read_text(), cleanup_policy="compact")
    error = error_of(capsys, str(scenario), "--topic", topic, "--events", "200")
    assert "200 INVALID_RECORD" in error["message"]
    assert "takes no event without a key" in error["hint"]
    there = ("--warehouse", str(tmp_path / "w.duckdb"), "--json")
    publications = ("--publications", str(tmp_path / "publications"))
    assert run(["load", topic, *there]) == 0
    capsys.readouterr()
    assert run(["audit", topic, *publications, *there]) != 0
    assert "Nothing was accepted" in capsys.readouterr().out
    assert run(["publish", topic, *publications, *there]) != 0
    assert not list((tmp_path / "publications").rglob("*.parquet"))


def test_events_above_the_topics_limit_are_named_with_it_and_the_others_arrive(topic_with, capsys):
    topic = topic_with(load_contract("customer_events").version(1).text, max_message_bytes="300")
    error = error_of(capsys, "customer_events", "--topic", topic, "--events", "1000")
    run_of = error["run"]
    assert run_of["acknowledged"] + run_of["failed"] == 1000
    assert run_of["acknowledged"] > 0
    assert f"{run_of['failed']:,} MSG_SIZE_TOO_LARGE (Message size too large)" in error["message"]
    assert "raise max.message.bytes (300 bytes) of the topic, then the same command" in error["hint"]


def test_events_within_the_topics_limit_arrive_although_a_batch_would_be_above_it(topic_with, capsys):
    topic = topic_with(load_contract("customer_events").version(1).text, max_message_bytes="2000")
    assert run(["produce", "customer_events", "--topic", topic, "--events", "1000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["acknowledged"] == 1000


def test_refused_events_are_told_to_a_person_too(topic_with, capsys):
    topic = topic_with(load_contract("customer_events").version(1).text, max_message_bytes="300")
    assert run(["produce", "customer_events", "--topic", topic, "--events", "1000"]) == 65
    assert "MSG_SIZE_TOO_LARGE" in capsys.readouterr().err
