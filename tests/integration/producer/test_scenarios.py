"""Clickstream and a declared scenario, from their commands to a verdict, on the real broker and registry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.connection import Connection
from cluster.topics import admin_client, apply_topics, specs_for
from consumer.load.load import load
from consumer.proof.audit import audit
from schemas.registry.contract import subject_for
from schemas.registry.gate import Registry
from tests.kit import commands
from tests.kit.commands import command_line
from tests.kit.kafka import topic_ends
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.integration

ORDER = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "order_id", "type": "long"},
        {"name": "customer", "type": "string"},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["NEW", "PAID"]}},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "items", "type": {"type": "array", "items": ["string", "int", "null"]}},
        {"name": "payload", "type": "bytes"},
        {"name": "placed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
ORDERS = """
schema: order.avsc
key: customer
fields:
  customer: {faker: {provider: user_name, pool: 100, skew: 0.5}}
  payload: {bytes: [0, 20]}
"""


def streamproof(*arguments: object, ok: bool = True) -> Any:
    ended = commands.streamproof(*arguments, "--json")
    assert (ended.exit_code == 0) is ok, ended.stderr[-3000:]
    return ended.document


@pytest.fixture
def topic(connection: Connection, topic_name: Callable[[str], str]) -> str:
    name = topic_name("scenario")
    apply_topics(admin_client(connection.kafka), specs_for(name))
    return name


@pytest.fixture
def orders(tmp_path: Path, topic: str) -> Path:
    """A file of a scenario whose schema is registered for the topic."""
    (tmp_path / "order.avsc").write_text(json.dumps(ORDER))
    (tmp_path / "orders.yaml").write_text(ORDERS)
    streamproof("schemas", "gate", tmp_path / "order.avsc", "--topic", topic)
    return tmp_path / "orders.yaml"


def judged(connection: Connection, topic: str, folder: Path, run_id: str) -> Any:
    """Load the topic and audit a run."""
    warehouse = folder / "topic.duckdb"
    load(connection, topic, warehouse, stop=threading.Event())
    return audit(connection, warehouse, topic, run_id)


def rows(folder: Path, query: str) -> list[Any]:
    with duckdb.connect(str(folder / "topic.duckdb"), read_only=True) as store:
        return store.execute(query).fetchall()


def test_clickstream_from_its_flags_to_a_passed_audit(connection, stack, topic, tmp_path):
    streamproof("schemas", "gate", "clickstream", "--topic", topic)
    (tmp_path / "client.properties").write_text(
        f"BOOTSTRAP_SERVERS_CONFIG={connection.kafka.bootstrap_servers}\n"
        f"SCHEMA_REGISTRY_URL_CONFIG={connection.registry.url}\nACKS_CONFIG=1\n"
    )
    flags = ("--topic", topic, "--properties", tmp_path / "client.properties", "--shards", 2)
    log = tmp_path / "log"
    streamproof("produce", "clickstream", *flags, "--events", 9_001, "--no-delay", "--run-id", "c", "--event-log", log)
    found = judged(connection, topic, tmp_path, "c")
    assert (found.verdict, found.expected, found.reordered) == ("PASSED", 9_001, 0)
    assert rows(tmp_path, "SELECT min(globalseq), max(globalseq), count(DISTINCT globalseq) FROM events") == [
        (1, 9_001, 9_001)
    ]
    astray = """
        SELECT count(*) FROM events AS event LEFT JOIN events AS before ON before.globalseq = event.prevglobalseq
        WHERE event.prevglobalseq <> 0 AND before.userid IS DISTINCT FROM event.userid
    """
    assert rows(tmp_path, astray) == [(0,)]
    assert sum(len(path.read_text().splitlines()) for path in log.glob("clickstream-c-*.jsonl")) == 9_001

    # Another run on the same topic has the same numbers; identities tell the two apart.
    document = streamproof("produce", "clickstream", *flags, "--users", 500, "--rate", 0, "--run-id", "d")
    found = judged(connection, topic, tmp_path, "d")
    assert (found.verdict, found.expected) == ("PASSED", document["acknowledged"])
    assert judged(connection, topic, tmp_path, "c").verdict == "PASSED"
    begun = "SELECT count(*) FROM events WHERE prevglobalseq = 0 AND starts_with(_event_id, '18ac3e73')"
    assert rows(tmp_path, begun) == [(500,)]

    # A run goes on with the options that it was begun with, or not at all.
    again = ("produce", "clickstream", *flags, "--rate", 0, "--run-id", "d")
    refused = streamproof(*again, "-o", "users=502", ok=False)
    assert "users was 250, is now 251" in refused["error"]["message"]
    refused = streamproof(*again, "-o", "users=500", "--no-delay", ok=False)
    assert "no_delay was None, is now 1" in refused["error"]["message"]
    assert streamproof(*again, "-o", "users=500")["acknowledged"] == document["acknowledged"]


@pytest.mark.parametrize(("scenario", "key"), [("shop_events", "userId"), ("journey", "user_id")])
def test_shoppers_and_journeys_go_from_their_command_to_a_passed_audit_in_every_way(
    connection, stack, topic, tmp_path, scenario, key
):
    if scenario == "journey":
        streamproof("schemas", "gate", scenario, "--topic", topic)
    streamproof("produce", scenario, "--topic", topic, "--events", 6_001, "--shards", 2, "--rate", 0, "--run-id", "s")
    found = judged(connection, topic, tmp_path, "s")
    assert (found.verdict, found.expected, found.reordered) == ("PASSED", 6_001, 0)
    assert rows(tmp_path, f'SELECT count(*) FROM events WHERE "{key}" <> decode(_key)') == [(0,)]
    warehouse = tmp_path / "topic.duckdb"
    realism = streamproof("realism", "s", "--topic", topic, "--warehouse", warehouse)
    assert (realism["events"], realism["violations"]) == (6_001, 0)
    checked = streamproof("check", topic, "--warehouse", warehouse, "--publications", tmp_path)
    assert all(result["passed"] for result in checked["results"])
    published = streamproof("publish", topic, "--warehouse", warehouse, "--publications", tmp_path)
    assert published["rows"] == 6_001
    # Each event is made again, and its values compared with those in a table of somebody else's.
    with duckdb.connect(str(tmp_path / "theirs.duckdb")) as theirs:
        theirs.execute(f"ATTACH '{warehouse}' AS ours (READ_ONLY)")
        theirs.execute("CREATE TABLE arrived AS FROM ours.events")
    ids = "_event_id" if scenario == "shop_events" else "event_id"
    at = ("--at", f"{tmp_path / 'theirs.duckdb'}#arrived", "--id", ids)
    told = streamproof("audit", topic, "--run-id", "s", *at, "--compare")
    assert (told["verdict"], told["expected"], told["lost"]) == ("PASSED", 6_001, 0)


def test_the_pack_beside_a_scenario_is_told_by_the_manifest_and_its_checks_are_run(
    connection, stack, topic, orders, tmp_path, monkeypatch
):
    (tmp_path / "orders.pack" / "checks").mkdir(parents=True)
    (tmp_path / "orders.pack" / "checks" / "paid.sql").write_text(
        "-- severity: blocking\n-- description: Nobody has paid.\n-- needs: events.status, run\n"
        "SELECT count(*) AS offending, 'paid' AS detail FROM run_events WHERE status = 'PAID' HAVING count(*) > 0"
    )
    streamproof("produce", orders, "--topic", topic, "--events", 500, "--run-id", "o")
    assert judged(connection, topic, tmp_path, "o").verdict == "PASSED"
    assert rows(tmp_path, "SELECT document ->> '$.pack.\"checks/paid\"' FROM manifests") == [("blocking",)]
    check = ("check", topic, "--warehouse", tmp_path / "topic.duckdb", "--publications", tmp_path)
    for folder, detail in (("", "not run: the pack of the scenario orders is not on this machine"), (tmp_path, "paid")):
        monkeypatch.setenv("STREAMPROOF_SCENARIO_PATH", str(folder))
        (result,) = [each for each in streamproof(*check, ok=False)["results"] if each["check"] == "paid"]
        assert result["passed"] is False
        assert result["detail"].startswith(detail)


def test_a_declared_scenario_of_a_foreign_schema_passes_its_audit(connection, stack, topic, orders, tmp_path):
    document = streamproof(
        "produce",
        "orders",
        "--scenario-path",
        tmp_path,
        "--topic",
        topic,
        "--events",
        9001,
        "--shards",
        2,
        "--run-id",
        "o",
    )
    assert document["scenario"] == "orders"
    found = judged(connection, topic, tmp_path, "o")
    assert (found.verdict, found.expected, found.unattributed) == ("PASSED", 9001, 0)
    assert rows(tmp_path, "SELECT count(DISTINCT order_id), max(order_id), count(_event_id) FROM events") == [
        (9001, 9001, 9001)
    ]
    with Registry(connection.registry) as registry:
        assert registry.latest(subject_for(topic)) is not None


def test_a_scenario_of_a_registered_subject_needs_no_file_of_its_schema(connection, stack, topic, orders, tmp_path):
    (tmp_path / "registered.yaml").write_text(f"subject: {subject_for(topic)}\nkey: customer\n")
    streamproof("produce", tmp_path / "registered.yaml", "--topic", topic, "--events", 500, "--run-id", "s")
    assert judged(connection, topic, tmp_path, "s").verdict == "PASSED"


def test_what_a_refusal_says_takes_a_registered_schema_to_another_topic(connection, stack, topic, orders, tmp_path):
    (tmp_path / "registered.yaml").write_text(f"subject: {subject_for(topic)}\nkey: customer\n")
    other = f"{topic}-other"
    streamproof("topics", "apply", "--topic", other)
    produce = ("produce", tmp_path / "registered.yaml", "--topic", other, "--events", 10, "--run-id", "s")
    said = streamproof(*produce, ok=False)["error"]["hint"]
    assert f"Write to topic {topic}, whose subject it is" in said
    command = said.split("`")[1].replace("streamproof ", f"{sys.executable} -m streamproof ")
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, timeout=60, capture_output=True)
    assert streamproof(*produce)["acknowledged"] == 10


def test_a_kill_and_the_same_command_again_make_each_event_once_by_their_headers(
    connection, stack, topic, orders, tmp_path
):
    arguments = ("produce", orders, "--topic", topic, "--events", 8_000, "--rate", 2000, "--run-id", "k", "--json")
    process = subprocess.Popen(command_line(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with topic_ends(connection, topic) as ends:
        wait_until(lambda: ends.count() >= 2000, "2,000 records", timeout_s=60, while_runs=process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    document = streamproof(*arguments[:-1])
    assert (document["acknowledged"], document["shards"][0]["resumed"]) == (8_000, 1)
    found = judged(connection, topic, tmp_path, "k")
    assert (found.verdict, found.expected, found.duplicated) == ("PASSED", 8_000, 0)
    orders.write_text(ORDERS.replace("[0, 20]", "[0, 21]"))
    refused = streamproof(*arguments[:-1], ok=False)
    assert "the scenario file or its schema was changed since then" in refused["error"]["message"]


def test_events_that_are_too_large_are_named_by_their_numbers(connection, stack, topic, orders, tmp_path):
    orders.write_text(ORDERS.replace("[0, 20]", "[800000, 1048576]"))
    arguments = ("produce", orders, "--topic", topic, "--events", 40, "--run-id", "l")
    refused = streamproof(*arguments, ok=False)
    assert refused["error"]["kind"] == "RecordsUndelivered"
    found = judged(connection, topic, tmp_path, "l")
    assert found.verdict == "PASSED"  # of what was acknowledged
    assert 5 < found.expected < 35
    assert found.loaded == found.expected
    assert found.failed == 40 - found.expected


def test_mutual_tls_without_a_certificate_is_refused(stack, topic):
    refused = streamproof("produce", "clickstream", "--topic", topic, "--users", 1, "--mtls", ok=False)
    assert "needs a client certificate" in refused["error"]["message"]
