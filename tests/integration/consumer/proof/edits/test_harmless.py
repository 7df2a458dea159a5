"""What somebody does by hand and changes nothing of meaning leaves every verdict as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from consumer.proof.audit import audit
from consumer.proof.checks import run_checks
from consumer.publish.publish import publish
from consumer.verify import verify_publication, verify_warehouse
from tests.integration.consumer.proof.edits.conftest import Delivered
from tests.integration.consumer.proof.edits.kinds import HARMLESS
from tests.integration.consumer.proof.edits.places import FAULTED, PLAIN, draw
from tests.kit.depth import EDIT_STRIDE

pytestmark = pytest.mark.usefixtures("_kafka_asked_once")


@pytest.mark.parametrize("change", [*HARMLESS][::EDIT_STRIDE])  # the others together, below
def test_what_means_nothing_changes_no_verdict(made: Delivered, own: Delivered, change: str) -> None:
    own.sql(HARMLESS[change].format(**draw(made.warehouse, PLAIN, 0)))
    found = verify_warehouse(own.warehouse)
    assert found.verdict == "PASSED", found.reason
    said = audit(own.connection, own.warehouse, own.topic, PLAIN)
    assert said.verdict == "PASSED", said.reason


def test_a_run_is_published_again_after_an_edit_that_means_nothing(made: Delivered, own: Delivered) -> None:
    for change in HARMLESS.values():
        own.sql(change.format(**draw(made.warehouse, FAULTED, 0)))
    for run_id in (PLAIN, FAULTED):
        assert audit(own.connection, own.warehouse, own.topic, run_id).verdict == "PASSED"
        assert not run_checks(own.warehouse, run_id, topic=own.topic).blocked_by
        publish(own.warehouse, own.topic, run_id, own.publications)
    assert verify_warehouse(own.warehouse).verdict == "PASSED"
    assert verify_publication(own.published, own.warehouse).verdict == "PASSED"


def test_a_table_of_ones_own_does_not_change_an_audit_and_is_named_by_verify(own: Delivered) -> None:
    own.sql("CREATE TABLE notes (text VARCHAR); CREATE VIEW shown AS FROM events")
    assert audit(own.connection, own.warehouse, own.topic, PLAIN).verdict == "PASSED"
    found = verify_warehouse(own.warehouse)
    assert [proof.name for proof in found.proofs if proof.verdict != "PASSED"] == ["names"]
    assert found.proofs[0].faults == ["the table notes is not ours", "the view shown is not ours"]


def test_a_file_and_a_snapshot_that_were_moved_are_proved_where_they_lie(own: Delivered, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    warehouse = Path(shutil.move(own.warehouse, elsewhere / "w.duckdb"))
    snapshot = Path(shutil.move(own.snapshot, elsewhere / own.snapshot.name))
    assert verify_warehouse(warehouse).verdict == "PASSED"
    assert verify_publication(snapshot, warehouse).verdict == "PASSED"
