"""What a lake holds is what our loader holds: every type, several schemas, broken records, transactions, plain JSON."""

from __future__ import annotations

import datetime as dt
import decimal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from confluent_kafka import Producer

from cluster.connection import Connection
from consumer.lake.published import quarantine_files, uncovered
from consumer.load.load import load
from tests.kit.commands import streamproof
from tests.kit.filled_topic import FilledTopic
from tests.kit.topics import make_topic
from tests.lake.conftest import Lake

UTC = dt.UTC
AT = dt.datetime(2026, 1, 31, 23, 59, 59, 250_000, UTC)
INNER = {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": ["null", "double"]}]}
V1: dict[str, Any] = {
    "type": "record",
    "name": "Odd",
    "fields": [
        {"name": "n", "type": "int"},
        {"name": "date", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
        {"name": "clock", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "raw", "type": {"type": "fixed", "name": "Raw", "size": 2}},
        {"name": "either", "type": ["null", "string", "long", INNER]},
        {"name": "inner", "type": "Inner"},
        {"name": "many", "type": {"type": "array", "items": "Inner"}},
        {"name": "map", "type": {"type": "map", "values": ["null", "long"]}},
        {"name": "nothing", "type": "null"},
        {"name": "share", "type": "int"},
        {"name": "note", "type": "string"},
        {"name": "old", "type": "string"},
    ],
}
INNER_2 = INNER | {"fields": [*INNER["fields"], {"name": "y", "type": "string"}]}
# n, price, share and note are wider, Inner has one more member, old has another name, and there is one more field.
V2 = V1 | {
    "fields": [
        {"name": "n", "type": "long"},
        *V1["fields"][1:5],
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}},
        V1["fields"][6],
        {"name": "either", "type": ["null", "string", "long", INNER_2]},
        *V1["fields"][8:12],
        {"name": "share", "type": "double"},
        {"name": "note", "type": "bytes"},
        {"name": "is", "type": "string", "aliases": ["old"]},
        {"name": "more", "type": "string"},
    ]
}


def odd(n: int) -> dict[str, Any]:
    either = [None, f"text {n}", n, {"x": None}][n % 4]
    return {
        "n": n,
        "date": AT.date(),
        "at": AT + dt.timedelta(hours=n % 3),
        "local": dt.datetime(2026, 1, 31, 12, 0, 0, 1),
        "clock": dt.time(7, 30, 0, 250_000),
        "price": decimal.Decimal("12.50"),
        "raw": b"\x00\xff",
        "either": either,
        "inner": {"x": n / 2},
        "many": [{"x": None}] * (n % 3),
        "map": {"a": n, "b": None},
        "nothing": None,
        "share": n,
        "note": "é",
        "old": f"old {n}",
    }


def odd_2(n: int) -> dict[str, Any]:
    row = odd(n) | {"more": f"more {n}", "n": n + (1 << 40), "share": n / 8, "note": b"\\x41\xff", "is": f"is {n}"}
    del row["old"]
    row["inner"] |= {"y": "y"}
    row["many"] = [one | {"y": "y"} for one in row["many"]]
    if isinstance(row["either"], dict):
        row["either"] = {"x": 1.5, "y": "y"}
    return row


def in_transaction(topic: FilledTopic, values: list[bytes], *, commit: bool) -> None:
    producer = Producer(topic.connection.kafka.as_librdkafka(transactional_id=f"{topic.name}-{commit}"))
    producer.init_transactions(20)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic.name, value, partition=1)
    producer.flush(20)
    (producer.commit_transaction if commit else producer.abort_transaction)(20)


