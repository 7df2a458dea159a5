"""What `produce` promises, against the real broker and registry."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest
from confluent_kafka import DeserializingConsumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer

from cluster.connection import Connection
from cluster.errors import (
    BrokerUnreachable,
    Busy,
    DataRejected,
    Interrupted,
    Misconfigured,
    RecordsUndelivered,
    TopicMissing,
)
from cluster.topics import admin_client, apply_topics, describe, specs_for
from producer import ProduceRequest, Progress, produce_run, produce_shard
from producer.emit import run_shard
from producer.preview.partitions import partition_of
from producer.resume.earlier import read_manifest
from schemas.fingerprint import fingerprint
from schemas.identity import read_event_id
from schemas.manifest import Manifest, control_topic_of
from schemas.registry.gate import Registry
from stack.parts.java import kafka_command
from tests.kit.commands import command_line
from tests.kit.kafka import read_topic, sequence_of, topic_ends
from tests.kit.seconds import held, within
from tests.kit.topics import delete_topic
from tests.kit.waiting import wait_until

Values = list[tuple[int, bytes, bytes]]


def records(connection: Connection, topic: str) -> Values:
    """Read the whole topic: partition, key, value."""
    return [(each.partition(), each.key(), each.value()) for each in read_topic(connection, topic)]


def sequences(found: Values) -> list[int]:
    return sorted(sequence_of(value) for _, _, value in found)


def tell(connection: Connection, topic: str, key: str, value: bytes | None) -> None:
    """Write a record to the control topic."""
    producer = Producer(connection.kafka.as_librdkafka())
    producer.produce(control_topic_of(topic), value, key)
    assert producer.flush(20) == 0


def run(connection: Connection, request: ProduceRequest, **more: Any) -> Manifest:
    return produce_shard(connection, request, stop=more.pop("stop", threading.Event()), **more)


def command(connection: Connection, topic: str, *arguments: str) -> list[str]:
    return [
        *command_line("produce", "customer_events", "--topic", topic, "--json"),
        *("--bootstrap-servers", connection.kafka.bootstrap_servers, "--registry-url", connection.registry.url),
        *arguments,
    ]


def start(connection: Connection, topic: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(connection, topic, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until_landed(connection: Connection, topic: str, least: int, process: subprocess.Popen[str]) -> None:
    with topic_ends(connection, topic) as ends:
        wait_until(lambda: ends.count() >= least, f"{least} records", timeout_s=60, while_runs=process)


def test_the_topic_holds_what_the_manifest_claims(connection, ready_topic):
    seen: list[Progress] = []
    manifest = run(connection, ProduceRequest(topic=ready_topic, run_id="whole", events=20_000), progress=seen.append)
    found = records(connection, ready_topic)

    assert manifest.status == "finished"
    assert manifest.acknowledged == manifest.next_sequence == len(found) == 20_000
    assert sequences(found) == list(range(20_000))
    assert manifest.crc is not None
    assert sum(manifest.crc.sums) == sum(zlib.crc32(value) for _, _, value in found)
    assert read_manifest(connection.kafka, ready_topic, "whole", 0) == manifest
    assert seen[-1].acknowledged == 20_000
    assert sum(window.achieved for window in manifest.rate_windows) == 20_000


def test_the_manifest_names_the_topic_and_the_schema_so_that_neither_can_be_exchanged(connection, ready_topic):
    manifest = run(connection, ProduceRequest(topic=ready_topic, run_id="witness", events=10))
    with Registry(connection.registry) as registry:
        text = registry.schema_text(manifest.schema_used.id)

    assert manifest.topic_id == describe(admin_client(connection.kafka), ready_topic).topic_id
    assert manifest.schema_used.fingerprint == fingerprint(text)


def test_keys_are_customers_in_the_partition_that_java_chooses_and_in_order(connection, ready_topic):
    run(connection, ProduceRequest(topic=ready_topic, run_id="keys", events=5000))
    last: dict[bytes, int] = {}
    for partition, key, value in records(connection, ready_topic):
        assert partition == partition_of(key, 3)
        sequence = sequence_of(value)
        assert sequence > last.get(key, -1)
        last[key] = sequence
    assert len(last) > 100


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract socket names")
def test_a_shard_that_is_being_produced_is_refused_to_a_second_process(connection, ready_topic):
    process = start(connection, ready_topic, "--run-id", "twice", "--rate", "500", "--events", "2500")
    wait_until_landed(connection, ready_topic, 1, process)
    with pytest.raises(Busy, match="another process"):
        run(connection, ProduceRequest(topic=ready_topic, run_id="twice", rate=500, events=2500))
    assert process.communicate(timeout=60)[1].count("error") == 0
    assert process.returncode == 0
    assert sequences(records(connection, ready_topic)) == list(range(2500))


def test_shards_of_one_command_sum_to_what_was_asked(connection, ready_topic):
    request = ProduceRequest(topic=ready_topic, run_id="three", shards=3, events=10_001)
    result = produce_run(connection, request, shards=(0, 1, 2), stop=threading.Event())
    assert result.error is None
    found = Counter(read_event_id(value[6:42].decode()).shard for _, _, value in records(connection, ready_topic))
    assert found == {0: 3334, 1: 3334, 2: 3333}
    assert result.document()["acknowledged"] == 10_001
    assert [manifest.shard for manifest in result.manifests] == [0, 1, 2]


def test_a_foreign_avro_client_reads_every_event(connection, ready_topic, request):
    run(connection, ProduceRequest(topic=ready_topic, run_id="foreign", events=500))
    registry = SchemaRegistryClient({"url": connection.registry.url, "timeout": 10})
    request.addfinalizer(registry.close)
    consumer = DeserializingConsumer(
        connection.kafka.as_librdkafka(group_id="foreign", auto_offset_reset="earliest")
        | {"value.deserializer": AvroDeserializer(registry)}
    )
    try:
        consumer.subscribe([ready_topic])
        rows: list[dict[str, Any]] = []
        deadline = time.monotonic() + 60
        while len(rows) < 500:
            assert time.monotonic() < deadline
            message = consumer.poll(1)
            if message is not None:
                assert message.error() is None
                rows.append(message.value())
    finally:
        consumer.close()
    assert {row["event_type"] for row in rows} == {"browse", "search", "content_play"}
    assert all((row["details"] is not None) == (row["event_type"] == "content_play") for row in rows)


def test_kafkas_console_consumer_sees_the_count(connection, ready_topic):
    run(connection, ProduceRequest(topic=ready_topic, run_id="console", events=700))
    ran = subprocess.run(
        kafka_command(
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            *("--bootstrap-server", connection.kafka.bootstrap_servers, "--topic", ready_topic),
            *("--from-beginning", "--timeout-ms", "8000"),
        ),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Processed a total of 700 messages" in ran.stderr + ran.stdout


def test_a_kill_in_the_middle_and_the_same_command_again_make_each_event_once(connection, ready_topic):
    arguments = ("--events", "24000", "--rate", "8000", "--run-id", "killed", "--seed", "4")
    process = start(connection, ready_topic, *arguments)
    wait_until_landed(connection, ready_topic, 3_200, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)

    left = len(records(connection, ready_topic))
    assert 3_200 <= left < 24_000
    again = subprocess.run(
        command(connection, ready_topic, *arguments), capture_output=True, text=True, timeout=120, check=False
    )
    assert again.returncode == 0, again.stderr
    found = records(connection, ready_topic)
    assert sequences(found) == list(range(24_000))

    manifest = read_manifest(connection.kafka, ready_topic, "killed", 0)
    assert manifest is not None
    assert (manifest.acknowledged, manifest.resumed, manifest.interrupted) == (24_000, 1, False)
    assert manifest.crc is not None
    assert sum(manifest.crc.sums) == sum(zlib.crc32(value) for _, _, value in found)


@pytest.mark.parametrize(("number", "shards"), [(signal.SIGTERM, "1"), (signal.SIGINT, "2")])
def test_a_signal_ends_within_four_seconds_with_a_manifest_and_the_run_can_go_on(
    connection, ready_topic, number, shards
):
    arguments = ("--events", "9000", "--rate", "3000", "--run-id", "stopped", "--shards", shards)
    process = start(connection, ready_topic, *arguments)
    wait_until_landed(connection, ready_topic, 1200, process)
    process.send_signal(number)
    signalled = time.monotonic()
    stdout, stderr = process.communicate(timeout=10)
    within(4, signalled, "the exit after the signal")
    assert process.returncode == 75, stderr
    assert "--run-id stopped continues" in json.loads(stdout)["error"]["hint"]

    manifest = read_manifest(connection.kafka, ready_topic, "stopped", 0)
    assert manifest is not None
    assert manifest.interrupted
    assert manifest.acknowledged == manifest.next_sequence
    again = subprocess.run(
        command(connection, ready_topic, *arguments), capture_output=True, text=True, timeout=60, check=False
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["acknowledged"] == 9_000
    ids = [value[6:42] for _, _, value in records(connection, ready_topic)]
    assert len(ids) == len(set(ids)) == 9_000


def test_a_finished_shard_is_recognised_and_nothing_is_sent(connection, ready_topic):
    request = ProduceRequest(topic=ready_topic, run_id="again", events=300)
    first = run(connection, request)
    assert run(connection, request) == first
    assert len(records(connection, ready_topic)) == 300


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 2}, "seed was 1, is now 2"),
        ({"events": 301}, "events was 300, is now 301"),
        ({"rate": 5.0}, r"shape was None, is now constant\(5\)"),
        ({"shards": 2}, "shards was 1, is now 2"),
    ],
    ids=str,
)
def test_other_settings_under_the_same_run_id_are_refused_and_named(connection, ready_topic, change, named):
    request = ProduceRequest(topic=ready_topic, run_id="same", events=300)
    run(connection, request)
    with pytest.raises(Misconfigured, match=named):
        run(connection, replace(request, **change))


def test_another_shard_with_other_settings_is_refused_whichever_was_first(connection, ready_topic):
    third = ProduceRequest(topic=ready_topic, run_id="split", events=300, shards=3, shard=2)
    run(connection, third)
    with pytest.raises(Misconfigured, match=r"shards was 3 for shard 2, is now 2"):
        run(connection, replace(third, shards=2, shard=0))
    with pytest.raises(Misconfigured, match=r"seed was 1 for shard 2, is now 5"):
        run(connection, replace(third, shard=0, seed=5))
    assert len(records(connection, ready_topic)) == 100
    for shard in (0, 1):
        run(connection, third.for_shard(shard))
    assert len(records(connection, ready_topic)) == 300


def test_a_run_whose_manifests_were_deleted_is_not_sent_again(connection, ready_topic):
    request = ProduceRequest(topic=ready_topic, run_id="forgotten", events=300)
    run(connection, request)
    admin, control = admin_client(connection.kafka), control_topic_of(ready_topic)
    delete_topic(connection, control)
    with pytest.raises(TopicMissing, match=f"{control}, where the manifests go") as missing:
        run(connection, request)
    assert f"topics apply --topic {ready_topic}`" in missing.value.hint
    apply_topics(admin, specs_for(ready_topic))
    with pytest.raises(DataRejected, match="holds events of run forgotten, and its manifests are gone"):
        run(connection, request)
    assert len(records(connection, ready_topic)) == 300
    assert run(connection, replace(request, run_id="another")).acknowledged == 300


def test_a_shard_whose_manifest_was_taken_back_is_not_sent_again(connection, ready_topic):
    request = ProduceRequest(topic=ready_topic, run_id="back", events=200, shards=2)
    for shard in (0, 1):
        run(connection, request.for_shard(shard))
    tell(connection, ready_topic, "back/0", None)
    with pytest.raises(DataRejected, match="holds events of run back, and its manifests are gone") as caught:
        run(connection, request.for_shard(0))
    assert f"the manifest of the shard was taken back in {control_topic_of(ready_topic)}" in caught.value.where
    assert len(records(connection, ready_topic)) == 200
    # Of a shard that sent nothing there is nothing to send again.
    tell(connection, ready_topic, "half/0", None)
    half = replace(request, run_id="half")
    for shard in (1, 0):
        assert run(connection, half.for_shard(shard)).acknowledged == 100


@pytest.mark.parametrize(
    "change",
    [None, {"run_id": "elsewhere"}, {"topic": "elsewhere"}, {"colour": "blue"}],
    ids=["not a manifest", "of another run", "copied from another topic", "of a later version"],
)
def test_a_run_of_which_a_manifest_cannot_be_read_is_not_sent_again(connection, ready_topic, change):
    request = ProduceRequest(topic=ready_topic, run_id="unread", events=300)
    said = json.loads(run(connection, request).model_dump_json())
    tell(connection, ready_topic, "unread/0", b"{" if change is None else json.dumps(said | change).encode())
    with pytest.raises(Misconfigured, match="manifest of run unread, shard 0 cannot be read") as caught:
        run(connection, request)
    # Which offset it is depends on how often the run told of its progress.
    assert re.match(rf"{control_topic_of(ready_topic)} partition 0 offset \d+(, |$)", caught.value.where)
    assert "use a new run id" in caught.value.hint
    assert len(records(connection, ready_topic)) == 300


def test_another_shard_of_which_only_the_beginning_can_be_read_stops_nobody(connection, ready_topic):
    request = ProduceRequest(topic=ready_topic, run_id="newer", events=200, shards=2)
    said = json.loads(run(connection, request.for_shard(1)).model_dump_json())
    tell(connection, ready_topic, "newer/1", json.dumps(said | {"colour": "blue"}).encode())
    assert run(connection, request.for_shard(0)).acknowledged == 100
    tell(connection, ready_topic, "newer/1", json.dumps(said | {"colour": "blue", "seed": 9}).encode())
    with pytest.raises(Misconfigured, match=r"seed was 9 for shard 1, is now 1"):
        run(connection, request.for_shard(0))
    tell(connection, ready_topic, "newer/1", b"{}")
    with pytest.raises(Misconfigured, match="manifest of run newer, shard 1 cannot be read"):
        run(connection, request.for_shard(0))


def test_a_rate_intends_the_same_in_every_second_and_the_delay_is_reported(connection, ready_topic):
    manifest = run(connection, ProduceRequest(topic=ready_topic, run_id="rate", seconds=4, rate=2000))
    assert manifest.acknowledged == 8000
    assert [window.intended for window in manifest.rate_windows[:4]] == [2000] * 4
    # How many are achieved in which second is the machine's too. Sums are exact, and none comes before it is due.
    achieved = list(accumulate(window.achieved for window in manifest.rate_windows))
    assert achieved[-1] == 8000
    assert all(events <= 2000 * (second + 1) for second, events in enumerate(achieved))
    assert 0 < manifest.publish_delay_ms["p50"] <= manifest.publish_delay_ms["max"]


def test_seconds_end_a_run_within_one_second_of_the_limit(connection, ready_topic):
    started = time.monotonic()
    times: list[float] = []
    manifest = run(
        connection,
        ProduceRequest(topic=ready_topic, run_id="bounded", seconds=2),
        progress=lambda progress: times.append(time.monotonic()),
    )
    held(times[-1] - times[0], 3.5, "two seconds of sending")
    within(10, started, "the whole run")
    assert manifest.acknowledged == manifest.next_sequence > 0
    assert not manifest.interrupted
    assert run(connection, ProduceRequest(topic=ready_topic, run_id="bounded", seconds=2)) == manifest


def test_a_stop_before_the_first_event_leaves_a_manifest_of_nothing(connection, ready_topic):
    stop = threading.Event()

    def at_ready(_: object) -> None:
        stop.set()

    with pytest.raises(Interrupted):
        run(connection, ProduceRequest(topic=ready_topic, run_id="early", events=100), stop=stop, at_ready=at_ready)
    manifest = read_manifest(connection.kafka, ready_topic, "early", 0)
    assert manifest is not None
    assert (manifest.acknowledged, manifest.interrupted) == (0, True)
    assert run(connection, ProduceRequest(topic=ready_topic, run_id="early", events=100)).acknowledged == 100


def test_a_run_that_is_stopped_before_it_begins_sends_nothing_and_the_same_command_continues(connection, ready_topic):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        run(connection, ProduceRequest(topic=ready_topic, run_id="early", events=100), stop=stop)
    manifest = read_manifest(connection.kafka, ready_topic, "early", 0)
    # Whether it was announced is a race with taking the shard; it is finished with nothing, or was never there.
    assert manifest is None or (manifest.acknowledged, manifest.interrupted) == (0, True)
    assert records(connection, ready_topic) == []
    assert run(connection, ProduceRequest(topic=ready_topic, run_id="early", events=100)).acknowledged == 100


def test_an_oversized_event_is_counted_and_named_and_the_others_arrive(connection, ready_topic):
    def allow(size_bytes: int) -> None:
        spec = specs_for(ready_topic)[0]
        limit = {"max.message.bytes": str(size_bytes)}
        apply_topics(admin_client(connection.kafka), [replace(spec, config=spec.config | limit)], alter=True)

    allow(420)
    request = ProduceRequest(topic=ready_topic, run_id="large", events=20, rate=10)
    outcome = run_shard(connection, request.plan, stop=threading.Event())
    assert isinstance(outcome.error, RecordsUndelivered)
    assert "not acknowledged" in outcome.error.message
    manifest = outcome.manifest
    refused = {sequence for begin, end in manifest.failed for sequence in range(begin, end)}
    assert refused
    assert manifest.unknown == []
    assert set(sequences(records(connection, ready_topic))) == set(range(20)) - refused

    allow(1_000_000)
    repaired = run(connection, request)
    assert repaired.acknowledged == 20
    assert sequences(records(connection, ready_topic)) == list(range(20))


def test_a_missing_topic_is_named_with_the_command_that_makes_it(connection, topic_name):
    topic = topic_name("missing")
    with pytest.raises(TopicMissing, match=topic) as caught:
        run(connection, ProduceRequest(topic=topic, run_id="r", events=1))
    assert "streamproof topics apply" in caught.value.hint


def test_an_unregistered_schema_is_named_with_the_command_that_registers_it(connection, topic_name):
    topic = topic_name("bare")
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    with pytest.raises(Misconfigured, match="not registered") as caught:
        run(connection, ProduceRequest(topic=topic, run_id="r", events=1))
    assert "streamproof schemas gate" in caught.value.hint


def test_an_unreachable_broker_is_an_answer_within_fifteen_seconds(connection):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        nowhere = Connection.of({"bootstrap_servers": address}, {"url": connection.registry.url})
        started = time.monotonic()
        with pytest.raises(BrokerUnreachable):
            run(nowhere, ProduceRequest(topic="t", run_id="r", events=1))
        within(15, started, "the report that no broker answers")
