"""`verify` agrees with the audit, and answers for any file: what cannot be read is said, and is never an end."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import duckdb
import pytest

from cluster.errors import VerdictUnknown
from consumer.publish.publish import publish
from consumer.sinks.duckdb.warehouse import open_as_it_is
from consumer.verify import Proof, Verification, verify_publication, verify_warehouse
from consumer.verify.manifests import prove_manifests
from consumer.verify.proof import NOTHING

audit_module = importlib.import_module("consumer.proof.audit")

RUN = "rehearsal/one"
TOPIC = "customer_events"


def proof(found: Verification, name: str) -> Proof:
    return next(each for each in found.proofs if each.name == name)


def verdicts(lab: Any) -> Proof:
    return proof(verify_warehouse(lab.path), "verdicts")


def test_a_run_that_only_the_file_tells_of_is_judged_as_the_audit_judged_it(proved: Any) -> None:
    proved.control.manifests.clear()
    assert proved.audit().verdict == "UNKNOWN"
    found = verdicts(proved)
    assert (found.verdict, found.notes) == ("PASSED", [f"run {RUN} is UNKNOWN, as its audit says"])
    with open_as_it_is(proved.path) as warehouse:
        manifests = prove_manifests(warehouse, proved.control)
    assert manifests.verdict == "UNKNOWN"
    assert "has no manifest of run rehearsal/one shard 0" in manifests.unknown[0]


def test_a_run_that_went_on_is_unknown_and_a_manifest_that_was_changed_fails(proved: Any) -> None:
    proved.amend(0, resumed=1)
    with open_as_it_is(proved.path) as warehouse:
        found = prove_manifests(warehouse, proved.control)
        assert (found.verdict, found.unknown) == (
            "UNKNOWN",
            [f"run {RUN} shard 0 went on since it was audited: audit it again"],
        )
        proved.amend(0, resumed=0, seed=8)
        found = prove_manifests(warehouse, proved.control)
    assert (found.verdict, found.faults) == ("FAILED", [f"the control topic says another seed of run {RUN} shard 0"])


def test_a_text_that_the_registry_vouched_for_gives_the_same_sentence(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shard in (0, 1):
        used = lab.control.manifests[RUN, shard].schema_used
        lab.amend(shard, schema_used=used.model_copy(update={"fingerprint": None}))
    for silent in ([], [1]):
        monkeypatch.setattr(audit_module, "against_registry", Mock(return_value=([], silent)))
        assert lab.audit().verdict == "PASSED"
        assert verdicts(lab).verdict == "PASSED"


def test_a_run_whose_claims_cannot_be_is_no_contradiction(proved: Any) -> None:
    forged = proved.control.manifests[RUN, 0].model_copy(
        update={"run_id": "forged", "shards": 1, "started_at": "yesterday"}
    )
    proved.claim(forged)
    assert proved.audit("forged").verdict == "UNKNOWN"
    assert verdicts(proved).verdict == "PASSED"
    proved.sql("UPDATE audits SET verdict = 'PASSED' WHERE run_id = 'forged'")
    assert "audits: run forged has no manifest" in verdicts(proved).faults


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ('"lost": 0', '"lost": "none"'),
        ('"loaded": 600', '"loaded": null'),
        ('"partitions": [', '"partitions": [1, '),
        ('"bound": ', '"other": '),
        ('"reason": ', '"other": '),
    ],
)
def test_the_record_of_an_audit_that_is_not_whole_is_named_and_is_none_to_publish(
    proved: Any, there: str, instead: str
) -> None:
    proved.sql(f"UPDATE audits SET document = replace(document, '{there}', '{instead}')")
    assert f"run {RUN}: the document of its latest audit cannot be read whole" in verdicts(proved).faults
    with pytest.raises(VerdictUnknown, match="has not been audited"):
        publish(proved.path, TOPIC, RUN, proved.publications)
    assert proved.audit().verdict == "PASSED"


def test_an_unreadable_record_of_another_run_does_not_stop_a_publication(proved: Any) -> None:
    proved.sql(
        "INSERT INTO audits SELECT number + 1, 'x', 'other', audited_at, batch, verdict, '{' FROM audits",
        "INSERT INTO audits SELECT number + 2, 'y', 'another', audited_at, batch, verdict, document FROM audits "
        "WHERE audit_id <> 'x'",
    )
    publication = publish(proved.path, TOPIC, RUN, proved.publications)
    with duckdb.connect(str(publication.database), read_only=True) as reader:
        rows = reader.execute("SELECT run_id, verdict, reason FROM runs").fetchall()
    assert [row[0] for row in rows] == ["another", "other", RUN]
    assert rows[1][1:] == ("UNKNOWN", "The record of its audit cannot be read: audit it again.")


@pytest.mark.parametrize(
    "edit",
    [
        "ALTER TABLE runs DROP COLUMN loaded",
        "ALTER TABLE runs DROP COLUMN lost",
        "ALTER TABLE runs ALTER loaded TYPE VARCHAR",
        "UPDATE runs SET loaded = NULL",
        "UPDATE runs SET run_id = NULL",
        "DELETE FROM publication",
        "ALTER TABLE publication DROP COLUMN topic",
        "UPDATE publication SET rows = NULL",
        "UPDATE publication SET published_at = NULL",
        "ALTER TABLE files DROP COLUMN sha256",
        "UPDATE files SET rows = NULL",
    ],
)
def test_a_publication_that_cannot_be_read_as_it_should_is_never_passed_and_never_an_end(
    published: Any, edit: str
) -> None:
    snapshot = (Path(published.publications) / TOPIC / "current").resolve()
    database = snapshot / "snapshot.duckdb"
    database.chmod(0o644)
    with duckdb.connect(str(database)) as connection:
        connection.execute(edit)
    for warehouse in (None, published.path):
        assert verify_publication(snapshot, warehouse).verdict in {"FAILED", "UNKNOWN"}


@pytest.mark.parametrize(
    "text", [json.dumps({"type": "record", "name": "Empty", "fields": []}), "[" * 5000], ids=["no fields", "too deep"]
)
def test_a_kept_text_that_no_table_can_hold_is_a_contradiction(proved: Any, text: str) -> None:
    proved.sql(f"UPDATE schema_versions SET schema = '{text}'")
    assert proved.audit().verdict == "FAILED"
    found = verify_warehouse(proved.path)
    assert (proof(found, "schemas").verdict, found.verdict) == ("FAILED", "FAILED")


def test_a_sentence_that_says_passed_says_what_was_not_looked_at() -> None:
    proofs = [Proof.of("ledger", "it holds", "3 rows"), Proof.of("sizes", "it counts", NOTHING, notes=["no schema"])]
    found = Verification(Path("file"), "warehouse", "itself", proofs)
    assert found.reason == "Every proof of the warehouse holds: ledger; not looked at: sizes (no schema)."
