"""Sending is open-loop against intended times, and its figures hide no stall."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import Misconfigured
from producer import ProduceRequest
from producer.send.meter import MAX_WINDOWS, DelayHistogram, Due, RateMeter
from producer.send.pacing import CHUNK, STALL_S, Pacer
from producer.shapes import ShardSchedule, parse


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def of(text: str, shard: int = 0, shards: int = 1) -> ShardSchedule:
    return ShardSchedule(parse(text).schedule(), shard, shards)


def send_for(pacer: Pacer, clock: Clock, seconds: float, tick_s: float = 0.01) -> int:
    """Send what is allowed for some time; return how many events went."""
    sent, until = 0, clock.now + seconds
    while clock.now < until and not pacer.over():
        while allowed := pacer.allowance():
            pacer.took(allowed)
            sent += allowed
        clock.now += tick_s
    return sent


def test_pacing_allows_what_is_due_and_no_more(clock):
    pacer = Pacer(of("constant(1000)"), clock=clock)
    assert pacer.allowance() == 1  # the first event is due at once
    pacer.took(1)
    assert pacer.allowance() == 0
    clock.now += 0.0105
    assert pacer.allowance() == 10
    due = pacer.intended(10)
    assert (due.first, due.last) == pytest.approx((100.001, 100.010))
    assert due.events == 10


def test_a_stall_is_caught_up_in_bounded_steps(clock):
    pacer = Pacer(of("constant(1000)"), clock=clock)
    clock.now += 5
    assert pacer.allowance() == CHUNK
    pacer.took(5001)
    assert pacer.allowance() == 0
    assert pacer.skipped == 0


def test_a_stall_is_skipped_and_counted_where_that_was_asked(clock):
    pacer = Pacer(of("constant(1000, 10s)"), clock=clock, end=10_000, skip=True)
    sent = send_for(pacer, clock, 2)
    clock.now += 3
    sent += send_for(pacer, clock, 20)
    assert pacer.over()
    assert sent + pacer.skipped == 10_000
    assert pacer.skipped == pytest.approx(3000, abs=20)


def test_jitter_is_no_stall(clock):
    pacer = Pacer(of("constant(1000, 10s)"), clock=clock, end=10_000, skip=True)
    assert send_for(pacer, clock, 20, tick_s=STALL_S * 0.9) == 10_000
    assert pacer.skipped == 0


def test_without_a_shape_everything_is_due_and_nothing_is_intended(clock):
    pacer = Pacer(None, clock=clock, end=5)
    assert pacer.allowance() == CHUNK
    assert pacer.intended_by(1) == 0
    assert not pacer.over()


def test_the_time_limit_counts_from_the_start(clock):
    pacer = Pacer(None, clock=clock, limit_s=2)
    assert not pacer.over()
    clock.now += 2
    assert pacer.over()
    assert pacer.seconds_left() == 0


def test_time_left_is_known_from_the_shape(clock):
    pacer = Pacer(of("constant(0, 5s) + constant(100, 10s)"), clock=clock, end=1000)
    clock.now += 6
    assert pacer.seconds_left() == pytest.approx(9, abs=0.02)
    assert Pacer(of("constant(100)"), clock=clock).seconds_left() is None


def test_every_second_of_a_constant_rate_intends_the_same(clock):
    pacer = Pacer(of("constant(250)"), clock=clock)
    assert [pacer.intended_by(second) for second in range(4)] == [0, 250, 500, 750]


def test_a_continued_shape_goes_on_where_it_was(clock):
    """4 s of a ramp were sent, with three holes: these go at once, and the fifth second follows."""
    schedule = of("ramp(0, 1000, 10s)")
    first = schedule.before(4)
    pacer = Pacer(schedule, clock=clock, end=5000, first=first, overdue=3)
    assert pacer.allowance() == 3
    assert pacer.intended(3).first == clock.now
    pacer.took(3)
    assert pacer.allowance() == 1
    fifth_second = schedule.before(5) - first
    assert send_for(pacer, clock, 1) == pytest.approx(fifth_second, abs=6)
    assert pacer.intended_by(1) == pytest.approx(fifth_second + 3, abs=2)
    assert pacer.intended_by(100) == 5000 - first + 3


def test_a_continued_pause_is_not_waited_for_again(clock):
    schedule = of("constant(10, 1s) + constant(0, 60s) + constant(10, 1s)")
    pacer = Pacer(schedule, clock=clock, end=20, first=10)
    assert pacer.allowance() == 1


@given(
    text=st.sampled_from(["constant(977, 3s)", "burst(0, 900, 1s, 300ms, 3s)", "poisson(sine(0, 500, 2s, 3s))"]),
    ticks=st.lists(st.floats(0.001, 0.4), min_size=1, max_size=20),
    skip=st.booleans(),
)
def test_every_slot_is_sent_or_skipped_once(text, ticks, skip):
    clock, schedule = Clock(), of(text)
    pacer = Pacer(schedule, clock=clock, end=schedule.planned, skip=skip)
    meter = RateMeter(pacer.intended_by)
    sent = 0
    for tick in ticks:
        while allowed := pacer.allowance():
            assert pacer.intended(allowed).last <= clock.now
            pacer.took(allowed)
            sent += allowed
        clock.now += tick
        meter.observe(pacer.elapsed_s(), sent, sent=sent, skipped=pacer.skipped)
    windows = meter.windows([])
    assert sum(window.intended for window in windows) >= sent + pacer.skipped
    assert sum(window.sent for window in windows) == sent
    assert sum(window.skipped for window in windows) == pacer.skipped
    clock.now += 10
    while not pacer.over():
        allowed = pacer.allowance()
        pacer.took(allowed)
        sent += allowed
    assert sent + pacer.skipped == schedule.planned
    assert skip or not pacer.skipped


def test_rate_windows_stay_few_and_keep_their_sums():
    meter = RateMeter(lambda elapsed_s: 10 * int(elapsed_s))
    for second in range(2 * MAX_WINDOWS):
        meter.observe(second + 0.5, 10 * (second + 1))
    windows = meter.windows([])
    assert len(windows) == MAX_WINDOWS
    assert sum(window.achieved for window in windows) == sum(window.intended for window in windows) == 20 * MAX_WINDOWS


def test_nothing_is_intended_after_sending_ended(clock):
    pacer = Pacer(of("constant(10)"), clock=clock)
    meter = RateMeter(pacer.intended_by)
    meter.observe(2.5, 15, sent=15)
    meter.end(1.45)
    assert [window.intended for window in meter.windows([])] == [10, 5, 0]


def test_delays_are_reported_in_milliseconds():
    delays = DelayHistogram()
    assert delays.percentiles_ms() == {}
    for milliseconds in range(1, 101):
        delays.record(milliseconds / 1000)
    assert delays.percentiles_ms()["p50"] == pytest.approx(50, rel=0.02)
    assert delays.percentiles_ms()["max"] == pytest.approx(100, rel=0.01)


def test_a_stall_weighs_as_much_as_the_events_it_held_up():
    """Nine quiet seconds of 1,000 chunks each, then a stall of one second, sent in a few large chunks."""
    delays = DelayHistogram()
    for _ in range(9000):
        delays.record_due(10.0, Due(9.995, 9.995, 10))
    for chunk in range(20):
        due = 9.0 + chunk * 0.05
        delays.record_due(10.0, Due(due, due + 0.05, 500))
    found = delays.percentiles_ms()
    assert found["p50"] == pytest.approx(5, rel=0.01)
    assert found["p99"] == pytest.approx(900, rel=0.02)  # a tenth of all events waited, evenly up to a second


def test_events_that_found_no_room_are_not_counted():
    delays, due = DelayHistogram(), Due(1.0, 2.0, 101)
    due.cut(11)
    assert due.last == pytest.approx(1.1)
    delays.record_due(2.0, due)
    assert delays.percentiles_ms()["p50"] == pytest.approx(950, rel=0.03)
    due.cut(0)
    delays.record_due(9.0, due)
    assert delays.percentiles_ms()["max"] < 1001


def request(**more):
    return ProduceRequest(topic="t", run_id="r", **more)


def test_a_shape_bounds_the_run_and_the_smaller_bound_wins():
    assert request(shape="ramp(1000, 20000, 60s) + constant(20000, 5m)").plan.target == 6_630_000
    assert request(shape="constant(10, 60s)", seconds=30, shards=3, shard=1).plan.target == 100
    assert request(shape="constant(10, 60s)", events=7).plan.target == 7
    assert request(shape="constant(10)", seconds=2).plan.target == 20
    assert (
        request(shape="poisson(100, 60s)", seed=1).plan.target != request(shape="poisson(100, 60s)", seed=2).plan.target
    )


def test_a_rate_is_short_for_a_constant_shape():
    assert request(rate=5000, seconds=1).plan.settings() == request(shape="constant(5k)", seconds=1).plan.settings()
    assert request(seconds=1).plan.schedule is None
    assert request(seconds=1).plan.pace == "as fast as possible"
    assert request(rate=5000, seconds=1).plan.pace == "constant(5000)"


def test_shards_share_the_target_of_a_shape():
    whole = request(shape="poisson(sine(0, 100, 7s, 60s))", seed=9).plan.target
    assert whole == sum(
        request(shape="poisson(sine(0, 100, 7s, 60s))", seed=9, shards=7, shard=n).plan.target for n in range(7)
    )


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"shape": "rmap(1, 2, 3s)"}, "did you mean 'ramp'? (character 1"),
        ({"shape": "constant(5)"}, "neither events nor seconds"),
        ({"shape": "constant(5, 9s)", "rate": 5}, "rate and shape are both given"),
        ({"shape": "constant(5, 9s)", "endless": True}, "the shape has an end"),
        ({"shape": "constant(5, 9s)", "catch_up": "hurry"}, "it must be report or skip"),
        ({"catch_up": "skip", "events": 1}, "catch-up skip needs a rate or a shape"),
    ],
    ids=str,
)
def test_a_request_whose_shape_cannot_be_kept_is_refused(asked, fault):
    with pytest.raises(Misconfigured) as caught:
        request(**asked)
    assert fault in caught.value.message


def test_the_shape_is_among_what_every_attempt_must_agree_on():
    asked = {"shape": "burst(10, 90, 5s, 1s, 1m)", "catch_up": "skip"}
    assert asked.items() <= request(**asked).plan.settings().items()
