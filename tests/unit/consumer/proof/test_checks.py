"""Each check passes on good data, and fails on data that breaks what it promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import Misconfigured
from consumer.proof.checks import CheckReport, CheckResult, checks_of, load_checks, run_checks
from consumer.proof.packs import RunPack
from schemas.identity import event_id
from schemas.packs import find_pack
from tests.kit import ROOT

RUN = "rehearsal/one"
ALL = checks_of(RunPack("customer_events", find_pack("customer_events")))
ONE = f"event_id = '{event_id(RUN, 0, 7)}'"
PLAY = "event_id = (SELECT event_id FROM events WHERE details.play_duration > 0 ORDER BY event_id LIMIT 1)"


def update(column: str, value: str, where: str = PLAY) -> str:
    return f"UPDATE events SET {column} = {value} WHERE {where}"


def field(struct: str, name: str, value: str) -> str:
    return update(struct, f"struct_update({struct}, {name} := {value})")


def later(start: str, end: str) -> str:
    """Put a second batch into the ledger of partition 0."""
    return f"""
        INSERT INTO load_batches
        SELECT * REPLACE (2 AS batch, {start} AS start_offset, {end} AS end_offset)
        FROM load_batches WHERE partition = 0
    """


# check -> statements that break it, one set after another.
BREAKS: dict[str, list[list[str]]] = {
    "volume_per_shard": [
        [f"DELETE FROM events WHERE {ONE}"],
        ["DELETE FROM events WHERE event_shard(event_id) = 1"],
        [f"INSERT INTO events SELECT * REPLACE ('{event_id(RUN, 0, 999)}' AS event_id) FROM events LIMIT 1"],
        ["DELETE FROM manifests WHERE shard = 1"],
    ],
    "duplicate_identities": [[f"INSERT INTO events SELECT * FROM events WHERE {ONE}"]],
    "offset_continuity": [
        ["UPDATE load_batches SET end_offset = end_offset - 3 WHERE partition = 1"],
        [
            later("end_offset + 2", "end_offset + 4"),
            "UPDATE load_offsets SET next_offset = next_offset + 4 WHERE partition = 0",
        ],
        [
            later("end_offset - 2", "end_offset"),
        ],
        ["DELETE FROM load_offsets WHERE partition = 2"],
    ],
    "ledger_counts": [
        [f"DELETE FROM events WHERE {ONE}"],
        ["UPDATE load_batches SET tombstones = 1 WHERE partition = 0"],
        ["INSERT INTO quarantine VALUES (0, 9999, NULL, NULL, '', NULL, NULL, 'frame', 'empty', 'x', 0, 1, NULL)"],
        ["DELETE FROM load_batches WHERE partition = 0"],
    ],
    "one_row_per_offset": [[f"INSERT INTO events SELECT * FROM events WHERE {ONE}"]],
    "required_fields": [
        [update(column, value, ONE)]
        for column, value in (
            ("user_id", "NULL"),
            ("user_id", "''"),
            ("session_id", "NULL"),
            ("event_type", "''"),
            ("timestamp", "NULL"),
        )
    ],
    "null_shares": [
        [update("content", "NULL")],
        [update("details", "NULL")],
        ["UPDATE events SET event_type = 'search' WHERE " + PLAY],
    ],
    "event_mix": [
        [update("event_type", "'swim'", ONE)],
        [update("event_type", "NULL", ONE)],
        [update("event_type", "'browse'", "event_type = 'search'")],
    ],
    "play_figures": [
        [field("details", "play_duration", "-1")],
        [field("details", "play_duration", "content.duration + 1")],
        [field("details", "play_percentage", "100.5")],
        [field("details", "play_percentage", "details.play_percentage - 0.5")],
        [field("details", "completed", "NOT details.completed")],
        [field("details", "buffering_incidents", "-1")],
    ],
    "time_sanity": [[update("timestamp", "_timestamp + INTERVAL 2 SECONDS", ONE)]],
    "subscription_sanity": [[field("subscription", "start_date", "DATE '2027-01-01'")]],
    "one_partition_per_key": [[update("_partition", "1 - _partition % 2", ONE)]],
    "freshness": [
        ["UPDATE load_batches SET loaded_at = loaded_at + INTERVAL 2 HOURS"],
        ["DELETE FROM events"],
    ],
    "quarantine_empty": [
        ["INSERT INTO quarantine VALUES (0, 9999, NULL, NULL, '', NULL, NULL, 'frame', 'empty', 'x', 0, 1, NULL)"],
    ],
}


@pytest.fixture
def checked(new_lab: Callable[..., Any]) -> Any:
    """A run large enough for every check, with its manifests kept."""
    lab = new_lab(events=600)
    lab.bring_to("checked", lab.audit)
    return lab


def result_of(report: CheckReport, name: str) -> CheckResult:
    return next(result for result in report.results if result.check == name)


def test_good_data_passes_every_check(checked: Any) -> None:
    report = run_checks(checked.path, RUN)
    assert [result for result in report.results if result.passed is not True] == []
    assert {result.check for result in report.results} == {check.name for check in ALL}
    assert report.blocked_by == []


def test_each_check_is_shown_to_fail() -> None:
    assert set(BREAKS) == {check.name for check in ALL}


@pytest.mark.parametrize(
    ("name", "statements"),
    [(name, statements) for name, sets in BREAKS.items() for statements in sets],
    ids=[f"{name}-{number}" for name, sets in BREAKS.items() for number, _ in enumerate(sets)],
)
def test_a_check_fails_on_what_it_forbids(checked: Any, name: str, statements: list[str]) -> None:
    checked.sql(*statements)
    check = next(check for check in ALL if check.name == name)
    result = run_checks(checked.path, RUN, checks=[check]).results[0]
    assert result.passed is False, result
    assert result.offending > 0
    assert result.detail
    assert not result.detail.startswith("cannot be evaluated")


def test_results_are_kept_with_the_audit_that_they_follow(checked: Any) -> None:
    checked.sql(f"DELETE FROM events WHERE {ONE}")
    report = run_checks(checked.path, RUN)
    kept = checked.sql("SELECT check_name, severity, passed, offending FROM check_results")
    assert sorted(kept) == sorted((r.check, r.severity, r.passed, r.offending) for r in report.results)
    assert checked.sql("SELECT count(DISTINCT r.audit_id) FROM check_results r JOIN audits USING (audit_id)") == [(1,)]


def test_a_topic_with_other_columns_is_not_judged_by_ours(checked: Any) -> None:
    checked.sql("ALTER TABLE events DROP details", "ALTER TABLE events DROP content")
    report = run_checks(checked.path, RUN)
    result = result_of(report, "play_figures")
    assert (result.passed, result.offending) == (None, 0)
    assert result.detail.startswith("not applicable: no column events.content.duration")
    assert result_of(report, "volume_per_shard").passed is True
    assert report.blocked_by == []
    assert (None,) in checked.sql("SELECT passed FROM check_results WHERE check_name = 'play_figures'")


def test_a_topic_without_runs_is_still_checked(lab: Any) -> None:
    report = run_checks(lab.path)
    assert report.run_id is None
    assert result_of(report, "volume_per_shard").passed is None
    assert result_of(report, "offset_continuity").passed is True


def write(folder: Path, text: str) -> Path:
    (folder / "mine.sql").write_text(text)
    return folder


def test_a_new_file_is_a_new_check(checked: Any, tmp_path: Path) -> None:
    folder = tmp_path / "checks"
    folder.mkdir()
    write(folder, "-- severity: warning\n-- description: Never.\nSELECT 3 AS offending, 'three' AS detail")
    assert run_checks(checked.path, checks=load_checks(folder)).results == [
        CheckResult("mine", "warning", "Never.", False, 3, "three")
    ]


def test_a_check_that_cannot_be_evaluated_has_not_passed(checked: Any, tmp_path: Path) -> None:
    write(tmp_path, "-- severity: blocking\n-- description: Never.\nSELECT nope FROM nowhere")
    report = run_checks(checked.path, checks=load_checks(tmp_path))
    assert report.results[0].passed is False
    assert report.results[0].detail.startswith("cannot be evaluated")
    assert report.blocked_by == report.results


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "-- severity: fatal\n-- description: x\nSELECT 1",
        "-- severity: warning\nSELECT 1",
        "-- severity: warning\n-- description: x\n-- needs: luck\nSELECT 1",
    ],
)
def test_an_incomplete_header_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Misconfigured, match=r"mine\.sql"):
        load_checks(write(tmp_path, text))


GUIDE = ROOT / "docs" / "checks.md"


def test_the_guide_lists_every_check_with_its_severity() -> None:
    text = GUIDE.read_text()
    for check in ALL:
        assert f"| `{check.name}` | {check.severity} |" in text, check.name
    assert text.count("| blocking |") + text.count("| warning |") == len(ALL)


def test_the_example_of_the_guide_is_a_check(checked: Any, tmp_path: Path) -> None:
    example = GUIDE.read_text().split("```sql\n")[1].split("```")[0]
    report = run_checks(checked.path, RUN, checks=load_checks(write(tmp_path, example)))
    assert report.results[0].passed is False, "all events of the lab are in one city"
    assert report.results[0].detail == "Berlin has 1200 of 1200"
