"""Rates out of counts: what is unknown is no rate, and no plot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.live.rates import HISTORY_S, Rate, RateHistory
from consumer.live.snapshot import IN_TOPIC, LOADED, STAGES


def seen(*counts: tuple[float, int | None]) -> Rate:
    """Return the rate after these looks."""
    rate = Rate()
    for at_s, count in counts:
        rate.see(at_s, count)
    return rate


def test_one_look_is_no_rate() -> None:
    assert Rate().value is None
    assert seen((10.0, 500)).value is None


def test_a_count_that_moves_once_a_second_has_a_steady_rate_however_often_it_is_looked_at() -> None:
    looks = [(step / 4, 1_000 * (step // 4)) for step in range(60)]
    assert seen(*looks).value == pytest.approx(1_000)


def test_a_count_that_stands_still_comes_to_zero() -> None:
    assert seen(*((float(second), 100) for second in range(10))).value == 0
    moving = [(float(second), 100 * second) for second in range(10)]
    assert seen(*moving, *((10.0 + second, 900) for second in range(10))).value == 0


@given(st.lists(st.one_of(st.none(), st.integers(0, 10**9)), max_size=60))
def test_a_rate_is_never_below_zero_and_unknown_right_after_what_is_unknown(counts: list[int | None]) -> None:
    rate = Rate()
    for at_s, count in enumerate(counts):
        rate.see(float(at_s), count)
        assert rate.value is None or rate.value >= 0
        if count is None:
            assert rate.value is None
            assert rate.at(float(at_s)) is None


def test_a_topic_that_is_made_anew_begins_anew() -> None:
    assert seen((1.0, 1_000), (2.0, 2_000), (3.0, 10)).value is None


@pytest.mark.parametrize(("at_s", "count"), [(0.0, 100.0), (1.0, 100.0), (1.5, 150.0), (2.0, 200.0), (9.0, 200.0)])
def test_a_count_is_told_for_moments_between_two_looks(at_s: float, count: float) -> None:
    assert seen((1.0, 100), (2.0, 200)).at(at_s) == count


def test_the_history_has_a_point_a_second_five_minutes_of_them_and_gaps_where_nothing_was_known() -> None:
    history = RateHistory()
    for half in range(4 * HISTORY_S):
        history.add(1_000 + half / 2, {IN_TOPIC: float(half), LOADED: None})

    told = history.history()

    assert len(told.times) == HISTORY_S
    assert told.times[-1] == 1_000 + 2 * HISTORY_S - 1
    assert set(told.rates) == set(STAGES)
    assert told.rates[LOADED] == (None,) * HISTORY_S
    assert told.rates[IN_TOPIC][-1] == 4 * HISTORY_S - 2
