"""Incidents of a stack: what is taken away on purpose has not died, comes back, and never stays frozen."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cluster.incidents import Asked, Told, ask
from cluster.local import PROJECT_ROOT
from stack.down import stop_stack
from stack.record import ProcessRecord
from stack.status import stack_status
from tests.kit.seconds import within
from tests.kit.waiting import wait_until
from tests.unit.stack.small_services import STUBBORN, leader, recorded

LONG_S = 600.0
# Asks for a freeze, as a command does, and waits to be killed.
ASKS = """
import sys, time
from pathlib import Path
from cluster.incidents import ask
ask(Path(sys.argv[1]), "freeze", "kafka", 600)
time.sleep(600)
"""


def kafka(state: Path) -> ProcessRecord:
    return next(process for process in recorded(state).processes if process.name == "kafka")


def is_frozen(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def over(asked: Asked) -> Told:
    """Wait until the incident is over and its service back."""

    def told() -> Told | None:
        found = asked.told()
        return found if found is not None and found.is_over else None

    found = wait_until(told, "the end of the incident")
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["stop", "kill"])
def test_a_service_that_is_stopped_on_purpose_has_not_died_and_is_started_again(start, service, state, kind) -> None:
    before = leader(start(service("kafka"), service("registry")).record, "kafka")
    asked = ask(state, kind, "kafka", 1.0)
    wait_until(lambda: kafka(state).stage == "stopped", "the stop")
    assert "on purpose" in kafka(state).fault
    assert not recorded(state).casualties()
    told = over(asked)
    assert not told.fault
    assert told.began_at is not None
    assert told.ended_at is not None
    assert told.back_at is not None
    assert told.began_at < told.ended_at < told.back_at
    after = kafka(state)
    assert (after.stage, after.restarts, after.fault, after.ended) == ("ready", 0, "", "")
    assert after.process is not None
    assert after.process != before
    assert not before.is_alive()


def test_a_service_that_ignores_its_stop_is_killed_after_its_grace(start, service, state) -> None:
    start(service("kafka", STUBBORN, stop_grace_s=0.5))
    wait_until(lambda: "deaf" in (state / "log" / "kafka.log").read_text(), "its deafness")
    before = leader(recorded(state), "kafka")
    assert not over(ask(state, "stop", "kafka", 0.1)).fault
    assert not before.is_alive()


def test_a_service_that_is_frozen_goes_on_as_it_was(start, service, state) -> None:
    before = leader(start(service("kafka")).record, "kafka")
    asked = ask(state, "freeze", "kafka", 1.0)
    wait_until(lambda: is_frozen(before.pid), "the freeze")
    wait_until(lambda: kafka(state).stage == "frozen", "its record")
    assert not stack_status(state).healthy
    assert not over(asked).fault
    assert (kafka(state).process, kafka(state).stage) == (before, "ready")
    assert not is_frozen(before.pid)


def test_who_takes_an_ask_back_ends_the_incident(start, service, state) -> None:
    before = leader(start(service("kafka")).record, "kafka")
    asked = ask(state, "freeze", "kafka", LONG_S)
    wait_until(lambda: is_frozen(before.pid), "the freeze")
    asked.take_back()
    assert not over(asked).fault
    assert not is_frozen(before.pid)


def test_when_who_asked_is_killed_what_was_frozen_goes_on(start, service, state) -> None:
    before = leader(start(service("kafka")).record, "kafka")
    asker = subprocess.Popen([sys.executable, "-c", ASKS, str(state)], cwd=PROJECT_ROOT)
    try:
        wait_until(lambda: is_frozen(before.pid), "the freeze", while_runs=asker)
    finally:
        asker.kill()
        asker.wait()
    wait_until(lambda: not is_frozen(before.pid), "the thaw")
    wait_until(lambda: kafka(state).stage == "ready", "its record")


def test_when_the_supervisor_is_killed_what_was_frozen_goes_on_and_ends(start, service, state) -> None:
    record = start(service("kafka")).record
    frozen = leader(record, "kafka")
    ask(state, "freeze", "kafka", LONG_S)
    wait_until(lambda: is_frozen(frozen.pid), "the freeze")
    os.kill(record.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not frozen.is_alive(), "the end that its supervisor's death means")


def test_down_does_not_wait_for_what_is_frozen(start, service, state) -> None:
    frozen = leader(start(service("kafka"), service("registry")).record, "kafka")
    ask(state, "freeze", "kafka", LONG_S)
    wait_until(lambda: is_frozen(frozen.pid), "the freeze")
    began = time.monotonic()
    assert stop_stack(state) == ["kafka", "registry"]
    within(4, began, "the stop")


def test_a_frozen_service_that_is_killed_by_somebody_else_has_died(start, service, state) -> None:
    frozen = leader(start(service("kafka", restart_delays_s=(0.1,))).record, "kafka")
    asked = ask(state, "freeze", "kafka", LONG_S)
    wait_until(lambda: is_frozen(frozen.pid), "the freeze")
    os.kill(frozen.pid, signal.SIGKILL)
    assert not over(asked).fault
    assert (kafka(state).restarts, kafka(state).stage) == (1, "ready")


def test_what_cannot_be_taken_away_is_said(start, service, state) -> None:
    start(service("kafka"), service("registry"))
    assert "no service kafka-2; there are kafka, registry" in over(ask(state, "kill", "kafka-2", 1.0)).fault
    first = ask(state, "freeze", "kafka", LONG_S)
    wait_until(lambda: kafka(state).stage == "frozen", "the freeze")
    assert "kafka is frozen" in over(ask(state, "stop", "kafka", 1.0)).fault
    first.take_back()
