"""Load shapes: what is due sums to what was asked, at every moment, for any split, and reads back as it was written."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.errors import Misconfigured
from producer.shapes import KINDS, Poisson, Sequence, ShardSchedule, from_setting, parse, to_text
from producer.shapes.kinds import Burst, Constant, Diurnal, Ramp, Sine, Spike, Step
from tests.kit.depth import examples

RATE = st.floats(0.5, 5000) | st.integers(1, 5000).map(float)
REST = st.just(0.0) | RATE
SECONDS = st.floats(0.01, 30) | st.integers(1, 30).map(float)


@st.composite
def spikes(draw):
    at, length, after = draw(SECONDS), draw(SECONDS), draw(st.just(0.0) | SECONDS)
    return Spike(draw(REST), draw(RATE), at, length, at + length + after)


@st.composite
def bursts(draw):
    length = draw(SECONDS)
    every = length + draw(st.floats(0.01, 10))
    return Burst(draw(REST), draw(RATE), every, length, every * draw(st.floats(1, 5)))


@st.composite
def between(draw, kind):
    low, high = sorted((draw(REST), draw(RATE)))
    return kind(low, high, draw(SECONDS), draw(SECONDS))


EVEN = st.one_of(
    st.builds(Constant, RATE, SECONDS),
    st.builds(Ramp, REST, RATE, SECONDS),
    st.builds(Ramp, RATE, REST, SECONDS),
    st.builds(Step, REST, RATE, st.integers(2, 9), SECONDS),
    between(Sine),
    bursts(),
    spikes(),
    between(Diurnal),
)
PAUSE = st.builds(Constant, st.just(0.0), SECONDS)
PART = EVEN | st.builds(Poisson, EVEN)
SHAPE = PART | st.tuples(PART, PAUSE | PART, PART).map(Sequence)
SHARE = st.floats(0, 1)


@given(shape=EVEN)
def test_a_shape_plans_its_area_in_whole_events(shape):
    curve = shape.curve()
    assert shape.schedule().planned == pytest.approx(curve.area(curve.duration_s), abs=1.001)


@given(shape=SHAPE, seed=st.integers(0, 99), share=SHARE)
def test_what_is_due_and_when_it_is_due_agree_exactly(shape, seed, share):
    schedule = shape.schedule(seed)
    moment = share * schedule.duration_s
    due = schedule.due(moment)
    assert schedule.at(due) > moment
    if due:
        assert schedule.at(due - 1) <= moment


@given(shape=SHAPE, seed=st.integers(0, 99), shares=st.lists(SHARE, min_size=2, max_size=9))
def test_events_are_due_in_order_and_inside_the_shape(shape, seed, shares):
    schedule = shape.schedule(seed)
    planned = schedule.planned
    numbers = sorted(int(share * max(0, planned - 1)) for share in shares)
    moments = [schedule.at(number) for number in numbers] if planned else []
    assert moments == sorted(moments)
    assert all(0 <= moment <= schedule.duration_s + 1e-9 for moment in moments)
    assert schedule.at(planned) == math.inf
    assert schedule.due(schedule.duration_s * 2 + 1) == planned


@given(shape=SHAPE, seed=st.integers(0, 99), shards=st.integers(1, 7), share=SHARE)
def test_shards_sum_to_what_was_asked_at_each_moment(shape, seed, shards, share):
    whole = shape.schedule(seed)
    parts = [ShardSchedule(whole, shard, shards) for shard in range(shards)]
    moment = share * whole.duration_s
    due = [part.due(moment) for part in parts]
    assert sum(due) == whole.due(moment)
    assert max(due) - min(due) <= 1
    assert sum(part.before(moment) for part in parts) == whole.before(moment)
    assert sum(part.planned for part in parts) == whole.planned


@given(shape=EVEN, share=SHARE)
def test_the_rate_is_what_the_area_grows_by(shape, share):
    curve = shape.curve()
    grain = curve.duration_s * 1e-4
    moment = share * (curve.duration_s - grain)
    mean = (curve.area(moment + grain) - curve.area(moment)) / grain
    rates = [curve.rate(moment + grain * step / 50) for step in range(50)]
    assert min(rates) * (1 - 1e-6) - 1e-3 <= mean <= max(rates) * (1 + 1e-6) + 1e-3


@given(shape=SHAPE)
def test_a_shape_reads_back_as_it_was_written(shape):
    text = to_text(shape)
    assert parse(text) == shape
    assert to_text(parse(text)) == text


def test_whole_rates_over_whole_seconds_plan_exactly_that():
    assert parse("constant(20000, 5m)").schedule().planned == 6_000_000
    assert parse("ramp(1000, 20000, 60s) + constant(20000, 5m)").schedule().planned == 6_630_000
    assert parse("step(1000, 4000, 4, 60s)").schedule().planned == 150_000
    assert parse("sine(0, 20k, 5s, 60s)").schedule().planned == 600_000
    assert parse("burst(0, 20k, 10s, 1s, 1m)").schedule().planned == 120_000
    assert parse("spike(1k, 30k, 5s, 1s, 20s)").schedule().planned == 49_000
    assert parse("constant(0.5, 3s) + constant(0.5, 3s)").schedule().planned == 3  # no fraction is lost between parts


def test_nothing_is_due_in_a_pause():
    schedule = parse("constant(10, 1s) + constant(0, 5s) + constant(10, 1s)").schedule()
    assert [schedule.at(number) for number in (9, 10)] == [pytest.approx(0.9), pytest.approx(6.0)]
    assert schedule.due(1.0) == schedule.due(5.999) == 10
    quiet = parse("burst(0, 1000, 10s, 1s)").schedule()
    assert quiet.at(0) == pytest.approx(9)
    assert quiet.at(1000) == pytest.approx(19)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("ramp(0, 100, 10s)", {0: 0, 5: 50, 9.9: 99}),
        ("step(100, 300, 3, 30s)", {0: 100, 9: 100, 10: 200, 29: 300}),
        ("sine(0, 100, 10s)", {0: 0, 2.5: 50, 5: 100, 7.5: 50, 15: 100}),
        ("burst(10, 100, 10s, 2s)", {0: 10, 7.9: 10, 8: 100, 9.9: 100, 10: 10, 18: 100}),
        ("spike(10, 100, 5s, 2s, 20s)", {0: 10, 5: 100, 6.9: 100, 7: 10, 20: 0}),
        ("diurnal(0, 100, 24s)", {4: 0, 21: 100, 28: 0, 45: 100}),
        ("constant(5, 1s) + constant(0, 1s) + constant(7)", {0: 5, 1: 0, 2: 7, 1e6: 7}),
    ],
)
def test_each_shape_has_the_rate_that_its_name_promises(text, rates):
    schedule = parse(text).schedule()
    assert {at: schedule.rate(at) for at in rates} == pytest.approx(rates)


def test_poisson_arrivals_have_the_mean_and_the_spread_of_poisson():
    schedule = parse("poisson(1000, 200s)").schedule(seed=3)
    counts = [schedule.before(second + 1) - schedule.before(second) for second in range(200)]
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
    assert mean == pytest.approx(1000, rel=0.01)
    assert variance == pytest.approx(1000, rel=0.25)


def test_poisson_arrivals_are_those_of_the_seed_whatever_is_asked_first():
    forward, backward = (parse("poisson(1000)").schedule(seed=5) for _ in range(2))
    numbers = list(range(0, 70_000, 5_000))
    assert [backward.at(number) for number in reversed(numbers)] == [forward.at(number) for number in numbers][::-1]
    assert parse("poisson(1000)").schedule(seed=6).at(0) != forward.at(0)


def test_two_poisson_parts_do_not_repeat_each_other():
    schedule = parse("poisson(100, 10s) + poisson(100, 10s)").schedule()
    split = schedule.before(10)
    first = [schedule.at(number) for number in range(50)]
    assert first != pytest.approx([schedule.at(split + number) - 10 for number in range(50)])


@settings(max_examples=examples(25))
@given(rate=RATE, hours=st.floats(1, 10))
def test_a_long_schedule_keeps_its_inverse(rate, hours):
    schedule = Constant(rate).schedule()
    number = int(rate * hours * 3600)
    assert schedule.due(schedule.at(number)) == number + 1
    assert schedule.at(number) == number / rate


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("ramp(1k, 20k, 60s) + constant(20000, 5m)", "ramp(1000, 20000, 1m) + constant(20000, 5m)"),
        ({"constant": {"rate": 1000, "duration": "90s"}}, "constant(1000, 90s)"),
        ({"sine": {"low": 0, "high": "2k", "period": "500ms"}}, "sine(0, 2000, 0.5s)"),
        (
            [{"step": {"start": 1, "end": 3, "steps": 3, "duration": "3s"}}, {"constant": {"rate": 3}}],
            "step(1, 3, 3, 3s) + constant(3)",
        ),
        ({"poisson": {"rate": 100, "duration": "1h"}}, "poisson(constant(100, 1h))"),
        ({"poisson": {"of": {"ramp": {"start": 1, "end": 2, "duration": "1s"}}}}, "poisson(ramp(1, 2, 1s))"),
        ({"poisson": {"of": "ramp(1, 2, 1s) + constant(2, 1s)"}}, "poisson(ramp(1, 2, 1s) + constant(2, 1s))"),
        ("poisson(rate=100)", "poisson(constant(100))"),
        ("ramp(end=2, start=1, duration=1s)", "ramp(1, 2, 1s)"),
        ("  burst( 1 ,2, every = 3s, length=1s )  ", "burst(1, 2, 3s, 1s)"),
    ],
    ids=str,
)
def test_text_and_mappings_mean_the_same(setting, text):
    assert to_text(from_setting(setting)) == text


@pytest.mark.parametrize(
    ("text", "reason", "where"),
    [
        ("", "expected the name of a shape", "at the end"),
        ("rmap(1, 2, 3s)", "unknown shape 'rmap', did you mean 'ramp'?", "character 1,"),
        ("constant(1, 2s) + sinus(1)", "unknown shape 'sinus', did you mean 'sine'?", "character 19,"),
        ("zzz(1)", "there are constant, ramp, step", "character 1,"),
        ("ramp(1, 2)", "ramp lacks duration", "character 1,"),
        ("ramp(1, 2, 3)", "write 3s", "character 12,"),
        ("ramp(1, 2, 3s", "expected ',' or ')'", "at the end"),
        ("ramp(1, 2, 3s,)", "expected a value after ','", "character 15,"),
        ("ramp(1, 2, 3s, 4)", "takes at most 3 values: start, end, duration", "character 16,"),
        ("ramp(strat=1, end=2, duration=3s)", "unknown field 'strat' of ramp, did you mean 'start'?", "character 6,"),
        ("ramp(1, start=1, duration=3s)", "start is given twice", "character 9,"),
        ("ramp(1, 2, 3s) constant(4)", "expected the end or '+'", "character 16,"),
        ("ramp", "expected '('", "at the end"),
        ("constant(-5)", "expected events a second", "character 10,"),
        ("constant(5m)", "rate is 5m, expected events a second", "character 10,"),
        ("constant(2e9)", "the most is 1e+09", "character 10,"),
        ("constant(5, 0s)", "it must be above 0", "character 13,"),
        ("constant(0)", "a pause has to end", "character 1,"),
        ("constant(0, 9s)", "the shape sends nothing", "character 1,"),
        ("ramp(0, 0, 9s)", "a pause is constant(0, duration)", "character 1,"),
        ("constant(5) + constant(6)", "part 1, constant, has no duration", "character 1,"),
        ("sine(5, 2, 1s)", "low is 5, above high, 2", "character 1,"),
        ("step(1, 2, 1.5, 3s)", "expected a whole number", "character 12,"),
        ("step(1, 2, 1, 3s)", "it must be 2 to 1000", "character 1,"),
        ("burst(1, 2, 3s, 3s)", "it must be shorter than every", "character 1,"),
        ("spike(1, 2, 3s, 3s, 5s)", "end after 6 s, the duration is 5 s", "character 1,"),
        ("poisson(poisson(5))", "without poisson in it", "character 9,"),
        ("poisson(constant(1, 1s) + poisson(constant(5)))", "without poisson in it", "character 27,"),
        ("poisson(" * 5000, "without poisson in it", "character 9,"),
        ("1000", "expected the name of a shape", "character 1,"),
        ("constant(5); drop", "expected the end or '+'", "character 12,"),
    ],
)
def test_a_text_that_is_no_shape_says_where_and_why(text, reason, where):
    with pytest.raises(Misconfigured) as caught:
        parse(text)
    assert reason in caught.value.message
    assert where in caught.value.where
    assert "docs/shapes.md" in caught.value.hint


@pytest.mark.parametrize(
    ("setting", "reason", "where"),
    [
        (5, "expected text, a mapping with one key", "shape"),
        ([], "expected text, a mapping with one key", "shape"),
        ({"ramp": {}, "sine": {}}, "a mapping with one key", "shape"),
        ({"rmap": {}}, "did you mean 'ramp'?", "shape"),
        ({"ramp": 5}, "expected a mapping with start, end, duration", "shape.ramp"),
        (
            [{"constant": {"rate": 1, "duration": "1s"}}, {"ramp": {"strat": 1}}],
            "did you mean 'start'?",
            "shape[1].ramp",
        ),
        ({"constant": {"rate": True}}, "rate is True", "shape.constant.rate"),
        ({"constant": {"rate": 5, "duration": 60}}, "write 60s", "shape.constant.duration"),
        ({"constant": {}}, "constant lacks rate", "shape.constant"),
        ({"poisson": {"of": {"poisson": {"rate": 5}}}}, "random already", "shape.poisson"),
        ({"poisson": {"of": {"ramp": {}}}}, "ramp lacks start, end, duration", "shape.poisson.of"),
    ],
    ids=str,
)
def test_a_mapping_that_is_no_shape_says_where_and_why(setting, reason, where):
    with pytest.raises(Misconfigured) as caught:
        from_setting(setting)
    assert reason in caught.value.message
    assert caught.value.where.startswith(where)


@given(text=st.text("arcmpostine(),+=.01259 skM_", max_size=40))
def test_any_text_is_a_shape_or_a_clear_error(text):
    with contextlib.suppress(Misconfigured):  # anything else is a bug
        shape = parse(text)
        assert parse(to_text(shape)) == shape


def test_every_shape_says_what_it_is():
    assert {"constant", "ramp", "step", "sine", "burst", "spike", "diurnal", "poisson"} == set(KINDS)
    assert all(kind.__doc__ for kind in KINDS.values())
