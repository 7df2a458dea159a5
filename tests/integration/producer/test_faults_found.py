"""Every kind of fault is in the topic as the truth says, by a reader of its own, and the audit finds n of n."""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import pytest

from cluster.connection import Connection
from cluster.errors import Interrupted, Misconfigured
from cluster.topics import admin_client, apply_topics, specs_for
from consumer.load.load import load
from consumer.proof.audit import audit
from consumer.proof.checks import run_checks
from consumer.proof.result import AuditResult
from consumer.publish.publish import publish
from producer import ProduceRequest, produce_shard
from schemas.progress import is_progress_key
from schemas.registry.contract import load_contract, subject_for
from schemas.registry.gate import Registry, gate
from tests.kit.fault_kinds import OF_AVRO
from tests.kit.kafka import read_topic
from tests.kit.stops import StopAt

RUN = "faults/one"
EVENTS = 6_000
SHARDS = 2
FAULTS = (
    "dropped=7",
    "tombstone=5",
    "undecodable=18",
    "hot_key=0.2",
    "out_of_order=25",
    "duplicate=9",
    "altered=21",
    "late=11,mean=20m",
    "clock_skew=1,by=-5m",
)
# What a reader of the wire format calls each kind.
_LEAST_LATE_MS = 60_000


@dataclass(frozen=True)
class Record:
    """One record, as a plain consumer sees it."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    event_id: str

    @property
    def place(self) -> tuple[int, int]:
        digits = self.event_id.replace("-", "")
        return int(digits[13:16], 16), int(digits[16:], 16) & ((1 << 62) - 1)


def read(connection: Connection, topic: str) -> list[Any]:
    """Return every record of a topic, partition by partition."""
    return sorted(read_topic(connection, topic), key=lambda message: (message.partition(), message.offset()))


def claims(connection: Connection, topic: str) -> list[Any]:
    """Return the records of the control topic that are not only for whoever looks on."""
    return [each for each in read(connection, f"{topic}.manifests") if not is_progress_key(each.key().decode())]


def records_of(connection: Connection, topic: str) -> list[Record]:
    found = []
    for message in read(connection, topic):
        headers = dict(message.headers() or [])
        value = message.value()
        event_id = headers.get("streamproof-event-id") or value[6:42]
        found.append(
            Record(
                message.partition(), message.offset(), message.timestamp()[1], message.key(), value, event_id.decode()
            )
        )
    return found


def truth_of(connection: Connection, topic: str, run_id: str = RUN) -> dict[str, set[tuple[int, int]]]:
    """Return what the control topic says was injected, as (shard, sequence)."""
    last: dict[bytes, Any] = {m.key(): json.loads(m.value()) for m in claims(connection, topic)}
    found: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for document in last.values():
        if document["run_id"] == run_id:
            for truth in document["faults"]:
                for first, end in truth["sequences"]:
                    found[truth["kind"]] |= {(document["shard"], number) for number in range(first, end)}
    return dict(found)


def prepare(connection: Connection, topic: str, *, up_to: int | None = None) -> None:
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    with Registry(connection.registry) as registry:
        gate(registry, load_contract("customer_events"), subject_for(topic), up_to=up_to)


def request(topic: str, shard: int = 0, **more: Any) -> ProduceRequest:
    facts: dict[str, Any] = {"run_id": RUN, "shards": SHARDS, "seed": 7, "events": EVENTS, "faults": FAULTS}
    return ProduceRequest(topic=topic, shard=shard, **(facts | more))


def scored(result: AuditResult) -> dict[str, tuple[int, int, int]]:
    return {score.kind: (score.injected, score.found, score.false_alarms) for score in result.faults}


@pytest.fixture(scope="module")
def faulty(connection: Connection) -> str:
    """A topic with a run that has every kind of fault."""
    topic = f"faulty-{uuid.uuid4().hex[:12]}"
    prepare(connection, topic)
    for shard in range(SHARDS):
        produce_shard(connection, request(topic, shard), stop=threading.Event())
    return topic


@pytest.fixture(scope="module")
def records(connection: Connection, faulty: str) -> list[Record]:
    return records_of(connection, faulty)


@pytest.fixture(scope="module")
def truth(connection: Connection, faulty: str) -> dict[str, set[tuple[int, int]]]:
    return truth_of(connection, faulty)


@pytest.fixture(scope="module")
def events(records: list[Record]) -> dict[tuple[int, int], tuple[Record, dict[str, Any]]]:
    """Every event that fastavro decodes."""
    schema = fastavro.parse_schema(load_contract("customer_events").version(1).schema)
    found: dict[tuple[int, int], tuple[Record, dict[str, Any]]] = {}
    for record in records:
        if record.value is not None and not _why_undecodable(record.value, schema):
            decoded: Any = fastavro.schemaless_reader(io.BytesIO(record.value[5:]), schema, None)
            found.setdefault(record.place, (record, decoded))
    return found


def _why_undecodable(value: bytes, schema: Any) -> str:
    if not value:
        return "empty"
    if value[0]:
        return "bad_magic"
    if int.from_bytes(value[1:5], "big") > 1_000_000:
        return "unknown_schema"
    payload = io.BytesIO(value[5:])
    try:
        fastavro.schemaless_reader(payload, schema, None)
    except UnicodeDecodeError:
        return "invalid_utf8"
    except (EOFError, IndexError, ValueError):
        return "truncated"
    return "trailing_bytes" if payload.read(1) else ""


def test_every_kind_is_injected_as_often_as_asked(truth: dict[str, set[tuple[int, int]]]) -> None:
    counts = {kind: len(places) for kind, places in truth.items()}
    assert set(counts) == OF_AVRO
    assert counts["hot_key"] == pytest.approx(0.2 * EVENTS, rel=0.1)
    assert {
        family: sum(n for kind, n in counts.items() if kind.split(".")[0] == family) for family in FAULT_COUNTS
    } == (FAULT_COUNTS)


FAULT_COUNTS = {
    "dropped": 7, "tombstone": 5, "undecodable": 18, "out_of_order": 25, "duplicate": 9, "altered": 21, "late": 11,
}  # fmt: skip


def test_dropped_events_are_not_there(records: list[Record], truth: dict[str, set[tuple[int, int]]]) -> None:
    whole = {(shard, number) for shard in range(SHARDS) for number in range(EVENTS // SHARDS)}
    assert whole - {record.place for record in records} == truth["dropped"]


def test_duplicates_are_there_twice_byte_for_byte(
    records: list[Record], truth: dict[str, set[tuple[int, int]]]
) -> None:
    found: dict[tuple[int, int], list[Record]] = defaultdict(list)
    for record in records:
        found[record.place].append(record)
    twice = {place: copies for place, copies in found.items() if len(copies) > 1}
    assert set(twice) == truth["duplicate"]
    assert all(a.value == b.value and a.key == b.key and a.partition == b.partition for a, b in twice.values())


def test_tombstones_have_a_key_and_no_value(records: list[Record], truth: dict[str, set[tuple[int, int]]]) -> None:
    assert {record.place for record in records if record.value is None} == truth["tombstone"]
    assert all(record.key for record in records if record.value is None)


def test_undecodable_values_fail_for_their_reason(
    records: list[Record], truth: dict[str, set[tuple[int, int]]]
) -> None:
    schema = fastavro.parse_schema(load_contract("customer_events").version(1).schema)
    found: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for record in records:
        if record.value is not None and (why := _why_undecodable(record.value, schema)):
            found[f"undecodable.{why}"].add(record.place)
    assert found == {kind: places for kind, places in truth.items() if kind.startswith("undecodable.")}


def test_events_out_of_order_stand_behind_a_later_one_of_their_key(
    records: list[Record], truth: dict[str, set[tuple[int, int]]]
) -> None:
    newest: dict[tuple[int, bytes | None, int], int] = {}
    overtaken, seen = set(), set()
    for record in records:
        shard, sequence = record.place
        key = (shard, record.key, record.partition)
        if sequence < newest.get(key, -1) and record.place not in seen:
            overtaken.add(record.place)
        newest[key] = max(newest.get(key, -1), sequence)
        seen.add(record.place)
    assert overtaken == truth["out_of_order"]


def test_the_hot_key_is_the_key_of_its_events_only(
    events: dict[tuple[int, int], Any], truth: dict[str, set[tuple[int, int]]]
) -> None:
    found = {place for place, (record, event) in events.items() if record.key == b"hot-key"}
    assert found == truth["hot_key"]
    assert all(record.key == event["user_id"].encode() for record, event in events.values())
    assert len({record.partition for record, _ in events.values() if record.key == b"hot-key"}) == 1


def test_altered_events_break_their_rules(
    events: dict[tuple[int, int], Any], truth: dict[str, set[tuple[int, int]]]
) -> None:
    rules: dict[str, Callable[[Record, dict[str, Any]], bool]] = {
        "altered.negative_duration": lambda r, e: bool(e["details"]) and e["details"]["play_duration"] < 0,
        "altered.future_date": lambda r, e: e["timestamp"].timestamp() * 1000 > r.timestamp_ms + 1000,
        "altered.unknown_text": lambda r, e: e["event_type"] not in ("content_play", "search", "browse"),
    }
    for kind, broken in rules.items():
        assert {place for place, (record, event) in events.items() if broken(record, event)} == truth[kind], kind


def test_late_events_are_dated_behind_the_ones_before(
    events: dict[tuple[int, int], Any], truth: dict[str, set[tuple[int, int]]]
) -> None:
    late = set()
    for shard in range(SHARDS):
        newest = 0.0
        for place in sorted(place for place in events if place[0] == shard):
            at_ms = events[place][1]["timestamp"].timestamp() * 1000
            if place in truth["altered.future_date"]:
                continue
            if at_ms <= newest - _LEAST_LATE_MS:
                late.add(place)
            newest = max(newest, at_ms)
    assert late == truth["late"]


def test_one_shard_has_a_wrong_clock(records: list[Record], truth: dict[str, set[tuple[int, int]]]) -> None:
    means = {
        shard: sum(r.timestamp_ms for r in records if r.place[0] == shard)
        / sum(1 for r in records if r.place[0] == shard)
        for shard in range(SHARDS)
    }
    ((skewed, _),) = Counter(shard for shard, _ in truth["clock_skew"]).items()
    assert means[1 - skewed] - means[skewed] == pytest.approx(300_000, abs=30_000)
    assert truth["clock_skew"] == {record.place for record in records if record.place[0] == skewed}


def test_the_audit_finds_exactly_what_was_injected(
    connection: Connection, faulty: str, truth: dict[str, set[tuple[int, int]]], tmp_path: Path
) -> None:
    warehouse = tmp_path / "w.duckdb"
    loaded = load(connection, faulty, warehouse, stop=threading.Event())
    assert (loaded.quarantined, loaded.tombstones) == (18, 5)
    result = audit(connection, warehouse, faulty, RUN)
    assert scored(result) == {kind: (len(places), len(places), 0) for kind, places in truth.items()}
    assert result.verdict == "PASSED", result.reason
    assert (result.lost, result.duplicated, result.undecodable, result.reordered) == (7, 9, 18, 25)
    assert (result.phantom, result.altered, result.uncompared) == (0, 0, 0)
    checks = run_checks(warehouse, RUN)
    assert [check.check for check in checks.blocked_by] == []
    assert publish(warehouse, faulty, RUN, tmp_path / "publications").rows == loaded.rows


def test_a_run_with_faults_that_is_stopped_and_continued_is_found_whole(
    connection: Connection, topic_name: Any, tmp_path: Path, stop_at: type[StopAt]
) -> None:
    topic = topic_name("stopped")
    prepare(connection, topic)
    asked = request(topic, shards=1, events=12_000, rate=12_000.0, faults=FAULTS[:-1])
    early = stop_at(3_000, total=12_000)
    with pytest.raises(Interrupted):
        produce_shard(connection, asked, stop=early.stop, progress=early)
    manifest = produce_shard(connection, asked, stop=threading.Event())
    assert manifest.resumed == 1
    warehouse = tmp_path / "w.duckdb"
    load(connection, topic, warehouse, stop=threading.Event())
    result = audit(connection, warehouse, topic, RUN)
    assert result.verdict == "PASSED", (result.reason, scored(result))
    assert scored(result)["dropped"] == (7, 7, 0)
    assert scored(result)["duplicate"] == (9, 9, 0)


def test_a_truth_that_does_not_fit_one_record_is_read_from_pages(
    connection: Connection, topic_name: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schemas.control_topic.writing.INLINE_RANGES", 500)
    monkeypatch.setattr("schemas.control_topic.writing.PAGE_RANGES", 1_000)
    topic = topic_name("pages")
    prepare(connection, topic)
    asked = request(topic, shards=1, events=4_000, faults=("hot_key=0.2", "dropped=0.2"))
    produce_shard(connection, asked, stop=threading.Event())
    keys = [message.key() for message in claims(connection, topic)]
    assert keys == [
        f"{RUN}/0".encode(), f"{RUN}/0/faults/0".encode(), f"{RUN}/0/faults/1".encode(), f"{RUN}/0".encode(),
    ]  # fmt: skip
    warehouse = tmp_path / "w.duckdb"
    load(connection, topic, warehouse, stop=threading.Event())
    result = audit(connection, warehouse, topic, RUN)
    assert result.verdict == "PASSED", (result.reason, scored(result))
    assert sum(injected for injected, _, _ in scored(result).values()) > 1_400


def test_a_scenario_with_its_identity_in_headers_has_faults_too(
    connection: Connection, topic_name: Any, tmp_path: Path
) -> None:
    topic = topic_name("clicks")
    apply_topics(admin_client(connection.kafka), specs_for(topic))
    with Registry(connection.registry) as registry:
        gate(registry, load_contract("clickstream"), subject_for(topic))
    # Two kinds of altered values: a click has no duration.
    faults = ("dropped=4", "tombstone=3", "undecodable=12", "duplicate=5", "out_of_order=6", "late=7", "altered=8")
    asked = request(topic, shards=1, events=5_000, scenario="clickstream", faults=(*faults, "hot_key=0.2"))
    produce_shard(connection, asked, stop=threading.Event())
    warehouse = tmp_path / "w.duckdb"
    load(connection, topic, warehouse, stop=threading.Event())
    result = audit(connection, warehouse, topic, RUN)
    assert result.verdict == "PASSED", (result.reason, scored(result))
    assert len(scored(result)) == len(OF_AVRO) - 2, "all but the negative duration and the clock"


# Two versions of the schema in one run


@pytest.mark.parametrize("ramp", [False, True])
def test_a_run_that_mixes_versions_is_counted_by_version(
    connection: Connection, topic_name: Any, tmp_path: Path, ramp: bool
) -> None:
    topic = topic_name("mixed")
    prepare(connection, topic, up_to=2)
    how: dict[str, Any] = {"next_version_ramp": True} if ramp else {"next_version_share": 0.3}
    shards = 1 if ramp else 2
    manifests = [
        produce_shard(
            connection,
            request(topic, shard, shards=shards, events=3_000, faults=("undecodable=6", "dropped=4"), **how),
            stop=threading.Event(),
        )
        for shard in range(shards)
    ]
    ids = [row.schema_used.id for row in manifests[0].versions]
    contract = load_contract("customer_events")
    schemas = {
        schema_id: fastavro.parse_schema(contract.version(number).schema) for number, schema_id in enumerate(ids, 1)
    }
    seen: Counter[int] = Counter()
    tenths: Counter[tuple[int, int]] = Counter()
    for record in records_of(connection, topic):
        schema_id = int.from_bytes(record.value[1:5], "big") if record.value else 0
        if schema_id in schemas and record.value and not _why_undecodable(record.value, schemas[schema_id]):
            seen[schema_id] += 1
            tenths[schema_id, record.place[1] * 10 // 3_000] += 1
    written = {
        row.schema_used.id: sum(m.versions[at].events for m in manifests)
        for at, row in enumerate(manifests[0].versions)
    }
    assert seen == written
    assert seen[ids[1]] == pytest.approx((0.5 if ramp else 0.3) * 3_000, rel=0.1)
    if ramp:
        assert tenths[ids[1], 0] < tenths[ids[1], 5] < tenths[ids[1], 9]
    warehouse = tmp_path / "w.duckdb"
    load(connection, topic, warehouse, stop=threading.Event())
    result = audit(connection, warehouse, topic, RUN)
    assert result.verdict == "PASSED", (result.reason, scored(result))
    assert [(row.version, row.acknowledged, row.loaded) for row in result.versions] == [
        (1, written[ids[0]], written[ids[0]]),
        (2, written[ids[1]], written[ids[1]]),
    ]


def test_a_mix_is_refused_before_the_first_event_unless_both_versions_are_registered(
    connection: Connection, topic_name: Any
) -> None:
    topic = topic_name("ungated")
    prepare(connection, topic)
    with pytest.raises(Misconfigured, match=r"version 2 .* is not registered") as caught:
        produce_shard(connection, request(topic, next_version_share=0.5), stop=threading.Event())
    assert "--up-to 2" in str(caught.value.hint)
    assert list(read(connection, topic)) == []
    assert list(read(connection, f"{topic}.manifests")) == []
