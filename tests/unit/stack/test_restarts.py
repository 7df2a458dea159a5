"""Services that die: named, started again within limits, and given up."""

import os
import signal
import time

import pytest

from cluster.errors import Misconfigured
from stack.children import members
from stack.down import stop_stack
from stack.request import UpRequest
from stack.status import stack_status
from tests.kit.seconds import within
from tests.kit.waiting import wait_until
from tests.unit.stack.small_services import leader, recorded


def test_a_service_that_dies_later_is_named_and_the_others_run_on(start, service, state) -> None:
    record = start(service("kafka"), service("registry"), request=UpRequest(restart=False)).record
    os.kill(leader(record, "kafka").pid, signal.SIGKILL)
    wait_until(lambda: recorded(state).casualties(), "the record of the death")
    kafka, registry = stack_status(state).services
    assert (kafka.stage, kafka.restarts) == ("died", 0)
    assert "was ended by SIGKILL at" in kafka.fault
    assert registry.healthy


def test_up_starts_what_died_and_leaves_what_runs_alone(start, service, state) -> None:
    before = start(service("kafka"), service("registry"), request=UpRequest(restart=False)).record
    os.kill(leader(before, "kafka").pid, signal.SIGKILL)
    wait_until(lambda: recorded(state).casualties(), "the record of the death")
    result = start(request=UpRequest())
    assert (result.started, result.again) == (("kafka",), ("kafka",))
    assert result.record.supervisor == before.supervisor
    assert leader(result.record, "registry") == leader(before, "registry")
    assert leader(result.record, "kafka").is_alive()
    assert leader(result.record, "kafka") != leader(before, "kafka")
    assert stack_status(state).healthy


def test_a_service_that_dies_is_started_again_and_the_others_run_on(start, service, state) -> None:
    before = start(service("kafka", restart_delays_s=(0.1,)), service("registry")).record
    os.kill(leader(before, "kafka").pid, signal.SIGKILL)
    wait_until(lambda: (now := recorded(state)).processes[0].restarts == 1 and now.is_ready(), "its second start")
    kafka, registry = stack_status(state).services
    assert kafka.healthy
    assert kafka.restarts == 1
    assert "was ended by SIGKILL at" in kafka.ended
    assert kafka.pid != leader(before, "kafka").pid
    assert registry.restarts == 0
    assert leader(recorded(state), "registry") == leader(before, "registry")


def test_a_service_that_dies_again_and_again_is_given_up_with_its_last_words(start, service, state) -> None:
    dies = service(
        "kafka", "import time; print('born', flush=True); time.sleep(0.5); 1 / 0", restart_delays_s=(0.1, 0.3)
    )
    start(dies, service("registry"))
    wait_until(lambda: recorded(state).casualties(), "the record of the death")
    kafka, registry = stack_status(state).services
    assert (kafka.stage, kafka.restarts) == ("died", 2)
    assert "it ended with exit code 1 at" in kafka.fault
    assert "it was started again 2 times within 5 minutes" in kafka.fault
    assert "ZeroDivisionError" in kafka.log_tail()[-1]
    assert registry.healthy
    # It stays dead: the first start and two more, and nothing on its way.
    assert dies.log.read_text().count("born") == 3
    assert not recorded(state).in_motion()


def test_down_does_not_wait_for_a_restart_and_starts_nothing(start, service, state) -> None:
    record = start(service("kafka", restart_delays_s=(60,)), service("registry")).record
    os.kill(leader(record, "kafka").pid, signal.SIGKILL)
    wait_until(lambda: recorded(state).processes[0].stage == "restarting", "the wait before a restart")
    assert stack_status(state).services[0].fault.endswith("; it is started again")
    began = time.monotonic()
    assert stop_stack(state) == ["registry"]
    within(5, began, "the stop")
    assert not members(state)


def test_up_refuses_to_change_whether_services_are_started_again(start, service) -> None:
    start(service("kafka"))
    with pytest.raises(Misconfigured, match="services that die are started again"):
        start(request=UpRequest(restart=False))
