"""The page of a run never claims more than the newest: whoever finds something out about it writes its page again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import StoreFull
from consumer import report as report_module
from consumer.proof.checks import run_checks
from consumer.report import list_reports, page_kept, write_report
from schemas.identity import event_id
from streamproof.cli import run

RUN = "rehearsal/one"
TOPIC = "customer_events"
NOWHERE = ["--bootstrap-servers", "127.0.0.1:9", "--registry-url", "http://127.0.0.1:9"]
LOST = f"'{event_id(RUN, 1, 123)}'"


@pytest.fixture
def shown(audited: Any) -> Any:
    """A run that was audited and has a page."""
    audited.bring_to("shown", lambda: write_report(audited.path, TOPIC, RUN, audited.publications))
    return audited


def told(lab: Any) -> dict[str, Any]:
    """What the list says, beside what the page says."""
    (entry,) = list_reports(lab.publications)
    summary: dict[str, Any] = json.loads(entry.path.with_name("summary.json").read_text())
    page = entry.path.read_text()
    assert entry.verdict == summary["verdict"]
    assert f"<h1>{entry.verdict}" in page
    return summary | {"outdated": entry.outdated, "page": page}


def command(lab: Any, name: str, *more: str) -> int:
    place = ["--warehouse", str(lab.path), "--publications", str(lab.publications), "--run-id", RUN]
    return run([name, TOPIC, *place, *more])


def test_an_audit_alone_brings_the_page_up_to_date_in_both_directions(shown: Any) -> None:
    shown.sql("CREATE TABLE away AS SELECT * FROM events LIMIT 0")
    shown.sql(f"INSERT INTO away SELECT * FROM events WHERE event_id = {LOST}")
    shown.sql(f"DELETE FROM events WHERE event_id = {LOST}")
    assert command(shown, "audit", *NOWHERE) == 65
    assert (told(shown)["verdict"], told(shown)["outcome"]["withheld"]) == ("FAILED", "the audit says FAILED")
    shown.sql("INSERT INTO events SELECT * FROM away", "DROP TABLE away")
    assert command(shown, "audit", *NOWHERE) == 0
    assert told(shown)["verdict"] == "PASSED"


def test_checks_alone_and_a_publication_alone_bring_the_page_up_to_date(shown: Any) -> None:
    assert told(shown)["outcome"]["publication"] == "Not published: the run was not checked."
    assert command(shown, "check") == 0
    assert "✓ passed" in told(shown)["page"]
    assert told(shown)["outcome"]["publication"] == "Not published: `publish` has not run since the checks."
    assert command(shown, "publish") == 0
    assert told(shown)["outcome"]["publication"].startswith("Published 2")
    shown.sql(f"DELETE FROM events WHERE event_id = {LOST}")
    assert command(shown, "check") == 65
    assert "not again: blocking checks failed: ledger_counts, volume" in told(shown)["outcome"]["publication"]


def test_a_run_that_nobody_named_has_its_page_brought_up_to_date_too(shown: Any) -> None:
    assert run(["check", TOPIC, "--warehouse", str(shown.path), "--publications", str(shown.publications)]) == 0
    assert "✓ passed" in told(shown)["page"]


def test_a_run_without_a_page_gets_none(lab: Any) -> None:
    assert command(lab, "audit", *NOWHERE) == 0
    assert list_reports(lab.publications) == []


def test_a_page_that_cannot_be_written_is_marked_as_outdated_and_the_work_stays_done(
    shown: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:

    def full(*_: Any) -> None:
        raise StoreFull("the report cannot be written")

    monkeypatch.setattr(report_module, "_replace", full)
    with page_kept(shown.path, TOPIC, RUN, shown.publications):
        run_checks(shown.path, RUN)
    assert "outdated, and cannot be written again" in caplog.text
    assert told(shown)["outdated"]
    monkeypatch.undo()
    write_report(shown.path, TOPIC, RUN, shown.publications)
    assert not told(shown)["outdated"]


def test_a_page_stays_outdated_when_who_found_something_out_is_killed_before_it_is_written(shown: Any) -> None:
    script = (
        "import os; from pathlib import Path; from consumer.report import page_kept\n"
        f"with page_kept(Path({str(shown.path)!r}), {TOPIC!r}, {RUN!r}, Path({str(shown.publications)!r})): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert told(shown)["outdated"]
    write_report(shown.path, TOPIC, RUN, shown.publications)
    assert not told(shown)["outdated"]


def test_a_page_written_in_between_does_not_hide_that_somebody_is_still_at_it(shown: Any) -> None:
    with page_kept(shown.path, TOPIC, RUN, shown.publications):
        write_report(shown.path, TOPIC, RUN, shown.publications)
        assert told(shown)["outdated"]
    assert not told(shown)["outdated"]
    assert not list(Path(shown.publications).rglob("outdated-*"))
