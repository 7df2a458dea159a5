"""What the control topic says, and what of it counts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from consumer.proof.kept_manifests import store_manifests, stored_manifests
from consumer.sinks.duckdb.warehouse import open_as_it_is
from consumer.verify.manifests import prove_manifests
from consumer.verify.verdicts import prove_verdicts
from schemas.control_topic import ControlTopic
from schemas.manifest import FaultPage, Terms

RUN = "rehearsal/one"


@dataclass
class Record:
    """The parts of a Kafka message that are read."""

    raw_key: bytes | None
    raw_value: bytes | None
    at: int = 0

    def key(self) -> bytes | None:
        return self.raw_key

    def value(self) -> bytes | None:
        return self.raw_value

    def topic(self) -> str:
        return "customer_events.manifests"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.at


def record(manifest: Any) -> Record:
    return Record(manifest.key().encode(), manifest.model_dump_json().encode())


@pytest.fixture
def claims(lab: Any) -> list[Any]:
    return [lab.control.manifests[RUN, shard] for shard in (0, 1)]


def test_the_last_word_of_a_shard_counts(claims: list[Any]) -> None:
    topic = ControlTopic()
    topic.take(record(claims[0].model_copy(update={"status": "running"})))
    topic.take(record(claims[0]))
    assert topic.manifests == {(RUN, 0): claims[0]}
    assert not topic.deleted


def test_a_manifest_that_was_taken_back_is_none(claims: list[Any], lab: Any) -> None:
    topic = ControlTopic()
    for claim in claims:
        topic.take(record(claim))
    with lab.open() as warehouse:
        store_manifests(warehouse, topic)
        topic.take(Record(claims[1].key().encode(), None))
        store_manifests(warehouse, topic)
        assert [kept.shard for kept in stored_manifests(warehouse, RUN)] == [0]


@pytest.mark.parametrize(
    "broken",
    [
        Record(f"{RUN}/0".encode(), b"{"),
        Record(f"{RUN}/0".encode(), b"\xff\xfe"),
        Record(f"{RUN}/0".encode(), b'{"status": "finished"}'),
        Record(None, b"{}"),
        Record(b"no shard", b"{}"),
        Record(b"\xff/0", b"{}"),
    ],
    ids=["not JSON", "not UTF-8", "not a manifest", "without key", "key without shard", "key not UTF-8"],
)
def test_an_unreadable_manifest_is_noted_by_its_position_and_stands_for_none(claims: list[Any], broken: Record) -> None:
    broken.at = 41
    topic = ControlTopic()
    topic.take(broken)
    assert topic.unreadable == ["customer_events.manifests partition 0 offset 41"]
    assert topic.manifests == {}


def test_a_manifest_under_a_key_that_is_not_its_own_is_unreadable(claims: list[Any]) -> None:
    topic = ControlTopic()
    topic.take(Record(b"another run/0", claims[0].model_dump_json().encode()))
    assert (len(topic.unreadable), topic.manifests) == (1, {})


@pytest.mark.parametrize("last", ["running", "finished", "broken", "taken back", "a page", "a page of another run"])
@pytest.mark.parametrize("first", ["finished", "broken", "taken back", "a page"])
def test_the_newest_record_of_a_key_counts_whether_or_not_the_topic_was_compacted(
    claims: list[Any], first: str, last: str
) -> None:
    # The key of a manifest and of a page at once.
    claim = claims[0].model_copy(update={"run_id": "r/0/faults", "shard": 3, "shards": 4})
    page = FaultPage(run_id="r", shard=0, attempt=0, page=3, faults=[])
    key = claim.key().encode()
    assert page.key().encode() == key
    values = {
        "running": claim.model_copy(update={"status": "running"}).model_dump_json().encode(),
        "finished": claim.model_dump_json().encode(),
        "broken": b"{",
        "taken back": None,
        "a page": page.model_dump_json().encode(),
        "a page of another run": page.model_copy(update={"run_id": "q"}).model_dump_json().encode(),
    }
    whole, compacted = ControlTopic(), ControlTopic()
    for at, name in enumerate((first, last)):
        whole.take(Record(key, values[name], at))
    compacted.take(Record(key, values[last], 1))
    assert (whole.manifests, whole.deleted, whole.unread) == (
        compacted.manifests,
        compacted.deleted,
        compacted.unread,
    )
    assert [page for pages in whole.pages.values() for page in pages.values()] == [
        page for pages in compacted.pages.values() for page in pages.values()
    ]
    assert len(whole.unread) == (last in {"broken", "a page of another run"})


@pytest.mark.parametrize("key", ["r/0/faults/x", "r/+1", "r/ 1", "r/01", "/0", "r/٣"])
def test_a_key_that_no_shard_writes_is_of_no_run(claims: list[Any], key: str) -> None:
    topic = ControlTopic()
    topic.take(Record(key.encode(), claims[0].model_dump_json().encode()))
    assert (topic.manifests, topic.deleted, topic.unread_of("r")) == ({}, set(), {})
    assert len(topic.unreadable) == 1


def test_of_a_manifest_of_a_later_version_what_the_shard_was_begun_with_is_still_read(claims: list[Any]) -> None:
    later = json.dumps(json.loads(claims[1].model_dump_json()) | {"format": 2, "colour": "blue"}).encode()
    topic = ControlTopic()
    topic.take(Record(claims[1].key().encode(), later))
    assert topic.manifests == {}
    assert topic.unread_of(RUN)[1].terms == Terms.model_validate_json(later)


def test_a_manifest_that_was_copied_from_another_topic_counts_for_none(claims: list[Any]) -> None:
    topic = ControlTopic()
    topic.take(record(claims[0]))
    topic.take(record(claims[1].model_copy(update={"topic": "elsewhere"})))
    assert list(topic.manifests) == [(RUN, 0)]
    assert topic.unreadable == ["customer_events.manifests partition 0 offset 0, as it is of topic elsewhere"]


def test_an_unreadable_manifest_makes_the_verdict_unknown_and_the_audit_says_where(audited: Any) -> None:
    topic = ControlTopic(dict(audited.control.manifests))
    topic.take(Record(f"{RUN}/1".encode(), b"{", at=7))
    audited.control = topic
    result = audited.audit()
    assert result.verdict == "UNKNOWN"
    assert any("offset 7" in note for note in result.notes)


def test_an_unreadable_manifest_of_a_shard_that_the_others_do_not_count_is_never_passed(audited: Any) -> None:
    assert audited.audit().verdict == "PASSED"
    audited.control.take(Record(f"{RUN}/2".encode(), b"{", at=7))
    result = audited.audit()
    assert result.verdict == "UNKNOWN"
    assert "shard 2, customer_events.manifests partition 0 offset 7" in result.reason
    with open_as_it_is(audited.path) as warehouse:
        verdicts, manifests = prove_verdicts(warehouse), prove_manifests(warehouse, audited.control)
    assert manifests.verdict == "UNKNOWN"
    said = f"the control topic has a manifest of run {RUN} shard 2 that cannot be read"
    assert manifests.unknown == [f"{said}: customer_events.manifests partition 0 offset 7"]
    assert (verdicts.verdict, verdicts.notes) == ("PASSED", [f"run {RUN} is UNKNOWN, as its audit says"])


def test_a_run_that_kafka_forgot_is_not_proved_by_the_file_alone(audited: Any) -> None:
    audited.control = ControlTopic()
    result = audited.audit(RUN)
    assert (result.verdict, result.loaded, result.lost) == ("UNKNOWN", 600, 0)
    assert "cannot be its own witness" in result.reason
