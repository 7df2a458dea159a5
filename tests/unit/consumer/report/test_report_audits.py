"""The page of a run that audits of pipelines judged: one verdict, each audit, and nothing in it is more than text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from consumer.report import find_report, list_reports, write_audits
from consumer.report.audits import AuditedRun
from consumer.report.facts import Facts
from schemas.incidents import Incident
from schemas.manifest import Manifest, RateWindow, SchemaUsed

RUN, TOPIC = "count_events/manual__1", "event-topic"
AUDIT = {
    "verdict": "PASSED",
    "reason": "All 10 events are there.",
    "at": "kafka:totals",
    "as_of": "2026-11-20T10:00",
    "acknowledged": 10,
    "expected": 10,
    "arrived": 10,
    "rows": 12,
    "foreign": 2,
    "seconds": 1.25,
    **dict.fromkeys(("lost", "duplicated", "phantom", "unexpected", "altered", "reordered"), 0),
    "identified": True,
    "ordered": False,
    "compared": None,
    "columns": {},
    "expectations": {"totals_by_name": 0},
}
HOSTILE = "<script>alert(1)</script>\u202e</title>{{7*7}}"


def manifest(**more: Any) -> Manifest:
    told = {
        "status": "finished",
        "run_id": RUN,
        "shard": 0,
        "shards": 1,
        "topic": TOPIC,
        "seed": 7,
        "scenario": "shop_events",
        "scenario_version": 1,
        "started_at": "2026-11-20T10:00:00+00:00",
        "schema_used": SchemaUsed(subject=f"{TOPIC}-value", version=1, id=3),
        "next_sequence": 10,
        "acknowledged": 10,
        "asked": 10,
        "ended_at": "2026-11-20T10:00:10+00:00",
        "rate_windows": [RateWindow(second=n, seconds=1, intended=1, achieved=1, delay_ms=5.0) for n in range(10)],
    }
    return Manifest.model_validate(told | more)


def facts(*manifests: Manifest, **more: Any) -> Facts:
    return Facts(RUN, TOPIC, audit=None, manifests=list(manifests), checks=[], **more)


def written(run: AuditedRun, folder: Path) -> tuple[str, dict[str, Any]]:
    result = write_audits(run, folder)
    assert find_report(folder, run.facts.run_id) == result.path
    return result.path.read_text(), json.loads(result.path.with_name("summary.json").read_text())


def test_the_page_has_verdict_figures_of_tasks_rates_and_is_in_the_list(tmp_path: Path) -> None:
    told = {"count": {"events": 10, "totals": {"view": 7, "buy": 3}, "rows": [{"category": 4, "clicks": 7}]}}
    page, summary = written(AuditedRun(facts(manifest()), {"totals": AUDIT}, told), tmp_path)
    assert "<h1>PASSED</h1>" in page
    assert "All 10 events are there." in page
    for shown in ("Audit of totals", "totals by name", "kafka:totals", "median second", "view", "category", "Flow"):
        assert shown in page, shown
    assert "Not published" not in page
    assert (summary["verdict"], summary["told"], summary["outcome"]["asked"]) == ("PASSED", told, 10)
    (entry,) = list_reports(tmp_path)
    assert (entry.run_id, entry.verdict, entry.events, entry.outcome["withheld"]) == (RUN, "PASSED", 10, "")


@pytest.mark.parametrize(
    ("verdicts", "whole", "sentence"),
    [
        (("PASSED", "PASSED", "PASSED"), "PASSED", "All 3 audits passed: a, b and c."),
        (("PASSED", "UNKNOWN", "PASSED"), "UNKNOWN", "B UNKNOWN: It is said why."),
        (("UNKNOWN", "PASSED", "FAILED"), "FAILED", "A UNKNOWN: It is said why. C FAILED: It is said why."),
        (("FAILED",), "FAILED", "It is said why."),
        ((), "UNKNOWN", "Nothing was audited, so nothing is proved."),
    ],
)
def test_the_worst_audit_decides(verdicts: tuple[str, ...], whole: str, sentence: str) -> None:
    audits = {
        name: {"verdict": verdict, "reason": "It is said why."} for name, verdict in zip("abc", verdicts, strict=False)
    }
    run = AuditedRun(facts(), audits)
    assert (run.verdict, run.reason) == (whole, sentence)


def test_what_was_not_looked_at_is_not_said_to_be_without_fault(tmp_path: Path) -> None:
    page, _ = written(AuditedRun(facts(), {"sink": AUDIT}), tmp_path)
    assert page.count(": not looked at") == 2  # neither values nor order
    totals = AUDIT | {"identified": False, "arrived": 0}
    page, _ = written(AuditedRun(facts(), {"totals": totals}), tmp_path)
    assert "Arrived" not in page
    assert "duplicated" not in page


def test_a_run_that_was_cut_short_says_so(tmp_path: Path) -> None:
    run = AuditedRun(facts(manifest(asked=20, interrupted=True)), {"sink": AUDIT})
    result = write_audits(run, tmp_path)
    assert result.shortfall.startswith("Cut short: 10 of 20 events asked for")
    assert "PASSED<small>, cut short</small>" in result.path.read_text()


def test_incidents_are_shown_with_what_they_did(tmp_path: Path) -> None:
    stopped = {"at_s": 4, "kind": "stop", "target": "broker 2", "for_s": 2.0, "began_s": 4.1, "ended_s": 6.1}
    run = AuditedRun(facts(manifest(), incidents=[Incident.model_validate(stopped)]), {"sink": AUDIT})
    page, summary = written(run, tmp_path)
    assert "4s: stop broker 2 for 2s" in page
    assert len(summary["incidents"]) == 1


def test_texts_from_outside_are_never_markup(tmp_path: Path) -> None:
    audit = AUDIT | {"reason": HOSTILE, "at": HOSTILE, "columns": {HOSTILE: 1}, "expectations": {HOSTILE: 1}}
    told = {HOSTILE: {HOSTILE: {HOSTILE: 1}, "list": [{HOSTILE: HOSTILE}], "text": HOSTILE}}
    page, _ = written(AuditedRun(facts(), {HOSTILE: audit, "b": AUDIT}, told), tmp_path)
    assert "<script" not in page
    assert "\u202e" not in page
    assert "</title>{{" not in page
    assert "{{7*7}}" in page


def test_tables_of_tasks_begin_with_what_names_a_row_and_places_are_not_amounts(tmp_path: Path) -> None:
    # A database that keeps JSON as it likes has changed the order of the names.
    told = {"journey": {"died": [3], "categories": [{"clicks": 9, "title": "news", "category_id": 4}]}}
    page, _ = written(AuditedRun(facts(), {"sink": AUDIT}, told), tmp_path)
    places = [page.index(f">{name}</th>") for name in ("title", "category id", "clicks")]
    assert places == sorted(places)
    assert "no. 3" in page
