"""A store that somebody filled from a topic that somebody else filled is judged against a ledger of that topic."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from confluent_kafka import TopicPartition

from cluster.connection import Connection
from cluster.topics import admin_client
from tests.kit.commands import Ended, streamproof
from tests.kit.filled_topic import FilledTopic

ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "order_id", "type": "long"},
        {"name": "customer", "type": "string"},
        {"name": "total", "type": "double"},
    ],
}
Rows = list[dict[str, Any]]


def order(number: int) -> dict[str, Any]:
    return {"order_id": 9_007_199_254_740_992 + number, "customer": f"c{number % 7}", "total": number / 3}


@pytest.fixture
def topic(filled_topic: Callable[..., FilledTopic]) -> FilledTopic:
    """300 orders in two partitions, by a plain producer; the key is the customer."""
    made = filled_topic(partitions=2)
    values = made.avro(ORDER, [order(n) for n in range(300)])
    for partition in range(2):
        made.send(values[partition::2], partition=partition)
    return made


def rows() -> Rows:
    """What an honest consumer stores: the order, and where its record was."""
    return [order(n) | {"kafka_partition": n % 2, "kafka_offset": n // 2} for n in range(300)]


def store(folder: Path, stored: Rows, name: str = "orders") -> str:
    file = folder / f"{name}.duckdb"
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file)) as connection:
        connection.register("given", pa.Table.from_pylist(stored))
        connection.execute("CREATE TABLE orders AS FROM given")
    return f"{file}#orders"


def audited(topic: FilledTopic, where: str, *words: object) -> dict[str, Any]:
    return judged(topic, where, *words, "--json").document


def judged(topic: FilledTopic, where: str, *words: object) -> Ended:
    return streamproof("audit", topic.name, "--at", where, *words)


def test_by_partition_and_offset_damage_is_named_and_values_are_compared(topic: FilledTopic, tmp_path: Path) -> None:
    assert streamproof("ledger", topic.name, "--name", "monday").exit_code == 0
    honest = audited(topic, store(tmp_path, rows()), "--compare")
    assert (honest["verdict"], honest["run_id"], honest["identity"]) == (
        "PASSED",
        "ledger/monday",
        "kafka_partition and kafka_offset",
    )
    assert honest["compared"] == ["order_id", "customer", "total"]
    spoiled = rows()
    del spoiled[10]
    spoiled.append(dict(spoiled[20]))
    spoiled[30]["total"] += 1
    spoiled.append(order(1) | {"kafka_partition": 7, "kafka_offset": 3})
    spoiled.append(order(1) | {"kafka_partition": 0, "kafka_offset": 5_000})
    found = audited(topic, store(tmp_path, spoiled), "--compare")
    damage = {name: found[name] for name in ("lost", "duplicated", "phantom", "altered", "foreign")}
    assert damage == {"lost": 1, "duplicated": 1, "phantom": 1, "altered": 1, "foreign": 1}
    assert found["examples"]["lost"] == ["partition 0 offset 5"]
    assert found["examples"]["altered"] == ["partition 1 offset 15"]
    (column,) = found["columns"]
    assert column["column"] == "total"
    # They are somebody's real values.
    assert {(each["sent"], each["stored"]) for each in column["examples"]} == {(None, None)}


def test_by_a_field_that_tells_records_apart(topic: FilledTopic, tmp_path: Path) -> None:
    assert streamproof("ledger", topic.name, "--id", "order_id").exit_code == 0
    keyed = [{"id": str(row["order_id"]), "total": row["total"]} for row in rows()]
    where = store(tmp_path, keyed)
    honest = audited(topic, where, "--id", "id", "--compare")
    assert (honest["verdict"], honest["arrived"], honest["compared"]) == ("PASSED", 300, ["total"])
    assert honest["identity"] == "id (the field order_id)"
    random.Random(5).shuffle(keyed)
    lost = keyed.pop()["id"]
    keyed += [dict(keyed[0]), {"id": "17", "total": 1.0}]
    found = audited(topic, store(tmp_path, keyed), "--id", "id")
    assert {name: found[name] for name in ("lost", "duplicated", "phantom", "foreign")} == {
        "lost": 1,
        "duplicated": 1,
        "phantom": 0,
        "foreign": 1,
    }
    assert found["examples"]["lost"] == [lost]


def test_of_a_value_that_occurs_again_the_last_record_counts(
    filled_topic: Callable[..., FilledTopic], tmp_path: Path
) -> None:
    topic = filled_topic()
    topic.send(topic.avro(ORDER, [order(1), order(2), order(1) | {"total": 7.0}]))
    assert streamproof("ledger", topic.name, "--id", "order_id").exit_code == 0
    upserted = [order(2), order(1) | {"total": 7.0}]
    assert audited(topic, store(tmp_path, upserted), "--compare")["verdict"] == "PASSED"
    stale = audited(topic, store(tmp_path, [order(2), order(1)]), "--compare")
    assert (stale["verdict"], stale["altered"], stale["lost"]) == ("FAILED", 1, 0)


def test_what_should_arrive_and_sums_are_proved_against_kafka_too(topic: FilledTopic, tmp_path: Path) -> None:
    assert streamproof("ledger", topic.name).exit_code == 0
    some = [row for row in rows() if row["customer"] == "c3"]
    assert audited(topic, store(tmp_path, some), "--expect", "customer = 'c3'")["verdict"] == "PASSED"
    file = tmp_path / "sums.sql"
    file.write_text(
        "SELECT * FROM (SELECT customer, sum(total) AS total FROM truth GROUP BY 1) AS sent "
        "FULL JOIN (SELECT customer, sum(total) AS total FROM sink GROUP BY 1) AS stored USING (customer) "
        "WHERE abs(sent.total - stored.total) > 1e-9 OR sent.total IS NULL OR stored.total IS NULL"
    )
    assert audited(topic, store(tmp_path, rows()), "--expectation", file)["verdict"] == "PASSED"
    broken = audited(topic, store(tmp_path, rows()[1:]), "--expectation", file)
    assert broken["expectations"][0]["disagreeing"] == 0  # the first order is worth nothing
    assert audited(topic, store(tmp_path, rows()[:-1]), "--expectation", file)["expectations"][0]["disagreeing"] == 1


def test_what_kafka_holds_no_more_is_said(topic: FilledTopic, connection: Connection, tmp_path: Path) -> None:
    for words in ((), ("--id", "order_id")):
        assert streamproof("ledger", topic.name, "--name", f"by{len(words)}", *words).exit_code == 0
    admin = admin_client(connection.kafka)
    admin.ask(next(iter(admin.delete_records([TopicPartition(topic.name, 0, 50)]).values())), "deleting records")
    where = store(tmp_path, rows())
    by_position = audited(topic, where, "--run-id", "ledger/by0", "--compare")
    assert by_position["verdict"] == "PASSED"
    assert "Kafka holds 50 records of partition 0 no more" in by_position["reason"]
    # Which value a record had that is gone, nobody can say.
    by_field = audited(topic, where, "--run-id", "ledger/by2")
    assert (by_field["verdict"], by_field["lost"]) == ("UNKNOWN", 0)
    assert "Kafka holds 50 records of partition 0 no more" in by_field["reason"]


@pytest.mark.parametrize(
    ("taken", "words", "said"),
    [
        ((), ("--id", "order_id"), "tells records apart by partition and offset"),
        ((), ("--position", "kafka_partition,total"), "the column total is DOUBLE, and a partition or an offset is"),
        (("--id", "order_id"), ("--position", "kafka_partition,kafka_offset"), "by their field order_id"),
        (("--id", "order_id"), ("--id", "nothing"), "there is no column nothing"),
    ],
)
def test_what_does_not_fit_the_ledger_is_refused(
    topic: FilledTopic, tmp_path: Path, taken: tuple[str, ...], words: tuple[str, ...], said: str
) -> None:
    assert streamproof("ledger", topic.name, *taken).exit_code == 0
    done = judged(topic, store(tmp_path, rows()), *words)
    assert (done.exit_code, said in done.stderr) == (78, True), done.stderr


def test_a_store_without_places_says_how_to_name_them(topic: FilledTopic, tmp_path: Path) -> None:
    assert streamproof("ledger", topic.name).exit_code == 0
    where = store(tmp_path, [{"p": row["kafka_partition"], "o": row["kafka_offset"]} for row in rows()])
    refused = judged(topic, where)
    assert refused.exit_code == 78
    assert "--position PARTITION,OFFSET" in refused.stderr
    assert judged(topic, where, "--position", "p,o").exit_code == 0
