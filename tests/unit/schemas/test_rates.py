"""The rate is a promise: what was asked for, what was reached, and why it was missed."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import Misconfigured, RateMissed
from plugins.form.settings import Rehearsal
from producer import ProduceRequest, RunResult, workers
from producer.judgement import Outcome, too_slow
from producer.send.pacing import Pacer
from schemas.manifest import Manifest, SchemaUsed, Sending
from schemas.rates import rate_reached, share_of

BEGAN = "2026-11-20T10:00:0{}.000+00:00"


def sending(*, due: int, due_s: float, seconds: float, **more: Any) -> Sending:
    fields = {"began_at": BEGAN.format(0), "startup_s": 0.4, "acknowledged": due}
    return Sending(due=due, due_s=due_s, seconds=seconds, **(fields | more))


def manifest(*attempts: Sending, shard: int = 0, shards: int = 1, skipped: int = 0) -> Manifest:
    events = sum(each.acknowledged for each in attempts)
    return Manifest(
        status="finished",
        run_id="r",
        shard=shard,
        shards=shards,
        topic="t",
        scenario="s",
        scenario_version=1,
        seed=1,
        schema_used=SchemaUsed(subject="t-value", version=1, id=1),
        started_at=BEGAN.format(0),
        next_sequence=events,
        acknowledged=events,
        skipped=skipped,
        sending=list(attempts),
    )


def test_every_event_delivered_in_twice_the_time_is_half_the_rate_and_not_all_of_it():
    shards = [
        manifest(sending(due=50_000, due_s=5, seconds=9, generator_s=3.5), shard=number, shards=2)
        for number in range(2)
    ]
    rate = rate_reached(shards)
    assert rate.share == pytest.approx(5 / 8.9)
    assert rate.missed
    assert str(rate) == "11,236/s of 20,000/s asked (56.2 %)"
    assert rate.warning().startswith(
        "the rate was missed, 11,236/s of 20,000/s asked (56.2 %): generating and encoding"
    )
    assert rate.document() == {
        "asked": 20_000.0,
        "reached": pytest.approx(11_235.955),
        "percent": 56.18,
        "missed": True,
        "cause": "generating and encoding is the limit, 7.0 s were spent waiting for it",
        "says": "11,236/s of 20,000/s asked (56.2 %)",
    }


def test_start_up_and_the_way_of_the_last_acknowledgement_are_no_part_of_the_rate():
    rate = rate_reached([manifest(sending(due=2500, due_s=5, seconds=5.06, startup_s=12))])
    assert str(rate) == "500/s of 500/s asked (100.0 %)"
    assert (rate.seconds, rate.startup_s, rate.missed, rate.cause) == (5.06, 12, False, "")


@given(
    due_s=st.floats(1e-6, 1e4),
    seconds=st.floats(1e-3, 1e4),
    due=st.integers(100, 10**9),
    shards=st.integers(1, 4),
)
def test_no_rate_reads_as_more_than_a_tenth_above_what_came_in_the_seconds_of_sending(due_s, seconds, due, shards):
    """Above all not that of a schedule which is shorter than an acknowledgement takes."""
    run = [
        manifest(sending(due=due, due_s=due_s, seconds=seconds), shard=number, shards=shards)
        for number in range(shards)
    ]
    rate = rate_reached(run)
    assert rate.reached <= 1.1000001 * shards * due / seconds
    assert rate.share <= 1.1000001 * due_s / seconds
    assert rate.cause if rate.missed else not rate.cause


def test_a_schedule_too_short_to_tell_a_rate_is_missed_and_blames_nobody():
    rate = rate_reached([manifest(sending(due=20_000, due_s=20_000 / 9e8, seconds=0.096))])
    assert rate.missed
    assert rate.share == pytest.approx(20_000 / 9e8 / 0.096, rel=0.01)
    assert rate.cause == "its schedule took 0.0222 ms, and the last acknowledgement alone may take 100 ms"


def test_a_share_that_is_not_whole_never_reads_as_all_of_it():
    assert "(99.9 %)" in str(rate_reached([manifest(sending(due=100_000, due_s=100, seconds=100.12))]))


def test_as_fast_as_possible_asks_for_nothing_and_misses_nothing():
    rate = rate_reached([manifest(sending(due=0, due_s=0, seconds=2, acknowledged=90_000))])
    assert (str(rate), rate.missed, rate.document()["percent"]) == ("45,000/s", False, None)


def test_a_run_that_is_stopped_at_once_tells_no_rate():
    rate = rate_reached([manifest(sending(due=1, due_s=0.0001, seconds=0.1, acknowledged=0))])
    assert (rate.asked, rate.share, rate.missed) == (None, None, False)


def test_a_manifest_of_an_earlier_version_tells_no_rate():
    assert rate_reached([manifest()]) is None


@pytest.mark.parametrize(
    ("shards", "words"),
    [
        ([manifest(sending(due=100, due_s=1, seconds=3, kafka_s=1.5))], "Kafka is the limit, 1.5 s"),
        ([manifest(sending(due=100, due_s=1, seconds=3, generator_s=1.2))], "generating and encoding is the limit"),
        ([manifest(sending(due=100, due_s=1, seconds=3))], "one process hands over no more"),
        (
            [
                manifest(sending(due=100, due_s=1, seconds=1, began_at=BEGAN.format(second)), shard=second, shards=2)
                for second in (0, 7)
            ],
            "its shards began up to 7.0 s apart",
        ),
        ([manifest(sending(due=100, due_s=1, seconds=1, acknowledged=50))], "50 events were not acknowledged"),
        ([manifest(sending(due=100, due_s=1, seconds=1, acknowledged=50), skipped=50)], "50 events were given up"),
    ],
)
def test_a_missed_rate_names_what_was_measured_to_hold_it_up_and_what_to_do(shards, words):
    rate = rate_reached(shards)
    assert rate.missed
    assert rate.cause.startswith(words)
    assert rate.advice


def test_attempts_of_a_shard_are_added_up_and_the_pause_between_them_counts_for_nothing():
    first, second = sending(due=500, due_s=5, seconds=5), sending(due=500, due_s=5, seconds=5, began_at=BEGAN.format(9))
    assert str(rate_reached([manifest(first, second)])) == "100/s of 100/s asked (100.0 %)"


def test_a_required_rate_that_is_missed_is_exit_code_65_with_the_cause(monkeypatch):
    slow = manifest(sending(due=100, due_s=1, seconds=3, kafka_s=1.5))
    monkeypatch.setattr(workers, "outcome_of", lambda *_: Outcome(slow))

    def result(**more: Any) -> RunResult:
        request = ProduceRequest(topic="t", run_id="r", events=100, **more)
        return workers.produce_run(None, request, shards=(0,), stop=threading.Event())

    missed = result(rate=100, require_rate=0.95)
    assert isinstance(missed.error, RateMissed)
    assert missed.error.exit_code == 65
    assert "95.0 % of the rate was required, 34/s of 100/s asked (34.5 %) reached: Kafka" in missed.error.message
    assert result(rate=100, require_rate=0.3).error is None
    assert result(rate=100).error is None
    document = missed.document()
    assert (document["seconds"], document["rate"]["percent"]) == (3.0, 34.48)
    assert document["startup_seconds"] >= 0


def test_a_required_rate_that_nobody_knows_is_not_taken_as_reached():
    assert too_slow(None, None, run_id="r", where="") is None
    assert "do not tell its rate" in too_slow(None, 0.9, run_id="r", where="").message


def test_a_required_rate_without_a_rate_is_refused():
    with pytest.raises(Misconfigured, match="require-rate needs a rate or a shape"):
        ProduceRequest(topic="t", run_id="r", events=1, require_rate=0.9)


@pytest.mark.parametrize(("text", "share"), [("95%", 0.95), (" 95 % ", 0.95), ("100", 1.0), ("0.5%", 0.005)])
def test_a_share_is_read_as_a_percentage(text, share):
    assert share_of(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["0", "101%", "nan", "most", "", "-5%"])
def test_what_is_no_percentage_is_refused(text):
    with pytest.raises(Misconfigured, match="is not a share of the rate"):
        share_of(text)


@pytest.mark.parametrize("value", [95, "95%", " 95 % "])
def test_profile_and_form_may_require_a_share_of_the_rate(value):
    assert Rehearsal(require_rate=value).request()["require_rate"] == pytest.approx(0.95)


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_none_is_required(value):
    assert Rehearsal(require_rate=value).request()["require_rate"] is None


@pytest.mark.parametrize("value", [0, 101, "most"])
def test_a_share_out_of_range_is_refused_in_the_form(value):
    with pytest.raises(ValueError, match="require_rate"):
        Rehearsal(require_rate=value)


@pytest.mark.parametrize(
    ("more", "elapsed_s", "took", "asked_for_s"),
    [
        ({"events": 2500, "rate": 500}, 4.999, 2500, 5.0),  # to its end
        ({"events": 2500, "rate": 500}, 2.0, 800, 2.0),  # stopped
        ({"events": 2500, "rate": 500}, 9.0, 2000, 5.0),  # too late to ask for more than it did
        ({"shape": "constant(500, 5s)"}, 4.999, 2500, 5.0),
        ({"shape": "ramp(0, 1000, 5s)"}, 5.0, 2500, 5.0),
        ({"seconds": 5, "rate": 500}, 5.8, 2300, 5.0),  # ran into its time limit
        ({"events": 10}, 3.0, 10, 0.0),
    ],
)
def test_a_schedule_asks_for_seconds_up_to_its_end_or_to_a_stop(more, elapsed_s, took, asked_for_s):
    request, now = ProduceRequest(topic="t", run_id="r", **more), [0.0]
    pacer = Pacer(request.plan.schedule, clock=lambda: now[0], end=request.plan.target)
    now[0] = elapsed_s
    pacer.took(took)
    assert pacer.asked_for_s() == pytest.approx(asked_for_s)
    if request.plan.schedule is not None:
        assert pacer.intended_by(pacer.asked_for_s()) == (1000 if asked_for_s == 2 else 2500)


def test_shards_of_few_events_ask_together_for_the_rate_of_the_run():
    request = ProduceRequest(topic="t", run_id="r", events=10, rate=1, shards=3)
    ends = []
    for shard in range(3):
        own, now = request.for_shard(shard), [0.0]
        pacer = Pacer(own.plan.schedule, clock=lambda now=now: now[0], end=own.plan.target)
        now[0] = 20.0
        pacer.took(own.plan.target)
        ends.append(pacer.asked_for_s())
        assert pacer.intended_by(ends[-1]) == own.plan.target
    assert max(ends) == pytest.approx(10)


def test_what_is_asked_by_a_moment_has_parts_of_events_and_ends_with_the_run():
    request, now = ProduceRequest(topic="t", run_id="r", events=1000, rate=333, shards=2), [0.0]
    pacer = Pacer(request.plan.schedule, clock=lambda: now[0], end=request.plan.target)
    assert pacer.asked_by(1.0) == pytest.approx(166.5)
    assert pacer.asked_by(100.0) == 500
    assert Pacer(None, clock=lambda: now[0]).asked_by(1.0) is None


def test_the_first_event_without_an_answer_says_how_late_a_shard_is():
    request, now = ProduceRequest(topic="t", run_id="r", events=1000, rate=100), [0.0]
    pacer = Pacer(request.plan.schedule, clock=lambda: now[0], end=request.plan.target)
    now[0] = 5.0
    assert pacer.late_s(300) == pytest.approx(2.0)
    assert pacer.late_s(600) == 0
    pacer.took(1000)
    assert pacer.late_s() == 0
