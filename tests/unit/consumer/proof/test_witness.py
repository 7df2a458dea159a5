"""The file under test is not its own witness: what can be computed or read again is."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest

import consumer.sinks.duckdb.held
from cluster.connection import Connection
from cluster.errors import Misconfigured, VerdictUnknown, WarehouseDamaged
from consumer.load.quarantine import replay
from consumer.proof.checks import run_checks
from consumer.proof.result import AuditResult
from consumer.publish.publish import publish
from schemas.identity import event_id
from schemas.manifest import FaultTruth

RUN = "rehearsal/one"


@pytest.fixture
def held(lab: Any) -> Any:
    """A run of which three events were made undecodable on purpose, and one was sent twice."""
    lab.bring_to("held", lambda: hold(lab))
    return lab


def hold(lab: Any) -> None:
    for sequence, value, kind in ((5, b"", "empty"), (6, b"\0\0", "short"), (7, b"\7oh", "bad_magic")):
        lab.hold(0, sequence, value, phase="frame", kind=kind)
    truth = [
        FaultTruth(kind="duplicate", sequences=[(9, 10)]),
        FaultTruth(kind="undecodable.empty", sequences=[(5, 6)]),
        FaultTruth(kind="undecodable.truncated", sequences=[(6, 8)]),
    ]
    injected = {"duplicate": 1, "undecodable.empty": 1, "undecodable.truncated": 2}
    lab.amend(0, faults=truth, injected=injected, settings={"faults": "some"})
    lab.store(f"INSERT INTO events SELECT * REPLACE (_offset + 10000 AS _offset) FROM events WHERE {one(9)}")
    assert lab.audit().verdict == "PASSED", lab.audit().reason


def one(sequence: int) -> str:
    return f"event_id = '{event_id(RUN, 0, sequence)}'"


def place(lab: Any, kind: str) -> str:
    ((partition, offset),) = lab.sql(f"SELECT _partition, _offset FROM quarantine WHERE error_class = '{kind}'")
    return f"partition {partition} offset {offset}"


def audited(lab: Any, *edits: str) -> AuditResult:
    lab.sql(*edits)
    result: AuditResult = lab.audit()
    return result


def test_quarantined_bytes_that_were_changed_are_found_and_their_place_is_named(held: Any) -> None:
    where = place(held, "short")
    result = audited(held, "UPDATE quarantine SET value = '\\x00\\x01'::BLOB WHERE error_class = 'short'")
    assert (result.verdict, result.altered) == ("FAILED", 1)
    assert where in result.sentence
    assert "bytes in quarantine" in result.sentence


def test_every_quarantined_value_is_hashed(held: Any) -> None:
    result = audited(held, "UPDATE quarantine SET value = 'gone', key = 'zz'")
    assert (result.verdict, result.altered) == ("FAILED", 3)


def test_bytes_and_checksum_that_were_changed_together_are_found(held: Any) -> None:
    crc = zlib.crc32(b"\0\1")
    result = audited(
        held, f"UPDATE quarantine SET value = '\\x00\\x01'::BLOB, crc32 = {crc} WHERE error_class = 'short'"
    )
    assert (result.verdict, result.altered) == ("FAILED", 1)


@pytest.mark.parametrize(
    "edit",
    ["error_class = 'other'", "phase = 'decode'", "schema_id = 77", "error_class = 'other', phase = 'insert'"],
)
def test_a_record_that_is_held_for_another_reason_than_its_bytes_give_is_doubted(held: Any, edit: str) -> None:
    where = place(held, "empty")
    result = audited(held, f"UPDATE quarantine SET {edit} WHERE error_class = 'empty'")
    assert result.verdict == "UNKNOWN"
    assert f"{where} is held as" in result.reason


def test_a_record_without_a_schema_is_held_for_a_reason_that_there_is(lab: Any) -> None:
    lab.hold(0, 5, b"\0\x7f\xff\xfe\0whatever", phase="schema", kind="unknown_schema")
    lab.sql(f"UPDATE quarantine SET schema_id = {0x7FFFFE00}")
    # Nobody asked for what cannot be decoded: the run failed, and the file says why.
    assert (audited(lab).undecodable, audited(lab).doubts) == (1, [])
    for told in ("SomeLibraryError", "schema_conflict"):
        assert audited(lab, f"UPDATE quarantine SET error_class = '{told}'").doubts == []
    (doubt,) = audited(lab, "UPDATE quarantine SET error_class = 'other'").doubts
    assert "is held as schema/other of schema id 2147483136" in doubt


def test_changed_bytes_are_not_replayed(held: Any) -> None:
    where = place(held, "bad_magic").replace(" offset", ", offset")
    held.sql("UPDATE quarantine SET value = 'gone' WHERE error_class = 'bad_magic'")
    nowhere = Connection.of({"bootstrap_servers": "127.0.0.1:1"}, {"url": "http://127.0.0.1:1"})
    with pytest.raises(WarehouseDamaged, match=f"other bytes than came from Kafka, the first at {where}"):
        replay(nowhere, held.path, stop=__import__("threading").Event())
    assert held.sql("SELECT count(*) FROM quarantine") == [(3,)]


def test_the_quarantine_is_read_in_pages_of_bounded_size(held: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer.sinks.duckdb.held, "PAGE_BYTES", 2)
    with held.open() as warehouse:
        pages = list(consumer.sinks.duckdb.held.pages(warehouse))
    places = [(record.held_partition, record.held_offset) for page in pages for record in page]
    assert len(pages) > 1
    assert places == sorted(set(places))
    assert len(places) == 3


def test_a_truth_that_was_invented_in_the_file_is_not_believed(held: Any) -> None:
    held.store(f"INSERT INTO events SELECT * REPLACE (_offset + 20000 AS _offset) FROM events WHERE {one(20)}")
    result = audited(held, f"INSERT INTO manifest_faults VALUES ('{RUN}', 0, 'duplicate', false, 20, 21)")
    assert (result.verdict, result.duplicated) == ("FAILED", 2)
    assert "1 duplicated beyond what was injected" in result.reason


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM manifest_faults",
        "UPDATE manifest_faults SET next = next + 1",
        "UPDATE manifest_faults SET run_id = 'other'",
        "UPDATE manifest_faults SET shard = 1",
        "INSERT INTO manifest_faults FROM manifest_faults",
        "UPDATE manifests SET document = replace(document, '\"acknowledged\":300', '\"acknowledged\":299')",
        "UPDATE manifests SET run_id = 'other' WHERE shard = 0",
        "UPDATE manifests SET shard = 7 WHERE shard = 0",
        "UPDATE manifests SET status = 'running'",
        "UPDATE manifests SET document = '{}'",
        "DELETE FROM manifests",
    ],
)
def test_what_the_control_topic_says_heals_in_the_file(held: Any, edit: str) -> None:
    rows = ("FROM manifest_faults ORDER BY ALL", "SELECT run_id, shard, status, document FROM manifests ORDER BY ALL")
    before = [held.sql(query) for query in rows]
    assert audited(held, edit).verdict == "PASSED"
    assert [held.sql(query) for query in rows] == before


def test_a_truth_with_other_sums_than_the_manifest_gives_proves_nothing(held: Any) -> None:
    held.amend(0, injected={"duplicate": 2, "undecodable.empty": 1, "undecodable.truncated": 2})
    result = held.audit()
    assert result.verdict == "UNKNOWN"
    assert "everything that was injected" in result.reason


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE load_offsets SET next_offset = next_offset + 1 WHERE partition = 0",
        "DELETE FROM load_batches WHERE partition = 0",
        "UPDATE load_batches SET crc_sum = crc_sum + 1 WHERE partition = 0",
    ],
)
def test_a_file_that_contradicts_its_ledger_proves_nothing(lab: Any, edit: str) -> None:
    result = audited(lab, edit)
    assert result.verdict == "UNKNOWN"
    assert "partition 0" in result.reason


def test_a_verdict_names_the_witness_that_it_lacks(held: Any, tmp_path: Path) -> None:
    held.control.manifests.clear()
    result = held.audit()
    assert result.verdict == "UNKNOWN"
    assert "cannot be its own witness" in result.reason


@pytest.mark.parametrize("document", ["gone", "{}", "[]", ""])
def test_what_somebody_made_unreadable_stops_no_audit_and_publishes_nothing(proved: Any, document: str) -> None:
    proved.sql(f"UPDATE audits SET document = '{document}'")
    with pytest.raises(VerdictUnknown, match="has not been audited"):
        publish(proved.path, "customer_events", RUN, proved.publications)
    assert proved.audit().verdict == "PASSED"
    run_checks(proved.path, RUN)
    proved.sql(f"UPDATE manifests SET document = '{document}'")
    with pytest.raises(WarehouseDamaged, match="cannot be read"):
        publish(proved.path, "customer_events", RUN, proved.publications)
    assert proved.audit().verdict == "PASSED"


def test_a_schema_that_no_manifest_vouches_for_needs_the_registry(lab: Any) -> None:
    kafka_alone = Connection.of({"bootstrap_servers": "127.0.0.1:1"})
    assert lab.audit(connection=kafka_alone).verdict == "PASSED"
    for shard in (0, 1):
        used = lab.control.manifests[RUN, shard].schema_used
        lab.amend(shard, schema_used=used.model_copy(update={"fingerprint": None}))
    before = lab.sql("SELECT count(*) FROM audits")
    with pytest.raises(Misconfigured, match="no address of the Schema Registry is known") as refused:
        lab.audit(connection=kafka_alone)
    assert refused.value.exit_code == 78
    assert lab.sql("SELECT count(*) FROM audits") == before
