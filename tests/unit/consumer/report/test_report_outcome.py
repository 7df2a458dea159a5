"""A run that was cut short never reads as a success, and the page says whether readers have the run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consumer.proof.checks import run_checks
from consumer.report import list_reports, write_report
from producer.plan.request import ProduceRequest

RUN = "rehearsal/one"
TOPIC = "customer_events"


def pages(lab: Any) -> tuple[str, dict[str, Any]]:
    lab.audit()
    result = write_report(lab.path, TOPIC, RUN, lab.publications)
    return result.path.read_text(), json.loads(result.path.with_name("summary.json").read_text())


def test_a_run_that_was_cut_short_says_so_in_its_head_and_gives_the_share_of_what_was_asked(lab: Any) -> None:
    for shard in (0, 1):
        lab.amend(shard, asked=1000, interrupted=shard == 1)
    page, summary = pages(lab)
    assert summary["verdict"] == "PASSED"
    assert "<title>PASSED, cut short" in page
    assert "PASSED<small>, cut short</small>" in page
    assert '<body class="short">' in page
    assert "Cut short: 600 of 1,000 events asked for, 60.00\u202f%." in page
    assert "of 1,000 asked" in page
    assert "It is 60.00\u202f% of the 1,000 events asked for." in page
    (entry,) = list_reports(lab.publications)
    assert (entry.outcome["asked"], entry.outcome["done"], entry.outcome["cut"]) == (1000, 600, True)


def test_a_shard_that_left_no_manifest_counts_as_cut(lab: Any) -> None:
    lab.amend(0, asked=600)
    lab.withdraw(1)
    page, _ = pages(lab)
    assert "Cut short: 300 of 600 events asked for, 50.00\u202f%." in page


def test_less_than_asked_is_told_without_a_cut_and_never_rounded_up(lab: Any) -> None:
    for shard in (0, 1):
        lab.amend(shard, asked=601)
    page, _ = pages(lab)
    assert "PASSED<small>, less than asked</small>" in page
    assert "600 of 601 events asked for, 99.83\u202f%." in page


def test_a_whole_run_and_one_that_nobody_says_the_size_of_read_as_before(lab: Any) -> None:
    page, summary = pages(lab)
    assert summary["outcome"]["asked"] is None
    assert "<h1>PASSED</h1>" in page
    for shard in (0, 1):
        lab.amend(shard, asked=600)
    page, _ = pages(lab)
    assert "<h1>PASSED</h1>" in page
    assert '<body class="passed">' in page
    assert "asked" not in page.partition("</dl>")[0]


def test_what_was_left_out_on_purpose_is_not_missing(lab: Any) -> None:
    for shard in (0, 1):
        lab.amend(shard, asked=604, next_sequence=302, dropped=2)
    _, summary = pages(lab)
    assert (summary["outcome"]["done"], summary["outcome"]["shortfall"]) == (604, "")


def test_the_page_says_whether_readers_have_the_run_and_why_not(lab: Any) -> None:
    page, _ = pages(lab)
    assert "Not published: the run was not checked." in page
    run_checks(lab.path, RUN)
    lab.sql("DELETE FROM events WHERE _offset = 5")
    page, _ = pages(lab)
    assert "Not published: the audit says FAILED." in page


@pytest.mark.parametrize(
    ("asked_for", "events"),
    [
        ({"events": 40_000, "seconds": 600}, 40_000),
        ({"rate": 200, "seconds": 30}, 6000),
        ({"shape": "ramp(0, 100, 10s)"}, 500),
        ({"seconds": 30}, None),
        ({"scenario": "clickstream", "options": {"users": 10}, "rate": 100, "seconds": 30}, None),
    ],
    ids=str,
)
def test_a_request_says_how_many_events_the_whole_run_is_asked_for(asked_for: Any, events: int | None) -> None:
    request = ProduceRequest(topic=TOPIC, run_id=RUN, shards=3, **asked_for)
    assert request.plan.asked == events
