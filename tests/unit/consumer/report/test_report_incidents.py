"""What incidents did to a run: lowest rate, longest delay, and the time until both were back, by seconds made up."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from consumer.report.incidents import Effect, Second, effects, incidents_of
from consumer.report.svg import Band, columns
from schemas.incidents import Incident

RATE = 100


def incident(began_s: float = 10.2, ended_s: float | None = 15.1, *, at_s: float = 10.0, **more: object) -> Incident:
    told = {"at_s": at_s, "kind": "stop", "target": "broker 2", "for_s": 5.0, "back_s": 20.0}
    return Incident.model_validate({**told, "began_s": began_s, "ended_s": ended_s, **more})


def run(length: int = 40, **odd: tuple[int, float | None]) -> list[Second]:
    """Seconds at the rate, 10 ms late; ``s12=(40, 900.0)`` makes second 12 another one."""
    seconds: dict[int, tuple[int, float | None]] = dict.fromkeys(range(length), (RATE, 10.0))
    seconds |= {int(name[1:]): value for name, value in odd.items()}
    return [Second(number, RATE, got, delay_ms) for number, (got, delay_ms) in seconds.items()]


def effect(seconds: list[Second], *incidents: Incident) -> Effect:
    return effects(incidents or (incident(),), seconds)[0]


def test_a_run_has_recovered_at_the_first_of_three_seconds_with_rate_and_delay_of_before() -> None:
    found = effect(run(s11=(0, None), s12=(0, None), s13=(250, 2900.0), s14=(150, 900.0)))
    assert (found.lowest, found.intended, found.longest_ms) == (0, RATE, 2900.0)
    assert found.recovered_s == pytest.approx(15 - 10.2)
    assert found.cells() == ("0/s of 100/s", "2.90 s", "after 4.8 s, while it lasted")
    assert (found.happened, found.back) == ("10.2 s to 15.1 s", "4.9 s after its end")


def test_a_second_that_is_good_between_bad_ones_is_no_recovery() -> None:
    found = effect(run(s11=(0, None), s14=(20, 400.0), s16=(90, 10.0)))
    assert found.recovery == "after 6.8 s"


def test_a_delay_above_three_times_that_of_before_is_not_recovered_though_the_rate_is() -> None:
    slow_before = {f"s{number}": (RATE, 100.0) for number in range(10)}
    assert effect(run(**slow_before, s11=(0, None), s12=(RATE, 290.0))).recovered_s == pytest.approx(1.8)
    assert effect(run(**slow_before, s11=(0, None), s12=(RATE, 310.0))).recovered_s == pytest.approx(2.8)


def test_what_changed_nothing_is_said_to_have_disturbed_nothing() -> None:
    found = effect(run())
    assert (found.recovery, found.lowest, found.longest_ms) == ("not disturbed", RATE, 10.0)
    # What goes wrong long after it has another reason.
    assert effect(run(s30=(0, None))).recovery == "not disturbed"


def test_a_run_that_ends_before_it_recovers_says_so() -> None:
    late = {f"s{number}": (0, None) for number in range(11, 40)}
    assert effect(run(**late)).recovery == "not before the run ended"


def test_an_incident_is_held_to_its_own_time_and_not_to_that_of_the_next() -> None:
    late: dict[str, tuple[int, float | None]] = {f"s{number}": (0, None) for number in range(11, 22)}
    first, second = effects((incident(), incident(20.1, 22.0, at_s=20.0, target="broker 3")), run(**late))
    assert (first.recovery, second.recovery) == ("not before the next one", "after 1.9 s, while it lasted")


def test_a_run_as_fast_as_possible_is_held_to_its_own_speed_of_before() -> None:
    seconds = [Second(number, 0, 1000 if number not in {11, 12} else 300, 5.0) for number in range(30)]
    found = effect(seconds)
    assert found.cells()[0] == "300/s"
    assert found.recovered_s == pytest.approx(13 - 10.2)


def test_an_incident_that_did_not_happen_says_why() -> None:
    found = effect(run(), Incident(at_s=50, kind="kill", target="registry", for_s=1, fault="the run ended before"))
    assert (found.happened, found.back, found.cells()) == ("the run ended before", "", ("", "", ""))


@pytest.mark.parametrize("audit", [None, {}, {"incidents": [{"at_s": "soon"}]}], ids=["none", "earlier", "odd"])
def test_an_audit_without_incidents_that_can_be_read_has_none(audit) -> None:
    assert incidents_of(audit) == []
    assert incidents_of({"incidents": [incident().model_dump()]}) == [incident()]


def test_incidents_are_shaded_with_their_names_and_told_in_words() -> None:
    bands = [Band("stop broker 2", 10.2, 15.1, 20.0), Band("freeze <registry>", 12.0, 90.0)]
    points = [(float(number), 1.0) for number in range(40)]
    chart = ET.fromstring(columns("rates", "Rate", points, bands=bands, unit="/s"))
    shades = [each for each in chart.iter("rect") if each.get("class") == "band"]
    assert [shade.get("x") for shade in shades] == ["25.500%", "30.000%"]
    # What goes on beyond the drawing ends with it.
    assert shades[1].get("width") == "70.000%"
    (rest,) = (each for each in chart.iter("rect") if each.get("class") == "band-after")
    assert (rest.get("x"), rest.get("width")) == ("37.750%", "12.250%")
    said = chart.find("desc")
    assert said is not None
    assert "shaded: stop broker 2 from 10.2 s to 15.1 s, freeze <registry> from 12.0 s" in (said.text or "")
    names = [each for each in chart.iter("text") if each.text in {band.name for band in bands}]
    # They overlap in time, so that their names stand in two rows.
    assert len({name.get("y") for name in names}) == 2
