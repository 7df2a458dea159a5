"""Topics that are not plain logs: gaps, transactions, retention, another topic under the same name, silent brokers."""

from __future__ import annotations

import collections
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from cluster.errors import BrokerSilent, Misconfigured, TopicRecreated
from cluster.local import LocalStack, warehouse_path
from cluster.reading import TopicReader
from cluster.topics import admin_client, describe
from consumer.proof.audit import audit
from tests.kit.commands import streamproof
from tests.kit.freezing import freeze_process
from tests.kit.seconds import within
from tests.kit.topics import delete_topic
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.faults


def transactional(rig: Any) -> Producer:
    """A producer that writes in transactions."""
    producer = Producer(rig.connection.kafka.as_librdkafka(transactional_id=rig.topic))
    producer.init_transactions(20)
    return producer


def in_transaction(producer: Producer, topic: str, values: list[bytes], *, commit: bool) -> None:
    """Write values in one transaction."""
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    producer.flush(20)
    if commit:
        producer.commit_transaction(20)
    else:
        producer.abort_transaction(20)


def test_aborted_records_and_markers_are_absent_and_the_end_is_reached(rig: Any) -> None:
    rig.create()
    values = rig.values(range(60))
    producer = transactional(rig)
    in_transaction(producer, rig.topic, values[:10], commit=False)
    in_transaction(producer, rig.topic, values[10:20], commit=True)
    in_transaction(producer, rig.topic, values[20:40], commit=False)  # the topic ends with what nobody may read
    result = rig.load(batch_rows=4)
    assert (result.rows, result.absent) == (10, 33)
    assert rig.rows("SELECT next_offset FROM load_offsets") == [(43,)]
    assert rig.rows("SELECT list_sort(list(n)) FROM events") == [(list(range(10, 20)),)]
    assert rig.load().rows == 0
    in_transaction(producer, rig.topic, values[40:], commit=True)
    assert rig.load().rows == 20
    assert rig.rows("SELECT sum(absent)::BIGINT, sum(end_offset - start_offset)::BIGINT FROM load_batches") == [
        (34, 64)
    ]


def test_an_open_transaction_bounds_the_load_and_its_records_come_with_the_next(rig: Any) -> None:
    rig.create()
    values = rig.values(range(30))
    rig.produce(values[:10])
    producer = transactional(rig)
    producer.begin_transaction()
    for value in values[10:20]:
        producer.produce(rig.topic, value, partition=0)
    producer.flush(20)
    rig.produce(values[20:])
    assert rig.load().rows == 10
    assert rig.rows("SELECT next_offset FROM load_offsets") == [(10,)]
    producer.commit_transaction(20)
    assert rig.load().rows == 20
    assert rig.rows("SELECT count(DISTINCT n) FROM events") == [(30,)]


def test_a_compacted_topic_is_loaded_over_its_gaps(rig: Any) -> None:
    rig.create(
        cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.001", max_compaction_lag_ms="200"
    )
    values = rig.values(range(100))
    rig.produce(values[:80], key=b"one")
    # A segment is cleaned only when a later record has closed it.
    wait_until(lambda: rig.produce([values[80]], key=b"two") or len(rig.records()) < 70, "compaction", timeout_s=60)
    kept = rig.records()
    end = max(offset for _, offset in kept) + 1
    result = rig.load(batch_rows=10)
    assert result.rows == len(kept)
    assert result.absent == end - len(kept)
    rig.prove()
    assert rig.rows("SELECT next_offset FROM load_offsets") == [(end,)]


def recreate(rig: Any, partitions: int = 1) -> None:
    """Delete the topic and create another one of its name."""
    delete_topic(rig.connection, rig.topic)
    rig.create(partitions)


def test_a_recreated_topic_is_refused_until_its_warehouse_is_set_aside(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(50)))
    rig.load()
    recreate(rig)
    rig.produce(rig.values(range(100, 160)))
    refused = rig.type("--json")
    assert refused.exit_code == 65
    error = refused.document["error"]
    assert error["kind"] == "TopicRecreated"
    assert "stored positions 0: 50" in error["message"]
    assert rig.rows("SELECT count(*), max(n) FROM events") == [(50, 49)]
    done = rig.type("--json", "--set-aside")
    assert done.exit_code == 0, done.stderr
    document = done.document
    assert document["rows"] == 60
    rig.prove()
    rig.warehouse = rig.warehouse.with_name(document["set_aside"].rsplit("/", 1)[1])
    assert rig.rows("SELECT count(*), max(n) FROM events") == [(50, 49)]


def test_set_aside_changes_nothing_for_the_same_topic(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(5)))
    rig.load()
    assert rig.load(step_aside=True).set_aside is None
    assert len(list(rig.warehouse.parent.glob("*.duckdb"))) == 1


def test_records_that_retention_deleted_unread_are_refused_and_then_noted(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(50)))
    rig.load()
    rig.produce(rig.values(range(50, 150)))
    rig.admin_delete(upto=80)
    with pytest.raises(TopicRecreated, match=r"deleted 30 offsets.*stored 50, first record 80"):
        rig.load()
    assert rig.rows("SELECT next_offset FROM load_offsets") == [(50,)]
    assert rig.load(accept_gap=True).rows == 70
    rig.prove(gone_below=80)
    assert rig.rows("SELECT start_offset, end_offset, expired FROM load_batches WHERE expired > 0") == [(50, 80, 30)]


def test_a_log_that_was_cut_below_the_position_is_refused(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(10)))
    rig.load()
    # What an unclean election does to a topic, done to the warehouse: positions and ledger beyond the end.
    rig.rows("UPDATE load_offsets SET next_offset = 5000")
    rig.rows("UPDATE load_batches SET end_offset = 5000, absent = 4990")
    with pytest.raises(TopicRecreated, match=r"stored 5000, high watermark 10"):
        rig.load()
    result = rig.load(step_aside=True)
    assert result.rows == 10
    assert Path(result.set_aside).exists()
    rig.prove()


