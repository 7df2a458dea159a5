"""What those who look on are shown, against the real broker and registry."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from cluster.connection import Connection
from consumer.counter.bounds import Until
from consumer.counter.count import Counting, count
from consumer.live.poller import LivePoller
from consumer.live.snapshot import ACKNOWLEDGED, GENERATED, IN_TOPIC, LOADED, PUBLISHED, STAGES, Snapshot
from consumer.load.load import load
from producer import ProduceRequest, produce_shard
from producer.emit import run_shard
from streamproof.cli import run
from tests.kit.looking import counts, looking_at, sight
from tests.kit.topics import delete_topic, make_topic
from tests.kit.waiting import wait_until


def test_a_run_that_is_loaded_and_published_is_the_same_number_in_every_stage(
    connection: Connection, ready_topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, file = tmp_path / "publications", tmp_path / "w.duckdb"
    folder.mkdir()
    produce_shard(connection, ProduceRequest(topic=ready_topic, run_id="seen", events=500), stop=threading.Event())
    load(connection, ready_topic, file, stop=threading.Event())
    with looking_at(connection, ready_topic, folder) as looking:
        loaded = sight(looking, lambda topic: counts(topic)[LOADED] == 500, "what was loaded")
        assert counts(loaded) == {GENERATED: 500, ACKNOWLEDGED: 500, IN_TOPIC: 500, LOADED: 500, PUBLISHED: 0}
        at = ["--run-id", "seen", "--warehouse", str(file), "--publications", str(folder), "--json"]
        assert [run([step, ready_topic, *at]) for step in ("audit", "check", "publish")] == [0, 0, 0]
        whole = sight(looking, lambda topic: counts(topic)[PUBLISHED] == 500, "what was published")

    assert [stage.gap for stage in whole.stages] == [None, 0, 0, 0, 0]
    assert all(stage.as_of is not None and not stage.unknown for stage in whole.stages)
    (seen,) = whole.runs.rows
    assert (seen.run_id, seen.state, seen.shards, seen.planned) == ("seen", "finished", 1, 500)
    assert (seen.generated, seen.acknowledged, seen.in_topic, seen.loaded, seen.published) == (500,) * 5
    assert sum(row.end for row in whole.partitions.rows) == 500


def test_the_newest_records_are_decoded_with_their_place_and_the_version_of_their_schema(
    connection: Connection, ready_topic: str, tmp_path: Path
) -> None:
    produce_shard(connection, ProduceRequest(topic=ready_topic, run_id="seen", events=300), stop=threading.Event())
    with looking_at(connection, ready_topic, tmp_path) as looking:
        topic = sight(looking, lambda topic: len(topic.newest.rows) == 20, "the newest records")

    ends = {row.partition: row.end for row in topic.partitions.rows}
    assert {(row.schema_version, row.format, row.fault) for row in topic.newest.rows} == {(1, "avro", "")}
    assert all(ends[row.partition] - 20 <= row.offset < ends[row.partition] for row in topic.newest.rows)
    assert [row.at for row in topic.newest.rows] == sorted((row.at for row in topic.newest.rows), reverse=True)
    assert all(row.value.startswith('{"event_id": ') and row.key for row in topic.newest.rows)
    assert (topic.totals.source, topic.totals.field) == ("sample", "event_type")
    assert sum(row.count for row in topic.totals.rows) == topic.totals.sampled >= 20


def test_what_the_loader_put_into_the_quarantine_is_counted_with_the_class_of_the_last(
    connection: Connection, ready_topic: str, tmp_path: Path
) -> None:
    produce_shard(connection, ProduceRequest(topic=ready_topic, run_id="seen", events=50), stop=threading.Event())
    producer = Producer(connection.kafka.as_librdkafka())
    for value in (b"not framed", b"\0short", b""):
        producer.produce(ready_topic, value, partition=1)
    assert producer.flush(20) == 0
    load(connection, ready_topic, tmp_path / "w.duckdb", stop=threading.Event())
    with looking_at(connection, ready_topic, tmp_path) as looking:
        topic = sight(looking, lambda topic: topic.quarantine.count is not None and bool(topic.newest.rows), "it")

    assert topic.quarantine.count == 3
    assert topic.quarantine.last_error.startswith("partition 1, offset ")
    assert topic.quarantine.last_error.endswith(", frame/bad_magic")
    foreign = {row.value: row.fault for row in topic.newest.rows if row.format is None}
    assert (foreign["not framed"], foreign[""]) == ("", "")
    assert any(fault.startswith("unknown_schema: ") for fault in foreign.values())
    assert counts(topic)[IN_TOPIC] == counts(topic)[LOADED] == 53
    assert topic.stages[2].gap == -3  # what somebody else wrote


def test_totals_are_those_of_a_counter_where_there_is_one(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic, output = make_topic(connection, topic_name("event")), make_topic(connection, topic_name("unique"))
    producer = Producer(connection.kafka.as_librdkafka())
    for name in ("purchase", "purchase", "productview"):
        producer.produce(topic, json.dumps({"eventName": name}).encode())
    assert producer.flush(20) == 0
    count(connection, Counting(topic=topic, by="eventName", to=output, until=Until(end=True)), stop=threading.Event())
    with looking_at(connection, topic, tmp_path) as looking:
        seen = sight(looking, lambda topic: topic.totals.source == "counter", "the totals").totals

    assert (seen.source_topic, seen.field, seen.behind) == (output, "eventName", 0)
    assert [(row.name, row.count) for row in seen.rows] == [("purchase", 2), ("productview", 1)]
    assert seen.received_at


def test_a_run_is_seen_while_it_goes_on(connection: Connection, ready_topic: str, tmp_path: Path) -> None:
    stop = threading.Event()
    request = ProduceRequest(topic=ready_topic, run_id="long", events=100_000, rate=100.0)
    going = threading.Thread(target=run_shard, args=(connection, request.plan), kwargs={"stop": stop})
    with looking_at(connection, ready_topic, tmp_path) as looking:
        going.start()
        try:
            moving = sight(
                looking,
                lambda topic: all(topic.stages[n].rate and topic.stages[n].count for n in range(3)),
                "rates of the first three stages",
            )
        finally:
            stop.set()
            going.join(timeout=30)
        ended = sight(
            looking,
            lambda topic: topic.runs.rows[0].state == "interrupted" and topic.stages[2].gap == 0,
            "the end of the run",
        )

    (row,) = moving.runs.rows
    assert (row.run_id, row.state, row.planned) == ("long", "running", 100_000)
    assert 0 < row.acknowledged <= row.generated < 100_000
    assert moving.stages[0].unknown == ""
    assert counts(ended)[IN_TOPIC] == counts(ended)[ACKNOWLEDGED] == ended.runs.rows[0].acknowledged
    rates = ended.history.rates[IN_TOPIC]
    assert any(rate for rate in rates if rate)
    assert len(ended.history.times) == len(rates)


def test_where_no_broker_answers_snapshots_go_on_and_nothing_is_a_number(tmp_path: Path) -> None:
    nowhere = Connection.of({"bootstrap_servers": "127.0.0.1:1"}, {"url": "http://127.0.0.1:1"})
    with looking_at(nowhere, "never", tmp_path) as looking:
        topic = sight(looking, lambda topic: "no broker" in topic.stages[2].unknown.lower(), "the reason", timeout_s=60)
        snapshots = [snapshot for snapshot in (looking.wait(2.0) for _ in range(3)) if snapshot is not None]

    assert topic.exists is None
    for stage in topic.stages[:4]:
        assert (stage.count, stage.rate, stage.gap, stage.as_of, stage.last) == (None, None, None, None, None)
        assert stage.unknown
    assert (topic.rate_in, topic.rate_out, topic.quarantine.count) == (None, None, None)
    for part in (topic.partitions, topic.groups, topic.newest, topic.totals, topic.runs):
        assert part.rows == ()
        assert part.unknown
    assert len({snapshot.number for snapshot in snapshots}) == 3
    assert all(snapshot.problem for snapshot in snapshots)


def test_a_topic_that_is_deleted_is_unknown_and_one_of_the_same_name_begins_anew(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = topic_name("anew")
    with looking_at(connection, topic, tmp_path) as looking:
        absent = sight(looking, lambda topic: topic.exists is False, "that there is none")
        assert counts(absent)[IN_TOPIC] is None
        make_topic(connection, topic)
        empty = sight(looking, lambda topic: counts(topic)[IN_TOPIC] == 0, "the empty topic")
        assert empty.exists
        assert counts(empty)[LOADED] is None
        delete_topic(connection, topic)
        gone = sight(looking, lambda topic: topic.exists is False, "its end")
        assert [stage.count for stage in gone.stages[2:4]] == [None, None]


def test_all_who_look_have_one_poller_and_each_sees_the_topics_that_it_asked_for(
    connection: Connection, ready_topic: str, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    other = make_topic(connection, topic_name("other"))
    before = {thread.name for thread in threading.enumerate() if thread.name.startswith("live-")}
    assert before == set()
    poller = LivePoller(connection, tmp_path, grace_s=0.5)
    with poller.subscribe([ready_topic]) as one, poller.subscribe([other]) as two, poller.subscribe() as all_of_them:
        seen = [wait_until(lambda look=look: look.wait(1.0), "a snapshot") for look in (one, two)]
        assert [[topic.name for topic in snapshot.topics] for snapshot in seen] == [[ready_topic], [other]]
        named = [thread.name for thread in threading.enumerate() if thread.name.startswith("live-")]
        assert len(named) == len(set(named))
        one.close()
        assert isinstance(two.wait(5.0), Snapshot)
        found = wait_until(lambda: (all_of_them.wait(1.0) or seen[0]).topics[1:], "the other topics")
        assert {topic.name for topic in found}
    wait_until(
        lambda: not any(thread.name.startswith("live-") for thread in threading.enumerate()), "the end of its threads"
    )
    assert not poller.running
    with poller.subscribe([ready_topic]) as again:  # who comes later starts it anew
        assert wait_until(lambda: again.wait(1.0), "a snapshot").topics[0].name == ready_topic
    wait_until(lambda: not poller.running, "the end of the poller")


def test_a_snapshot_is_at_most_a_second_old_and_one_that_is_slow_gets_the_newest(
    connection: Connection, ready_topic: str, tmp_path: Path
) -> None:
    with looking_at(connection, ready_topic, tmp_path) as looking:
        first = wait_until(lambda: looking.wait(1.0), "a snapshot")
        other = wait_until(lambda: looking.latest() if looking.latest().number > first.number + 3 else None, "more")
        newest = looking.wait(2.0)
        assert newest.number >= other.number
        assert time.time() - _seconds(newest.as_of) < 30


def _seconds(as_of: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(as_of.replace("Z", "+00:00")).timestamp()


def test_stages_are_always_five_in_the_order_of_the_flow(
    connection: Connection, ready_topic: str, tmp_path: Path
) -> None:
    with looking_at(connection, ready_topic, tmp_path) as looking:
        snapshot = wait_until(lambda: looking.wait(1.0), "a snapshot")

    assert [stage.name for stage in snapshot.topics[0].stages] == list(STAGES)
