"""What is newest is a running number, not a clock: a clock that was set back hides nothing."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cluster.errors import VerdictFailed
from consumer.proof.checks import latest_results, run_checks
from consumer.proof.kept_audits import latest_audit
from consumer.proof.run_scope import known_runs
from consumer.publish.publish import publish
from consumer.report import write_report
from consumer.report.examination import examine_run, latest_realism
from schemas.identity import event_id

RUN = "rehearsal/one"
TOPIC = "customer_events"
CLOCKS = (
    "consumer.proof.audit",
    "consumer.proof.checks",
    "consumer.publish.publish",
    "consumer.proof.kept_manifests",
    "consumer.report.examination",
)


class TwoDaysBack(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz or UTC) - timedelta(days=2)


@pytest.fixture
def set_the_clock_back(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_back() -> None:
        for name in CLOCKS:
            monkeypatch.setattr(importlib.import_module(name), "datetime", TwoDaysBack)

    return set_back


def publish_it(lab: Any, run_id: str = RUN) -> Any:
    return publish(lab.path, TOPIC, run_id, lab.publications)


def test_a_newer_failed_audit_counts_although_its_clock_is_behind(published: Any, set_the_clock_back: Any) -> None:
    set_the_clock_back()
    published.sql(f"DELETE FROM events WHERE event_id = '{event_id(RUN, 0, 7)}'")
    failed = published.audit()
    assert failed.verdict == "FAILED"
    with published.open() as warehouse:
        assert latest_audit(warehouse, RUN)["audit_id"] == failed.audit_id
    assert write_report(published.path, TOPIC, RUN, published.publications).verdict == "FAILED"
    with pytest.raises(VerdictFailed, match="the audit says FAILED"):
        publish_it(published)


def test_the_ledger_of_a_snapshot_has_the_newest_verdict(joined: Any, set_the_clock_back: Any) -> None:
    other = "rehearsal/two"
    joined.store(f"DELETE FROM events WHERE event_id = '{event_id(RUN, 0, 7)}'")
    set_the_clock_back()
    assert joined.audit(RUN).verdict == "FAILED"
    snapshot = publish_it(joined, other)
    with duckdb.connect(str(snapshot.database), read_only=True) as reader:
        said = reader.execute("SELECT run_id, verdict, published FROM runs ORDER BY run_id").fetchall()
    assert said == [(RUN, "FAILED", False), (other, "PASSED", True)]


def test_newer_failed_checks_count_although_their_clock_is_behind(proved: Any, set_the_clock_back: Any) -> None:
    # Sent so: an edit would be found by the bytes, before any check.
    proved.send("UPDATE events SET user_id = '' WHERE event_id = (SELECT min(event_id) FROM events)")
    set_the_clock_back()
    assert proved.audit().verdict == "PASSED"
    blocked = {result.check for result in run_checks(proved.path, RUN).blocked_by}
    assert blocked == {"required_fields"}
    with proved.open() as warehouse:
        assert {result.check for result in latest_results(warehouse, RUN) if result.passed is False} >= blocked
    with pytest.raises(VerdictFailed, match="required_fields"):
        publish_it(proved)


def test_the_newest_examination_counts(proved: Any, set_the_clock_back: Any) -> None:
    examine_run(proved.path, TOPIC, RUN, lambda *_: {"said": "before"})
    set_the_clock_back()
    examine_run(proved.path, TOPIC, RUN, lambda *_: {"said": "after"})
    with proved.open() as warehouse:
        assert latest_realism(warehouse, RUN)["said"] == "after"  # type: ignore[index]


def test_the_latest_run_is_the_one_that_came_last_whatever_it_says_about_its_time(audited: Any) -> None:
    for run_id, started in (("early clock", "1999-01-01T00:00:00+00:00"), ("late clock", "2099-01-01T00:00:00+00:00")):
        audited.claim(audited.control.manifests[RUN, 0].model_copy(update={"run_id": run_id, "started_at": started}))
        audited.audit(run_id)
    audited.claim(
        audited.control.manifests[RUN, 0].model_copy(
            update={"run_id": "last", "started_at": "1990-01-01T00:00:00+00:00"}
        )
    )
    audited.audit(None)
    with audited.open() as warehouse:
        assert [run.run_id for run in known_runs(warehouse)] == ["last", "late clock", "early clock", RUN]


def test_the_newest_publications_are_kept_although_their_names_are_earlier(
    proved: Any, set_the_clock_back: Any
) -> None:
    before = [publish_it(proved).path for _ in range(3)]
    set_the_clock_back()
    after = [publish_it(proved).path for _ in range(2)]
    kept = set((Path(proved.publications) / TOPIC / "snapshots").iterdir())
    assert kept == {before[-1], *after}


def test_events_that_were_loaded_under_an_earlier_clock_are_newer_than_the_audit(proved: Any) -> None:
    proved.sql(
        "INSERT INTO load_batches "
        "SELECT * REPLACE (2 AS batch, loaded_at - INTERVAL 9 DAY AS loaded_at) FROM load_batches",
        f"UPDATE events SET _batch = 2 WHERE event_id = '{event_id(RUN, 0, 7)}'",
    )
    with pytest.raises(Exception, match="loaded after its audit"):
        publish_it(proved)
