"""What a killed attempt took with it is named in the manifest, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from producer.resume.resume import Landed, rate_gaps
from producer.send.meter import MAX_WINDOWS, RateMeter
from producer.shapes import Schedule, ShardSchedule, parse
from schemas.manifest import Manifest, RateGap, RateWindow, SchemaUsed


def schedule() -> Schedule:
    return ShardSchedule(parse("constant(100, 60s)").schedule(1), 0, 1)


def landed(events: int) -> Landed:
    return Landed(np.ones(events, dtype=np.bool_), np.zeros(events, dtype=np.int64))


def earlier(status: str, **told: Any) -> Manifest:
    return Manifest.model_validate(
        {
            "status": status,
            "run_id": "r",
            "shard": 0,
            "shards": 1,
            "topic": "t",
            "scenario": "customer_events",
            "scenario_version": 1,
            "seed": 1,
            "schema_used": SchemaUsed(subject="t-value", version=1, id=1),
            "started_at": "2026-01-02T03:04:05+00:00",
            **told,
        }
    )


def test_a_first_attempt_has_no_gap() -> None:
    assert rate_gaps(None, Landed.nothing(), schedule()) == []


def test_an_attempt_that_was_killed_leaves_a_gap_as_long_as_the_schedule_of_its_events() -> None:
    assert rate_gaps(earlier("running"), landed(350), schedule()) == [RateGap(second=0, seconds=4, events=350)]


def test_an_attempt_that_was_killed_before_anything_landed_leaves_none() -> None:
    assert rate_gaps(earlier("running"), Landed.nothing(), schedule()) == []


def test_the_gap_begins_where_the_windows_of_an_attempt_that_ended_in_order_do() -> None:
    windows = [RateWindow(second=second, intended=100, achieved=100) for second in range(2)]
    before = earlier("running", next_sequence=200, acknowledged=200, rate_windows=windows)
    assert rate_gaps(before, landed(320), schedule()) == [RateGap(second=2, seconds=2, events=120)]


def test_slots_that_were_skipped_count_as_time_that_passed() -> None:
    before = earlier("running", next_sequence=200, acknowledged=200, skipped=100)
    assert rate_gaps(before, landed(320), schedule()) == [RateGap(second=0, seconds=2, events=120)]


def test_a_run_that_is_killed_at_its_very_end_has_a_gap_of_finite_length() -> None:
    assert rate_gaps(earlier("running"), landed(6000), schedule()) == [RateGap(second=0, seconds=60, events=6000)]


def test_without_a_schedule_nobody_knows_how_long_it_was() -> None:
    assert rate_gaps(earlier("running"), landed(350), None) == [RateGap(second=0, seconds=0, events=350)]


@pytest.mark.parametrize("status", ["running", "finished"])
def test_an_earlier_gap_is_kept_by_whatever_follows(status: str) -> None:
    gap = RateGap(second=0, seconds=4, events=350)
    windows = [RateWindow(second=4, intended=50, achieved=50)]
    before = earlier(status, next_sequence=400, acknowledged=400, rate_windows=windows, rate_gaps=[gap])
    assert rate_gaps(before, landed(400), schedule()) == [gap]


def test_windows_are_numbered_on_behind_the_gap() -> None:
    meter = RateMeter(lambda elapsed_s: 100 * int(elapsed_s))
    meter.observe(0.5, 40, sent=40)
    windows = meter.windows([RateWindow(second=0, intended=1, achieved=1)], [RateGap(second=1, seconds=3, events=9)])
    assert [window.second for window in windows] == [0, 4]


def test_windows_on_both_sides_of_a_gap_are_never_joined() -> None:
    before = [RateWindow(second=second, intended=1, achieved=1) for second in range(MAX_WINDOWS + 1)]
    gap = RateGap(second=MAX_WINDOWS + 1, seconds=1000, events=5)
    meter = RateMeter(int)
    meter.observe(0.5, 1, sent=1)
    windows = meter.windows(before, [gap])
    assert len(windows) <= MAX_WINDOWS
    assert [window.second for window in windows if window.second >= gap.second] == [gap.end]
    assert sum(window.seconds for window in windows) == MAX_WINDOWS + 2
