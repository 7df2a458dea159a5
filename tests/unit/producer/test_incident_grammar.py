"""Incidents as they are asked for: every form, and what each mistake is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import Misconfigured
from producer import ProduceRequest
from producer.plan.incidents import KINDS, as_text, parse_incidents
from schemas.incidents import Incident


@pytest.mark.parametrize(
    ("text", "at_s", "kind", "target", "for_s"),
    [
        ("30s: stop broker 2 for 20s", 30, "stop", "broker 2", 20),
        ("0s: kill broker 1 for 1m", 0, "kill", "broker 1", 60),
        ("1.5m:freeze the broker 3 for 500ms", 90, "freeze", "broker 3", 0.5),
        ("1h: STOP the registry for 2 m", 3600, "stop", "registry", 120),
    ],
)
def test_every_form_of_an_incident_is_read(text, at_s, kind, target, for_s):
    (incident,) = parse_incidents([text])
    assert (incident.at_s, incident.kind, incident.target, incident.for_s) == (at_s, kind, target, for_s)


def test_several_are_read_from_one_text_or_many_and_come_by_their_beginnings():
    texts = ["40s: kill broker 1 for 5s; 10s: stop broker 2 for 5s;", " ", "20s: freeze registry for 1s"]
    assert as_text(parse_incidents(texts)) == (
        "10s: stop broker 2 for 5s; 20s: freeze registry for 1s; 40s: kill broker 1 for 5s"
    )
    assert as_text(parse_incidents(["; ;", ""])) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stop broker 2 for 20s", "does not begin with a moment and a colon"),
        ("30: stop broker 2 for 20s", "the moment is 30 without a unit: write 30s"),
        ("soon: stop broker 2 for 20s", "the moment is soon, and not a duration such as 30s"),
        (": stop broker 2 for 20s", "the moment is missing"),
        ("-5s: stop broker 2 for 20s", "the moment is -5s"),
        ("30d: stop broker 2 for 20s", "its unit is not ms, s, m or h"),
        ("30s:", "does not say what happens: stop, kill, freeze"),
        ("30s: stpo broker 2 for 20s", "unknown kind stpo, did you mean stop?"),
        ("30s: reboot broker 2 for 20s", "unknown kind reboot, there is stop, kill, freeze"),
        ("30s: stop brokr 2 for 20s", "unknown target brokr 2, did you mean broker?"),
        ("30s: stop registery for 20s", "unknown target registery, did you mean registry?"),
        ("30s: stop for 20s", "does not say what: broker 1, or registry"),
        ("30s: stop broker for 20s", "does not say which broker"),
        ("30s: stop broker two for 20s", "two is not the number of a broker: they are counted from 1"),
        ("30s: stop broker 0 for 20s", "0 is not the number of a broker"),
        ("30s: stop broker 2", "does not say for how long"),
        ("30s: stop broker 2 for", "the time after for is missing"),
        ("30s: stop broker 2 for 20", "the time after for is 20 without a unit"),
        ("30s: stop broker 2 for 0s", "lasts no time at all"),
    ],
)
def test_a_mistake_is_told_with_the_incident_that_it_is_in(text, said):
    with pytest.raises(Misconfigured) as fault:
        parse_incidents([text])
    assert said in fault.value.message
    assert repr(text) in fault.value.message
    assert "30s: stop broker 2 for 20s" in fault.value.hint


def test_all_mistakes_are_told_at_once():
    with pytest.raises(Misconfigured, match=r"unknown kind a.*unknown kind b"):
        parse_incidents(["1s: a broker 1 for 1s; 2s: b broker 1 for 1s"])


def test_one_thing_cannot_be_taken_away_while_it_is_away():
    with pytest.raises(
        Misconfigured, match=r"'15s: kill broker 2 for 1s' begins while '10s: stop broker 2 for 10s' las"
    ):
        parse_incidents(["10s: stop broker 2 for 10s; 15s: kill broker 2 for 1s"])
    # Another one, or the same one as soon as it is given back, is another matter.
    assert (
        len(parse_incidents(["10s: stop broker 2 for 10s; 15s: stop broker 3 for 1s; 20s: stop broker 2 for 1s"])) == 3
    )


@pytest.mark.parametrize(
    ("bounds", "lasts"),
    [
        ({"seconds": 30, "rate": 10}, "30s"),
        ({"seconds": 30}, "30s"),
        ({"events": 300, "rate": 10}, "30s"),
        ({"shape": "constant(10, 20s) + constant(20, 10s)"}, "30s"),
        ({"shape": "constant(10)", "seconds": 60, "events": 300}, "30s"),
    ],
    ids=str,
)
def test_an_incident_beyond_the_end_of_the_run_is_refused(bounds, lasts):
    def request(incident: str) -> ProduceRequest:
        return ProduceRequest(topic="t", run_id="r", incidents=(incident,), **bounds)

    assert request("10s: stop broker 1 for 20s").plan.incidents[0].at_s == 10
    with pytest.raises(Misconfigured, match=f"ends after the run, which takes {lasts}"):
        request("11s: stop broker 1 for 20s")


@pytest.mark.parametrize("bounds", [{"events": 300}, {"endless": True, "rate": 10}], ids=str)
def test_where_nobody_knows_the_end_of_the_run_no_incident_is_beyond_it(bounds):
    assert ProduceRequest(topic="t", run_id="r", incidents=("2h: kill broker 1 for 1h",), **bounds).plan.incidents


def test_the_data_of_a_run_does_not_depend_on_its_incidents():
    plain = ProduceRequest(topic="t", run_id="r", events=5).plan
    disturbed = ProduceRequest(topic="t", run_id="r", events=5, incidents=("1s: kill broker 1 for 1s",)).plan
    assert plain.settings() == disturbed.settings()


@given(
    st.floats(0, 1e5, allow_nan=False).map(lambda value: round(value, 3)),
    st.sampled_from(KINDS),
    st.sampled_from(["registry", "broker 1", "broker 12"]),
    st.floats(0.001, 1e5).map(lambda value: round(value, 3)),
)
def test_what_an_incident_is_called_reads_as_the_same_incident(at_s, kind, target, for_s):
    incident = Incident(at_s=at_s, kind=kind, target=target, for_s=for_s)
    (read,) = parse_incidents([incident.text])
    assert (read.kind, read.target) == (kind, target)
    assert (read.at_s, read.for_s) == pytest.approx((at_s, for_s))