@pytest.mark.timeout(1500)
def test_a_lake_holds_what_our_loader_holds(
    connection: Connection,
    new_topic: Callable[..., FilledTopic],
    new_lake: Callable[..., Lake],
    topic_name: Callable[[str], str],
    tmp_path: Path,
) -> None:
    topic = new_topic("odd", partitions=2)
    values = topic.avro(V1, map(odd, range(60)))
    newer = topic.avro(V2, map(odd_2, range(60, 100)))
    topic.send(values[:30], partition=0)
    topic.send(
        [b"", b"\x00", b"\x00\x7f\xff\xff\xff\x01", b"no frame", values[0][:-1], values[0] + b"\x00"], partition=0
    )
    topic.send([None, values[30]], partition=0, key=None, headers={"a": b"1"})
    topic.send(newer[:20], partition=0)
    in_transaction(topic, values[31:45], commit=False)
    in_transaction(topic, values[45:], commit=True)
    topic.send(newer[20:], partition=1)
    plain = make_topic(connection, topic_name("shop"))
    ran = streamproof("produce", "shop_events", "--topic", plain, "--events", "400", "--rate", "4000", "--json")
    assert ran.exit_code == 0, ran.text

    lake = new_lake(topic.name, plain)
    result = lake.take(event_times={topic.name: "at"}, max_records=200)
    ours = {name: load(connection, name, tmp_path / f"{name}.duckdb", stop=threading.Event()) for name in lake.topics}
    for done in result.topics:
        theirs = ours[done.topic]
        assert (done.rows, done.quarantined, done.tombstones) == (theirs.rows, theirs.quarantined, theirs.tombstones)
        assert [one.next_offset for one in done.partitions] == [one.next_offset for one in theirs.partitions]
        assert list(uncovered(lake.listed(done.topic))) == []
        with duckdb.connect(str(tmp_path / f"{done.topic}.duckdb"), read_only=True) as warehouse:
            stored = "SELECT _partition, _offset, _crc32 FROM events ORDER BY ALL"
            assert lake.held(done.topic) == [list(row) for row in warehouse.execute(stored).fetchall()]
            kept = "SELECT _partition, _offset, value, key, headers, phase, error_class FROM quarantine ORDER BY ALL"
            files = [str(path) for path in quarantine_files(lake.folder / done.topic)]
            if files:
                lakes = "SELECT kafka_partition, kafka_offset, value, kafka_key, headers, phase, error_class"
                aside = duckdb.sql(f"{lakes} FROM read_parquet({files}) ORDER BY ALL").fetchall()
                assert aside == warehouse.execute(kept).fetchall()
    assert result.topics[0].quarantined == 6

    # Every type, as it was sent; the folders go by the field that was named.
    select = """SELECT n, date_2, "at", "local", clock, price, raw, "inner", many, "map", more, date, hour
                FROM events WHERE n = """
    (first,) = lake.rows(f"{select} 2")
    sent = odd(2)
    assert first[:7] == (2, sent["date"], sent["at"], sent["local"], "07:30:00.250000", sent["price"], sent["raw"])
    assert first[7:11] == ({"x": 1.0, "y": None}, [{"x": None, "y": None}] * 2, {"a": 2, "b": None}, None)
    assert first[11:] == (dt.date(2026, 2, 1), "01")
    either = lake.rows("SELECT either FROM events WHERE n < 4 ORDER BY n")
    nothing = {"string": None, "long": None, "Inner": None}
    inner = {"x": None, "y": None}
    assert [row[0] for row in either] == [
        None, nothing | {"string": "text 1"}, nothing | {"long": 2}, nothing | {"Inner": inner},
    ]  # fmt: skip
    assert lake.rows("SELECT max(n) FROM events") == [(99 + (1 << 40),)]
    carried = "SELECT n, kafka_headers, kafka_timestamp_ms FROM events WHERE kafka_headers IS NOT NULL"
    assert lake.rows(carried) == [(30, [{"name": "a", "value": b"1"}], None)]
    assert lake.rows("SELECT DISTINCT kafka_record_name, kafka_key_json FROM events") == [(V1["name"], None)]
    # The newest schema of the subject was the first that the job met, so the columns are laid out by it.
    changed = 'SELECT share, note, "is" FROM events WHERE n IN (7, 99 + (1::BIGINT << 40)) ORDER BY n'
    assert lake.rows(changed) == [(7.0, "é".encode(), "old 7"), (99 / 8, b"\\x41\xff", "is 99")]

    wanted = lake.held(topic.name)
    assert lake.read("polars", "spark", topic=topic.name) == {"polars": wanted, "spark": wanted}
