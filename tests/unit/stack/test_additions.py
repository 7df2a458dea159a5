"""What is added to a stack that runs, and what that leaves alone."""

import threading

import pytest

from cluster.errors import DependencyDown, Misconfigured
from stack import up as starting
from stack.describe import Description
from stack.record import read_record
from stack.request import UpRequest
from stack.services.service import HttpProbe
from streamproof.demo.own_stack import own_stack
from tests.unit.stack.small_services import FAILS, WITH_AIRFLOW, leader, recorded


def test_airflow_is_added_to_what_runs(start, service, state) -> None:
    first = start(service("kafka"))
    second = start(service("airflow"), request=WITH_AIRFLOW)
    assert second.started == ("airflow",)
    assert second.record.supervisor == first.record.supervisor
    assert second.record.address("airflow") == "127.0.0.1:20007"
    assert {process.name for process in second.record.processes} == {"kafka", "airflow"}
    assert leader(second.record, "kafka") == leader(first.record, "kafka")


def test_an_addition_that_fails_leaves_what_ran(start, service, state) -> None:
    first = start(service("kafka")).record
    with pytest.raises(DependencyDown, match="airflow did not start"):
        start(service("airflow", FAILS, ready=HttpProbe(url="http://127.0.0.1:9/")), request=WITH_AIRFLOW)
    record = read_record(state)
    assert record is not None
    assert [process.name for process in record.processes] == ["kafka"]
    assert record.address("airflow") is None
    assert leader(first, "kafka").is_alive()
    assert start(service("airflow"), request=WITH_AIRFLOW).started == ("airflow",)


def test_a_demo_that_is_run_once_leaves_what_ran_before_as_it_was(start, service, state, monkeypatch) -> None:
    before = start(service("kafka"), service("registry")).record
    description = Description((service("airflow"),))
    monkeypatch.setattr(starting, "describe", lambda *_: description)
    with own_stack(state, threading.Event(), once=True, components=frozenset({"airflow"})) as (stack, stops):
        assert stops == "added"
        assert stack.airflow_url
    after = recorded(state)
    assert [process.name for process in after.processes] == ["kafka", "registry"]
    assert after.address("airflow") is None
    assert leader(after, "kafka") == leader(before, "kafka")
    assert after.is_running()


def test_a_demo_that_needs_nothing_more_stops_nothing_of_what_ran_before(start, service, state, monkeypatch) -> None:
    before = start(service("kafka"), service("registry")).record
    with own_stack(state, threading.Event(), once=True) as (stack, stops):
        assert stops == "nothing"
        assert stack.airflow_url is None
    assert recorded(state) == before


def test_another_port_than_the_running_one_is_refused(start, service) -> None:
    start(service("kafka"))
    with pytest.raises(Misconfigured, match="Kafka runs already, and not on port 2000"):
        start(service("kafka"), request=UpRequest(ports={"kafka": 2000}))