def test_a_topic_that_grows_by_partitions_is_loaded_from_their_start(rig: Any) -> None:
    from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]  # its stubs do not re-export it

    rig.create()
    rig.produce(rig.values(range(10)))
    rig.load()
    admin = rig.admin
    admin.create_partitions([NewPartitions(rig.topic, 3)])[rig.topic].result(20)
    wait_until(lambda: describe(admin_client(rig.connection.kafka), rig.topic).partitions == 3, "three partitions")
    rig.produce(rig.values(range(10, 15)), partition=2)
    assert rig.load().rows == 5
    rig.prove()


def test_a_first_load_begins_at_the_first_record_that_is_there(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(50)))
    rig.admin_delete(upto=20)
    assert rig.load().rows == 30
    rig.prove(gone_below=20)


def test_a_broker_that_falls_silent_below_the_bound_is_an_error_and_not_an_end(rig: Any, stack: LocalStack) -> None:
    rig.create()
    rig.produce(rig.values(range(2000)))
    record = json.loads((stack.state_dir / "stack.json").read_text())
    (broker,) = [p["process"]["pid"] for p in record["processes"] if p["name"] == "kafka"]
    with TopicReader(rig.connection.kafka, rig.topic, silence_s=2) as source:
        source.watermarks(range(source.identify().partitions))
        freeze_process(broker)
        try:
            source.assign({0: 0}, {0: 2000})
            fetch_all = iter(lambda: source.fetch(2000, threading.Event()), None)  # for ever
            with pytest.raises(BrokerSilent, match="nothing came for 2 s"):
                collections.deque(fetch_all, maxlen=0)
        finally:
            os.kill(broker, signal.SIGCONT)
    assert rig.load().rows == 2000
    rig.prove()


def test_a_broker_that_is_down_is_reported_within_fifteen_seconds(rig: Any) -> None:
    began = time.monotonic()
    done = rig.type("--bootstrap-servers", "127.0.0.1:9", "--json")
    within(15, began, "the report that the broker is down")
    assert done.exit_code == 69
    assert done.document["error"]["kind"] == "BrokerUnreachable"


def test_records_after_the_bound_wait_for_the_next_load(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(100)))
    with TopicReader(rig.connection.kafka, rig.topic) as source:
        source.assign({0: 10}, {0: 60})
        records, spans = source.fetch(1000, threading.Event())
        assert [(span.start, span.end) for span in spans] == [(10, 60)]
        assert records.offsets.tolist() == list(range(10, 60))
        assert source.finished


def test_single_messages_are_those_up_to_the_ends_and_a_stop_ends_them_early(rig: Any) -> None:
    rig.create(partitions=2)
    rig.produce(rig.values(range(10)), partition=0)
    rig.produce(rig.values(range(10, 15)), partition=1)
    stop = threading.Event()
    with TopicReader(rig.connection.kafka, rig.topic) as reader:
        reader.assign({1: 0, 0: 2}, {0: 8, 1: 5})
        found = [(message.partition(), message.offset()) for message in reader.messages(stop)]
        assert found == [(0, at) for at in range(2, 8)] + [(1, at) for at in range(5)]
        assert reader.finished
        reader.assign({0: 0}, {0: 10})
        stop.set()
        assert list(reader.messages(stop)) == []
        assert not reader.finished


def test_large_records_make_small_chunks(rig: Any) -> None:
    rig.create(max_message_bytes="2000000")
    big = [b"\x00" * 900_000 for _ in range(60)]
    producer = Producer(rig.connection.kafka.as_librdkafka(message_max_bytes=2_000_000, compression_type="lz4"))
    for value in big:
        producer.produce(rig.topic, value, partition=0)
    assert producer.flush(30) == 0
    with TopicReader(rig.connection.kafka, rig.topic) as source:
        source.assign({0: 0}, {0: 60})
        sizes = []
        while not source.finished:
            records, _ = source.fetch(20_000, threading.Event())
            sizes.append(sum(records.sizes.tolist()))
    assert sum(sizes) == 54_000_000
    assert max(sizes) < 40_000_000


def test_the_positions_that_the_source_starts_from_are_the_only_ones_that_count(rig: Any) -> None:
    rig.create(partitions=2)
    rig.produce(rig.values(range(10)), partition=0)
    with TopicReader(rig.connection.kafka, rig.topic) as source:
        marks = source.watermarks([0, 1])
        assert {p: (mark.low, mark.high) for p, mark in marks.items()} == {0: (0, 10), 1: (0, 0)}
        source.assign({0: 10, 1: 0}, {0: 10, 1: 0})
        assert source.finished
        source.commit({0: 4, 1: 0})
        source.assign({0: 7, 1: 0}, {0: 10, 1: 0})
        records, _ = source.fetch(100, threading.Event())
        assert records.offsets.tolist() == [7, 8, 9]


def test_a_topic_with_the_longest_name_that_kafka_allows_is_loaded(
    rig: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rig.topic = rig.topic.ljust(249, "x")
    rig.create()
    rig.produce(rig.values(range(10)))
    monkeypatch.setenv("STREAMPROOF_WAREHOUSE_DIR", str(tmp_path / "warehouses"))
    rig.warehouse = warehouse_path(rig.topic)
    done = streamproof("load", rig.topic)
    assert done.exit_code == 0, done.stderr
    rig.prove()
    with pytest.raises(Misconfigured, match="Use a name of at most 239 characters"):
        audit(rig.connection, rig.warehouse, rig.topic)
