"""Recorded events are due when they happened, on one clock, and each count agrees with each moment."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.send.pacing import Pacer
from producer.shapes.recorded import Clock, RecordedSchedule

BASE = 1_506_825_423_000


def times(*offsets_ms: int) -> np.ndarray:
    return np.array(offsets_ms, dtype=np.int64) + BASE


def test_an_event_is_due_when_it_happened_so_many_times_as_fast():
    found = RecordedSchedule(times(0, 60_000, 90_000), Clock.of([times(0, 60_000, 90_000)], speed=60))
    assert [found.at(n) for n in range(4)] == [0, 1, 1.5, math.inf]
    assert (found.planned, found.duration_s, found.due(0.999), found.due(1.0), found.before(1.0)) == (3, 1.5, 1, 2, 1)


def test_two_feeds_count_from_the_earliest_of_both_and_interleave_as_they_did():
    clicks, articles = times(5_000, 8_000), times(6_000, 7_000)
    clock = Clock.of([clicks, articles], speed=1)
    due = [
        (RecordedSchedule(feed, clock).at(n), name) for name, feed in (("c", clicks), ("a", articles)) for n in (0, 1)
    ]
    assert sorted(due) == [(0, "c"), (1, "a"), (2, "a"), (3, "c")]


def test_a_long_gap_is_cut_only_where_nothing_of_any_feed_happened():
    clicks, articles = times(0, 3_600_000, 7_200_000), times(1_800_000)
    clock = Clock.of([clicks, articles], speed=1, longest_gap_s=10)
    assert [RecordedSchedule(clicks, clock).at(n) for n in range(3)] == [0, 20, 30]
    assert RecordedSchedule(articles, clock).at(0) == 10
    assert [RecordedSchedule(clicks, clock).due(second) for second in (9, 19.999, 20, 29.5, 30)] == [1, 1, 2, 2, 3]


def test_what_was_before_the_clock_is_due_at_once():
    archive = times(-9_000_000, -8_000_000, 5_000)
    for gap in (None, 60.0):
        clock = Clock.of([archive], speed=1, begin_ms=BASE, longest_gap_s=gap)
        found = RecordedSchedule(archive, clock)
        assert [found.at(n) for n in range(3)] == [0, 0, 5]
        assert (found.before(0.0), found.before(0.001), found.due(0.0), found.due(4.9)) == (0, 2, 2, 2)


def test_no_event_has_no_clock():
    for gap in (None, 10.0):
        with pytest.raises(ValueError, match="no event"):
            Clock.of([times()], speed=1, longest_gap_s=gap)


OFFSETS = st.lists(st.integers(0, 10_000_000), min_size=1, max_size=40)


@given(
    OFFSETS,
    st.sampled_from([0.1, 1.0, 3.0, 7.3, 60.0, 1e4]),
    st.sampled_from([None, 0.001, 0.5, 100.0]),
    st.one_of(st.none(), st.integers(0, 10_000_000)),
)
def test_every_count_agrees_with_the_moments(offsets, speed, gap, begin):
    begin_ms = None if begin is None else begin + BASE
    mine = np.maximum.accumulate(times(*offsets))
    clock = Clock.of([times(*offsets)[:3], times(*offsets)[3:]], speed=speed, longest_gap_s=gap, begin_ms=begin_ms)
    found = RecordedSchedule(mine, clock)
    at = [found.at(n) for n in range(found.planned)]
    assert at == sorted(at)
    assert begin is not None or min(clock.offsets_ms(times(*offsets))) == 0
    moments = {second for each in at for second in (each, np.nextafter(each, 0), each + 1e-3, each / 2)}
    for second in moments:
        assert found.due(second) == sum(each <= second for each in at)
        assert found.before(second) == sum(each < second - 1e-9 for each in at)
    if gap is not None:
        steps = np.diff(np.unique(clock.offsets_ms(times(*offsets))))
        assert all(steps <= max(1, round(gap * 1000)))


def test_a_replay_that_goes_on_later_waits_for_what_is_not_due_yet():
    now = [50.0]
    feed = times(0, 1_000, 9_000)
    pacer = Pacer(RecordedSchedule(feed, Clock.of([feed], speed=1)), clock=lambda: now[0], end=3, first=2)
    assert (pacer.ready.next_s, pacer.ready.landed) == (9.0, True)
    pacer.begin(4.0)
    assert pacer.allowance() == 0
    now[0] += 5
    assert pacer.allowance() == 1
    assert pacer.intended(1).first == 55.0
    pacer.took(1)
    assert pacer.over()
