"""The ledger of a topic that somebody else filled says what Kafka holds, and disturbs nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.connection import Connection
from cluster.errors import DataRejected, Interrupted, Misconfigured, TopicMissing, TopicRecreated
from cluster.topics import admin_client, describe
from consumer.load.load import load
from consumer.pipeline.ledger.take import LedgerProgress, LedgerResult, take_ledger
from consumer.pipeline.ledger.truth import TopicTruth
from consumer.pipeline.truth import Truth
from consumer.proof.audit import audit
from producer import ProduceRequest, produce_shard
from schemas.control_topic import ControlTopic, read_control_topic, write_manifest
from schemas.formats import value_format
from schemas.manifest import Manifest, control_topic_of
from schemas.registry.client import Registry
from schemas.registry.contract import subject_for
from tests.kit.commands import command_line, streamproof
from tests.kit.kafka import is_gone, read_topic
from tests.kit.seconds import held
from tests.kit.topics import delete_topic, make_ready
from tests.kit.waiting import wait_until

ORDER = json.dumps(
    {
        "type": "record",
        "name": "Order",
        "fields": [
            {"name": "order_id", "type": "long"},
            {"name": "customer", "type": ["null", "string"], "default": None},
            {"name": "lines", "type": {"type": "array", "items": "string"}},
        ],
    }
)
NEVER = threading.Event()
Record = tuple[int, bytes | None, bytes | None]  # partition, key, value


@pytest.fixture
def others(connection: Connection, topic_name: Callable[[str], str]) -> str:
    """A topic of three partitions that nothing of ours knows: there is no control topic."""
    topic = topic_name("others")
    make(connection, topic)
    return topic


def make(connection: Connection, topic: str, partitions: int = 3) -> None:
    admin = admin_client(connection.kafka)
    admin.ask(admin.create_topics([NewTopic(topic, num_partitions=partitions)])[topic], "creating the topic")
    wait_until(lambda: not is_gone(connection, topic), "the topic", timeout_s=30)


def fill(connection: Connection, topic: str, records: Iterable[Record], **settings: Any) -> None:
    producer = Producer(connection.kafka.as_librdkafka(**settings))
    for partition, key, value in records:
        producer.produce(topic, value, key, partition=partition)
    assert producer.flush(30) == 0


def avro(connection: Connection, topic: str, rows: list[dict[str, Any]]) -> list[bytes]:
    with Registry(connection.registry) as registry:
        used = registry.register(subject_for(topic), ORDER)
    encoder = value_format("avro").encoder(ORDER, used.id)
    found: list[Any] = encoder.encode(pa.RecordBatch.from_pylist(rows, encoder.arrow_schema)).to_pylist()
    return found


def orders(count: int) -> list[dict[str, Any]]:
    return [
        {"order_id": n, "customer": None if n % 7 == 0 else f"c{n % 5}", "lines": ["a"] * (n % 3)} for n in range(count)
    ]


def ledger(connection: Connection, topic: str, **more: Any) -> tuple[LedgerResult, list[Manifest]]:
    result = take_ledger(connection, topic, stop=NEVER, **more)
    return result, manifests_of(read_control_topic(connection.kafka, topic), result.run_id)


def manifests_of(control: ControlTopic, run_id: str) -> list[Manifest]:
    return [manifest for (run, _), manifest in sorted(control.ledgers.items()) if run == run_id]


def told(truth: TopicTruth, partition: int) -> dict[int, dict[str, Any]]:
    """Return the values of a partition by offset."""
    found = {}
    for batch in truth.events(partition, 0, 1 << 60):
        assert batch.schema.names == ["_sequence", *truth.schema.names]
        for row in batch.to_pylist():
            found[row.pop("_sequence")] = row
    return found


def agrees(connection: Connection, topic: str, manifests: list[Manifest], *, value: bool = True) -> None:
    """Hold manifests against what a plain reader finds."""
    records = read_topic(connection, topic)
    for manifest in manifests:
        there = {m.offset(): m.value() or b"" for m in records if m.partition() == manifest.shard}
        absent = {offset for first, end in manifest.failed for offset in range(first, end)}
        whole = set(range(manifest.first_sequence, manifest.next_sequence))
        assert absent == whole - set(there)
        assert manifest.acknowledged == len(there)
        sums = [0] * len(manifest.crc.sums)
        for offset, bytes_ in there.items():
            sums[(offset - manifest.first_sequence) // manifest.crc.size] += zlib.crc32(bytes_)
        assert manifest.crc.sums == sums


def test_partitions_offsets_and_checksums_are_those_that_a_plain_reader_finds(
    connection: Connection, others: str
) -> None:
    rows = orders(1_000)
    values = avro(connection, others, rows)
    fill(connection, others, [(n % 3, b"k%d" % (n % 5), value) for n, value in enumerate(values)])
    seen: list[LedgerProgress] = []
    result, manifests = ledger(connection, others, progress=seen.append)
    assert (result.records, result.control_created, result.identity) == (1_000, True, "position")
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 1_000, 1_000)
    assert [manifest.shard for manifest in manifests] == [0, 1, 2]
    assert {manifest.topic_id for manifest in manifests} == {describe(admin_client(connection.kafka), others).topic_id}
    agrees(connection, others, manifests)
    with TopicTruth(connection, manifests) as truth:
        asked: Truth = truth
        assert asked.key == "_key"
        assert truth.schema.names == ["_key", "order_id", "customer", "lines"]
        for partition in range(3):
            expected = [{"_key": b"k%d" % (n % 5)} | row for n, row in enumerate(rows) if n % 3 == partition]
            assert list(told(truth, partition).values()) == expected
        # One record alone, and nothing beyond.
        (batch,) = truth.events(1, 7, 8)
        assert batch.column("_sequence").to_pylist() == [7]
        assert list(truth.events(1, 5_000, 6_000)) == []
        assert (truth.notes(), truth.gone) == ([], {0: [], 1: [], 2: []})


def test_offsets_without_a_record_are_known_where_transactions_left_them(connection: Connection, others: str) -> None:
    fill(connection, others, [(0, None, b'{"n": 1}'), (1, b"k", None)])
    producer = Producer(connection.kafka.as_librdkafka(transactional_id=others))
    producer.init_transactions(30)
    for number, commit in enumerate([True, False, True, False]):
        producer.begin_transaction()
        for place in range(20):
            producer.produce(others, b'{"n": %d}' % place, partition=number % 2)
        producer.flush(30)
        (producer.commit_transaction if commit else producer.abort_transaction)(30)
    result, manifests = ledger(connection, others)
    agrees(connection, others, manifests)
    # Two commits of twenty in partition 0, each with a marker; two aborted ones in partition 1, with theirs.
    assert [(each.records, each.gaps) for each in result.partitions] == [(41, 2), (1, 42), (0, 0)]
    with TopicTruth(connection, manifests) as truth:
        assert truth.key is None
        assert truth.schema.names == ["n"]
        assert sorted(told(truth, 0)) == sorted({*range(1 + 20), *range(22, 42)})
        assert told(truth, 1) == {0: {"n": None}}
        assert truth.notes() == []


def test_what_an_open_transaction_holds_back_is_not_in_the_ledger(connection: Connection, others: str) -> None:
    fill(connection, others, [(0, None, b"{}")])
    producer = Producer(connection.kafka.as_librdkafka(transactional_id=others))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(others, b"{}", partition=0)
    producer.flush(30)
    fill(connection, others, [(0, None, b"{}")])
    result, _ = ledger(connection, others, name="before")
    assert (result.partitions[0].next, result.records) == (1, 1)
    producer.abort_transaction(30)
    wait_until(lambda: ledger(connection, others)[0].records == 2, "the end of the transaction", timeout_s=30)


@pytest.mark.parametrize("written", ["avro", "json"])
def test_a_field_tells_records_apart_and_values_that_occur_again_are_counted(
    connection: Connection, others: str, written: str
) -> None:
    rows = orders(300)
    rows += [rows[5], rows[5], rows[6]]
    plain = [json.dumps(row).encode() for row in rows]
    values = avro(connection, others, rows) if written == "avro" else plain
    fill(connection, others, [*((n % 3, b"k", value) for n, value in enumerate(values)), (1, b"k", None)])
    result, manifests = ledger(connection, others, field="order_id")
    assert (result.identity, result.field, result.records, result.repeated) == ("field", "order_id", 303, 2)
    assert manifests[0].settings == {"identity": "field", "field": "order_id", "repeated": 2, "keyed": 101}
    # A record without a value has no field: it is left out.
    assert manifests[1].failed == [(101, 102)]
    with TopicTruth(connection, manifests) as truth:
        assert [len(told(truth, partition)) for partition in range(3)] == [101, 101, 101]
        assert [int(row["order_id"]) for row in told(truth, 0).values()] == [row["order_id"] for row in rows[::3]]


@pytest.mark.parametrize(
    ("field", "error", "words"),
    [
        ("order", Misconfigured, "no value has a field order, did you mean order_id?"),
        ("lines", Misconfigured, "the field lines is list<"),
        ("customer", DataRejected, "the field customer is null"),
    ],
)
def test_a_field_that_does_not_tell_records_apart_is_refused_and_nothing_is_written(
    connection: Connection, others: str, field: str, error: type[Exception], words: str
) -> None:
    fill(connection, others, [(0, b"k", value) for value in avro(connection, others, orders(30))])
    with pytest.raises(error, match=words):
        ledger(connection, others, field=field)
    with pytest.raises(TopicMissing):
        read_control_topic(connection.kafka, others)


def test_a_value_that_cannot_be_decoded_has_no_field_and_is_no_event(connection: Connection, others: str) -> None:
    good = avro(connection, others, orders(30))
    fill(connection, others, [(0, b"k", value) for value in [*good[:7], good[7][:-1], *good[8:]]])
    with pytest.raises(DataRejected, match="a value cannot be decoded") as refused:
        ledger(connection, others, field="order_id")
    assert refused.value.where.endswith("partition 0, offset 7")
    _, manifests = ledger(connection, others)
    with TopicTruth(connection, manifests) as truth:
        assert sorted(told(truth, 0)) == [*range(7), *range(8, 30)]
        assert truth.notes() == ["1 records have a value that cannot be decoded: they were not compared"]


def test_an_empty_topic_has_a_ledger_of_nothing(connection: Connection, others: str) -> None:
    ended = streamproof("ledger", others, "--name", "empty", "--json")
    assert ended.exit_code == 0, ended.stderr
    document = ended.document
    assert {key: document[key] for key in ("run_id", "topic", "identity", "records", "repeated")} == {
        "run_id": "ledger/empty",
        "topic": others,
        "identity": "position",
        "records": 0,
        "repeated": 0,
    }
    assert document["partitions"] == [
        {"partition": number, "first": 0, "next": 0, "records": 0, "gaps": 0} for number in range(3)
    ]
    shown = streamproof("ledger", others, "--id", "anything")
    assert "the topic is empty" in shown.stdout
    manifests = manifests_of(read_control_topic(connection.kafka, others), "ledger/empty")
    with TopicTruth(connection, manifests) as truth:
        assert list(truth.events(0, 0, 10)) == []


def test_two_ledgers_of_a_topic_stand_beside_each_other_and_a_name_is_used_once(
    connection: Connection, others: str
) -> None:
    fill(connection, others, [(0, None, b"{}")])
    ledger(connection, others, name="monday")
    fill(connection, others, [(0, None, b"{}")])
    ledger(connection, others, name="tuesday")
    control = read_control_topic(connection.kafka, others)
    assert control.ledger_ids() == ["ledger/monday", "ledger/tuesday"]
    assert [manifests_of(control, name)[0].acknowledged for name in control.ledger_ids()] == [1, 2]
    with pytest.raises(Misconfigured, match="there is a ledger ledger/monday already, taken at"):
        ledger(connection, others, name="monday")
    with pytest.raises(Misconfigured, match="cannot be the name of a ledger"):
        ledger(connection, others, name="a/b")


def test_a_stop_writes_nothing(connection: Connection, others: str) -> None:
    fill(connection, others, [(n % 3, None, b"{}") for n in range(300)])
    for field in (None, "n"):
        stop = threading.Event()
        with pytest.raises(Interrupted):
            take_ledger(connection, others, field=field, stop=stop, progress=lambda _, stop=stop: stop.set())
    with pytest.raises(TopicMissing):
        read_control_topic(connection.kafka, others)


def test_a_signal_ends_the_command_in_time_and_nothing_is_written(connection: Connection, others: str) -> None:
    producer = Producer(connection.kafka.as_librdkafka(linger_ms=50, queue_buffering_max_messages=1_000_000))
    for number in range(600_000):
        producer.produce(others, b"{}", partition=number % 3)
    assert producer.flush(60) == 0
    ended = subprocess.Popen(command_line("ledger", others, "--json"), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert ended.stderr is not None
        assert any(b"reading" in line for line in ended.stderr)
        began = time.monotonic()
        ended.send_signal(signal.SIGINT)
        out, _ = ended.communicate(timeout=60)
        held(time.monotonic() - began, 4.0, "the end after a signal")
    finally:
        ended.kill()
    assert (ended.returncode, json.loads(out)["error"]["kind"]) == (75, "Interrupted")
    with pytest.raises(TopicMissing):
        read_control_topic(connection.kafka, others)


def test_a_missing_topic_and_a_broker_that_is_gone_are_told_by_their_exit_codes(
    connection: Connection, topic_name: Callable[[str], str]
) -> None:
    assert streamproof("ledger", topic_name("nowhere")).exit_code == 78
    assert streamproof("ledger", "t", "--bootstrap-servers", "127.0.0.1:1").exit_code == 69


def test_what_retention_deleted_since_is_told_and_the_rest_is_as_it_was(connection: Connection, others: str) -> None:
    rows = orders(900)
    fill(connection, others, [(0, b"k", value) for value in avro(connection, others, rows)])
    _, manifests = ledger(connection, others)
    admin = admin_client(connection.kafka)
    asked = admin.delete_records([TopicPartition(others, 0, 300)])
    admin.ask(next(iter(asked.values())), "deleting records")
    with TopicTruth(connection, manifests) as truth:
        assert truth.gone == {0: [(0, 300)], 1: [], 2: []}
        (note,) = truth.notes()
        assert note.startswith("Kafka holds 300 records of partition 0 no more, from offset 0 to 300")
        assert [row["order_id"] for row in told(truth, 0).values()] == list(range(300, 900))
        assert truth.notes() == [note]
    # A ledger that is taken now begins where the topic does.
    result, _ = ledger(connection, others)
    assert (result.partitions[0].first, result.partitions[0].records) == (300, 600)


def test_what_compaction_took_since_is_told_and_a_ledger_of_what_is_left_has_holes(
    connection: Connection, topic_name: Callable[[str], str]
) -> None:
    topic = topic_name("compacted")
    config = {"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.001"}
    admin = admin_client(connection.kafka)
    made = NewTopic(topic, num_partitions=1, config=config)
    admin.ask(admin.create_topics([made])[topic], "creating the topic")
    wait_until(lambda: not is_gone(connection, topic), "the topic", timeout_s=30)
    fill(connection, topic, [(0, b"k%d" % (n % 50), b'{"n": %d}' % n) for n in range(1_000)])
    _, manifests = ledger(connection, topic)

    def compacted() -> bool:
        # A segment is closed by the record that comes after its time.
        fill(connection, topic, [(0, b"last", b"{}")])
        return len(read_topic(connection, topic)) < 500

    wait_until(compacted, "the cleaner", timeout_s=120)
    with TopicTruth(connection, manifests) as truth:
        left = told(truth, 0)
        assert sorted(left) == sorted(n for n in left if n >= 950)
        (note,) = truth.notes()
        assert note.startswith(f"Kafka holds {1_000 - len(left):,} records of partition 0 no more, from offset 0 to ")
    _, manifests = ledger(connection, topic)
    with TopicTruth(connection, manifests) as truth:
        assert len(told(truth, 0)) == manifests[0].acknowledged < 500
        assert manifests[0].next_sequence > 1_000


def test_a_topic_that_is_not_the_one_of_the_ledger_is_refused(connection: Connection, others: str) -> None:
    fill(connection, others, [(0, None, b'{"n": 1}')] * 400)
    _, manifests = ledger(connection, others)
    wrong = manifests[0].crc.model_copy(update={"sums": [manifests[0].crc.sums[0], manifests[0].crc.sums[1] + 1]})
    edited = [manifests[0].model_copy(update={"crc": wrong}), *manifests[1:]]
    with (
        TopicTruth(connection, edited) as truth,
        pytest.raises(DataRejected, match="at offsets 256 to 400 have another"),
    ):
        told(truth, 0)
    hole = manifests[0].model_copy(update={"failed": [(5, 6)], "acknowledged": 399})
    with TopicTruth(connection, [hole]) as truth, pytest.raises(DataRejected, match="a record at offset 5, where"):
        told(truth, 0)
    delete_topic(connection, others)
    make(connection, others)
    with pytest.raises(TopicRecreated, match="deleted and made anew since"), TopicTruth(connection, manifests):
        pass


def test_a_ledger_is_never_taken_for_a_run_of_ours(
    connection: Connection, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    topic = make_ready(connection, topic_name("both"))
    asked = ProduceRequest(topic=topic, run_id="ours", events=500, shards=2)
    produce_shard(connection, asked, stop=NEVER)
    result, _ = ledger(connection, topic, name="theirs")
    assert result.records == 250
    # A run goes on beside it, and is proved as if it was not there.
    produce_shard(connection, asked.for_shard(1), stop=NEVER)
    warehouse = tmp_path / "w.duckdb"
    load(connection, topic, warehouse, stop=NEVER)
    found = audit(connection, warehouse, topic)
    assert (found.run_id, found.verdict, found.expected) == ("ours", "PASSED", 500)
    assert not [note for note in found.notes if "ledger" in note]
    control = read_control_topic(connection.kafka, topic)
    assert control.runs() == ["ours"]
    assert control.ledger_ids() == ["ledger/theirs"]
    for command in (["audit"], ["check"], ["report"]):
        ended = streamproof(*command, topic, "--warehouse", warehouse, "--run-id", "ledger/theirs")
        assert ended.exit_code == 78, ended.text
        assert "ledger/theirs is a ledger of what others sent" in ended.stderr
        assert "--at WHERE" in ended.stderr
    assert streamproof("verify", warehouse, "--topic", topic).exit_code in {0, 78}
    with pytest.raises(Misconfigured, match="run id begins with ledger/"):
        ProduceRequest(topic=topic, run_id="ledger/theirs", events=1)


def test_a_ledger_does_not_hide_that_the_manifests_of_a_run_are_gone(
    connection: Connection, topic_name: Callable[[str], str]
) -> None:
    topic = make_ready(connection, topic_name("gone"))
    asked = ProduceRequest(topic=topic, run_id="ours", events=200)
    produce_shard(connection, asked, stop=NEVER)
    delete_topic(connection, control_topic_of(topic))
    result, _ = ledger(connection, topic)
    assert result.control_created
    with pytest.raises(DataRejected, match="its manifests are gone"):
        produce_shard(connection, asked, stop=NEVER)


def test_a_claim_that_the_topic_cannot_hold_stands_for_no_ledger(connection: Connection, others: str) -> None:
    from consumer.proof.kept_manifests import hold_against

    fill(connection, others, [(0, None, b"{}")])
    _, (first, second, third) = ledger(connection, others, name="n")
    wrong = {"next_sequence": 10**15, "failed": [(1, 10**15)]}
    write_manifest(connection.kafka, Manifest.model_validate(first.model_dump() | wrong))
    control = read_control_topic(connection.kafka, others)
    hold_against(control, {0: 1, 1: 0, 2: 0})
    assert manifests_of(control, "ledger/n") == [second, third]
    assert list(control.impossible) == [("ledger/n", 0)]
