"""The consumer of the example Dag: it stores each event once, and its switch does exactly the damage it says."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.connection import Connection
from producer import ProduceRequest, produce_shard
from schemas.identity import event_id
from tests.kit.your_consumer import consume, consumer_module

EVENTS, RUN = 1000, "r/yours"


@pytest.fixture(scope="module")
def numbers() -> Any:
    return consumer_module()


def produce(connection: Connection, topic: str, run_id: str, events: int = EVENTS) -> None:
    request = ProduceRequest(topic=topic, run_id=run_id, seed=7, events=events, rate=0.0)
    produce_shard(connection, request, stop=threading.Event())


def ids(remainder: int) -> set[str]:
    return {event_id(RUN, 0, number) for number in range(EVENTS) if number % 100 == remainder}


def query(file: Path, sql: str) -> list[Any]:
    with duckdb.connect(str(file), read_only=True) as database:
        return database.sql(sql).fetchall()


def test_it_stores_each_event_once_and_goes_on_where_it_was(
    connection: Connection, ready_topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "own.duckdb"
    produce(connection, ready_topic, RUN)
    assert consume(connection, ready_topic, file) == EVENTS
    assert consume(connection, ready_topic, file) == 0
    produce(connection, ready_topic, "r/next", events=50)
    assert consume(connection, ready_topic, file) == 50
    assert query(file, "SELECT count(*), count(DISTINCT id) FROM events") == [(1050, 1050)]
    whole = "count(customer), count(kind), count(happened_at), bool_and(watched BETWEEN 0 AND 100)"
    assert query(file, f"SELECT {whole} FROM events") == [(1050, 1050, 1050, True)]
    assert query(file, "SELECT count(*) FROM events WHERE (watched IS NULL) = (kind = 'content_play')") == [(0,)]


def test_its_switch_does_exactly_the_damage_that_it_says(
    connection: Connection, ready_topic: str, tmp_path: Path, numbers: Any
) -> None:
    whole, damaged = tmp_path / "whole.duckdb", tmp_path / "damaged.duckdb"
    produce(connection, ready_topic, RUN)
    consume(connection, ready_topic, damaged, "all")
    numbers.GROUP = "another"
    numbers.consume(connection.kafka.as_librdkafka(), {"url": connection.registry.url}, ready_topic, whole)
    sides = f"ATTACH '{damaged}' AS damaged (READ_ONLY); "
    lost = query(whole, sides + "SELECT id FROM events WHERE id NOT IN (SELECT id FROM damaged.events)")
    assert {row[0] for row in lost} == ids(numbers.LOST)
    doubled = query(damaged, "SELECT id FROM events GROUP BY id HAVING count(*) > 1")
    assert {row[0] for row in doubled} == ids(numbers.DOUBLED)
    joined = "FROM events AS e JOIN damaged.events AS d USING (id)"
    differ = query(whole, sides + f"SELECT id {joined} WHERE d.happened_at <> e.happened_at")
    assert {row[0] for row in differ} == ids(numbers.ROUNDED)
    others = "(e.customer, e.kind, e.watched) IS DISTINCT FROM (d.customer, d.kind, d.watched)"
    assert query(whole, sides + f"SELECT count(*) {joined} WHERE {others}") == [(0,)]
