"""Waiting for records that are not stored: from the ends of the topic and the stored positions, and nothing is read."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cluster.connection import Connection
from cluster.topics import admin_client
from consumer.load.load import load
from consumer.sinks.duckdb.warehouse import open_warehouse
from tests.kit.airflow_process import AirflowProcess, airflow_process
from tests.kit.commands import streamproof
from tests.kit.topics import delete_topic, make_ready


@pytest.fixture(scope="module")
def airflow(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowProcess]:
    """A process of Airflow whose connection is the session's broker."""
    extra = {"bootstrap.servers": connection.kafka.bootstrap_servers}
    env = {"AIRFLOW_CONN_KAFKA_DEFAULT": json.dumps({"conn_type": "kafka", "extra": extra})}
    with airflow_process(tmp_path_factory.mktemp("airflow"), env) as process:
        yield process


@pytest.fixture
def topic(connection: Connection, topic_name: Callable[[str], str]) -> str:
    """A topic that a run can be sent to."""
    return make_ready(connection, topic_name("awaited"))


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Where its warehouse is to be."""
    return tmp_path / "w.duckdb"


def send(topic: str, events: int) -> None:
    """Send so many events to it."""
    sent = streamproof("produce", "customer_events", "--topic", topic, "--events", events)
    assert sent.exit_code == 0, sent.stderr


def groups(connection: Connection, topic: str) -> list[str]:
    """The consumer groups that a wait could have made."""
    admin = admin_client(connection.kafka)
    listed = admin.ask(admin.list_consumer_groups(), "listing the groups")
    return [group.group_id for group in listed.valid if topic in group.group_id and "-load-" not in group.group_id]


def test_what_is_there_and_not_stored_is_told_at_once(airflow, connection, topic, warehouse):
    send(topic, 30)
    asked = {"topic": topic, "warehouse": str(warehouse), "deferrable": True}
    told = airflow.ask("new_records", **asked)
    assert (told["events"], told["returned"], told["raised"]) == ([], 30, "")
    load(connection, topic, warehouse, stop=threading.Event())
    told = airflow.ask("new_records", **asked, wait="0s")
    assert told["returned"] is None
    assert "0 offsets are not stored after 0s, and 1 are waited for" in told["skipped"]
    assert groups(connection, topic) == []


def test_the_triggerer_waits_for_enough_and_a_worker_looks_again(airflow, connection, topic, warehouse):
    send(topic, 10)
    load(connection, topic, warehouse, stop=threading.Event())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            airflow.ask,
            "new_records",
            topic=topic,
            warehouse=str(warehouse),
            deferrable=True,
            at_least=20,
            wait="60s",
            poll="200ms",
        )
        send(topic, 15)
        assert not waiting.done()
        send(topic, 15)
        told: dict[str, Any] = waiting.result(60)
    assert (told["events"], told["returned"]) == ([30], 30)


def test_a_wait_that_is_over_skips_or_fails_as_it_was_told(airflow, topic, warehouse):
    asked = {"topic": topic, "warehouse": str(warehouse), "deferrable": True, "wait": "300ms", "poll": "100ms"}
    told = airflow.ask("new_records", **asked)
    assert told["events"] == [0]
    assert told["skipped"].startswith(f"{topic}: 0 offsets are not stored")
    assert airflow.ask("new_records", **asked, fail=True)["raised"].startswith("Busy: 0 offsets are not stored")
    assert airflow.ask("new_records", **asked, at_least="none")["raised"].startswith("Misconfigured: at_least is")


def test_a_worker_can_wait_too_and_a_warehouse_that_is_open_is_waited_for(airflow, topic, warehouse):
    send(topic, 5)
    with ThreadPoolExecutor(1) as pool:
        with open_warehouse(warehouse, topic=topic):
            asked = {"topic": topic, "warehouse": str(warehouse), "deferrable": False, "wait": "90s", "poll": "200ms"}
            waiting = pool.submit(airflow.ask, "new_records", **asked)
            with pytest.raises(TimeoutError):
                waiting.result(3)
        assert waiting.result(60)["returned"] == 5


def test_a_topic_that_took_the_place_of_another_is_told(airflow, connection, topic, warehouse):
    send(topic, 5)
    load(connection, topic, warehouse, stop=threading.Event())
    delete_topic(connection, topic)
    make_ready(connection, topic)
    told = airflow.ask("new_records", topic=topic, warehouse=str(warehouse), deferrable=True)
    assert told["raised"].startswith("TopicRecreated: the topic was deleted and created again")
