"""Starting and ending, with small processes of our own in the place of Kafka and the registry."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from cluster.errors import DependencyDown, Interrupted, Misconfigured, StoreFailed
from cluster.local import PROJECT_ROOT, Endpoint, process_started, read_local_stack
from stack import up as starting
from stack.children import members, supervisors
from stack.describe import Description
from stack.down import stop_stack
from stack.record import Identity, Record, read_record
from stack.request import UpRequest, Watcher
from stack.services.service import AliveProbe, HttpProbe, Service
from stack.status import stack_status
from stack.up import UpResult, up
from streamproof import demo
from tests.kit.seconds import within
from tests.kit.shared_stack import SilentWatcher
from tests.kit.waiting import wait_until

WITH_AIRFLOW = UpRequest(frozenset({"airflow"}))
RUNS = "import time; time.sleep(600)"
FAILS = "import sys; print('the disk is on fire'); sys.exit(3)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
# A child that moved to a session of its own, so that neither its parent nor a process group leads to it.
HAS_A_CHILD = (
    "import subprocess, sys, time;"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True);"
    "time.sleep(600)"
)
# A title overwrites the environment that others can read, so that no mark is left to see. Airflow's processes do it.
TITLED = (
    "import setproctitle, time; setproctitle.setproctitle('t' * 4000); print('titled', flush=True); time.sleep(600)"
)
HAS_A_TITLED_CHILD = (
    f"import subprocess, sys, time;subprocess.Popen([sys.executable, '-c', {TITLED!r}]);time.sleep(600)"
)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    state = tmp_path / "state"
    yield state
    stop_stack(state)
    assert not members(state)


@pytest.fixture
def service(state: Path) -> Callable[..., Service]:
    """A factory of services that run a line of Python."""

    def make(name: str, line: str = RUNS, **more: object) -> Service:
        return Service.model_validate(
            {
                "name": name,
                "version": "1",
                "argv": (sys.executable, "-c", line),
                "cwd": PROJECT_ROOT,
                "log": state / "log" / f"{name}.log",
                "ready": AliveProbe(),
                "stop_grace_s": 5,
                "endpoints": {name: Endpoint(f"127.0.0.1:2000{len(name)}", name)},
                **more,
            }
        )

    return make


@pytest.fixture
def start(state: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., UpResult]:
    """``up`` with the services that it is given instead of Kafka and the registry."""

    def run(
        *services: Service,
        request: UpRequest = UpRequest(),  # noqa: B008 - frozen
        watcher: Watcher = SilentWatcher(),  # noqa: B008 - it has no state
        stop: threading.Event | None = None,
    ) -> UpResult:
        description = Description(services)
        monkeypatch.setattr(starting, "describe", lambda *_: description)
        return up(state, request, watcher, stop or threading.Event())

    return run


def recorded(state: Path) -> Record:
    """The record of a stack that runs."""
    record = read_record(state)
    assert record is not None
    return record


def killed_up(state: Path, service: Service, when: str) -> Record:
    """Start a service by another interpreter, which is killed as soon as the record is as said."""
    script = f"""
import os, signal, sys, threading
from pathlib import Path
from stack import up as starting
from stack.describe import Description
from stack.request import UpRequest
from stack.services.service import Service
from tests.kit.shared_stack import SilentWatcher
class Killed(SilentWatcher):
    def look(self, record):
        if {when}:
            os.kill(os.getpid(), signal.SIGKILL)
service = Service.model_validate_json(sys.argv[1])
starting.describe = lambda *_: Description((service,))
starting.up(Path({str(state)!r}), UpRequest(), Killed(), threading.Event())
"""
    argv = [sys.executable, "-c", script, service.model_dump_json()]
    assert subprocess.run(argv, cwd=PROJECT_ROOT, timeout=60, check=False).returncode == -signal.SIGKILL
    return recorded(state)


def leader(record: Record, name: str) -> Identity:
    """The process of a service."""
    found = next(process.process for process in record.processes if process.name == name)
    assert found is not None
    return found


def test_up_leaves_a_supervisor_that_every_command_finds(start, service, state) -> None:
    result = start(service("kafka"), service("registry"))
    found = read_local_stack(state)
    assert found is not None
    assert (found.bootstrap_servers, found.registry_url) == ("127.0.0.1:20005", "127.0.0.1:20008")
    assert os.getsid(result.record.supervisor.pid) == result.record.supervisor.pid != os.getsid(0)
    assert result.started == ("kafka", "registry")


def test_down_ends_all_of_it_and_forgets(start, service, state) -> None:
    record = start(service("kafka", HAS_A_CHILD), service("registry")).record
    wait_until(lambda: len(members(state, name="kafka")) == 2, "the child")
    assert stop_stack(state) == ["kafka", "registry"]
    assert not members(state)
    assert not record.is_running()
    assert read_record(state) is None


def test_down_with_nothing_running_ends_nothing(state) -> None:
    assert stop_stack(state) == []


def test_a_service_that_ignores_sigterm_is_killed_after_its_grace(start, service, state) -> None:
    deaf = service("kafka", STUBBORN, stop_grace_s=0.2)
    start(deaf)
    wait_until(lambda: "deaf" in deaf.log.read_text(), "its first words")
    began = time.monotonic()
    stop_stack(state)
    within(5, began, "the stop")
    assert not members(state)


def test_a_second_up_finds_what_runs(start, service) -> None:
    first = start(service("kafka"))
    second = start(service("kafka"))
    assert second.started == ()
    assert second.record == first.record


def test_of_two_starts_at_once_one_starts_and_the_other_finds_it(start, service, state) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: start(service("kafka")), range(2)))
    assert sorted(result.started for result in results) == [(), ("kafka",)]
    assert results[0].record.supervisor == results[1].record.supervisor


def test_a_service_that_fails_at_the_start_ends_the_start_with_its_last_words(start, service, state) -> None:
    with pytest.raises(DependencyDown) as caught:
        start(service("kafka"), service("registry", FAILS, ready=HttpProbe(url="http://127.0.0.1:9/")))
    assert caught.value.exit_code == 69
    assert "registry did not start: it ended with exit code 3" in caught.value.message
    assert "the disk is on fire" in caught.value.hint
    assert not members(state)
    assert read_local_stack(state) is None


def test_a_preparing_command_that_fails_ends_the_start(start, service) -> None:
    failing = service("kafka", prepare=((sys.executable, "-c", FAILS),))
    with pytest.raises(DependencyDown, match="kafka did not start: a preparing command ended with exit code 3"):
        start(failing)


def test_a_program_that_is_not_there_is_named(start, service) -> None:
    with pytest.raises(DependencyDown, match="no/such/java cannot be run: No such file"):
        start(service("kafka", argv=("no/such/java",)))


def test_a_service_that_is_never_ready_is_given_up(start, service) -> None:
    mute = service("registry", ready=HttpProbe(url="http://127.0.0.1:9/"), start_timeout_s=0.3)
    with pytest.raises(DependencyDown, match="registry did not start: it was not ready after 0 s: no answer"):
        start(mute)


def test_a_service_waits_for_those_that_it_needs(start, service, tmp_path) -> None:
    order = tmp_path / "order"
    note = f"open({str(order)!r}, 'a').write('{{}} ')"
    start(
        service("second", prepare=((sys.executable, "-c", note.format("second")),), needs=("first",)),
        service("first", prepare=((sys.executable, "-c", note.format("first")),)),
    )
    assert order.read_text() == "first second "


def test_an_interrupted_start_ends_what_it_started(start, service, state) -> None:
    stop = threading.Event()

    class Impatient(SilentWatcher):
        def look(self, record: Record) -> None:
            stop.set()

    never_ready = service("kafka", ready=HttpProbe(url="http://127.0.0.1:9/"))
    with pytest.raises(Interrupted) as caught:
        start(never_ready, watcher=Impatient(), stop=stop)
    assert caught.value.exit_code == 75
    assert not members(state)
    assert read_record(state) is None


def test_a_start_that_somebody_stops_says_so(start, service, state) -> None:
    class Rival(SilentWatcher):
        def look(self, record: Record) -> None:
            stop_stack(state)

    with pytest.raises(DependencyDown, match="the stack was stopped, or its supervisor ended, while it was starting"):
        start(service("kafka", ready=HttpProbe(url="http://127.0.0.1:9/")), watcher=Rival())


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


def test_up_waits_for_what_a_killed_up_left_on_its_way(start, service, state, tmp_path) -> None:
    door = tmp_path / "door"
    waits = f"import pathlib, time\nwhile not pathlib.Path({str(door)!r}).exists(): time.sleep(0.05)"
    slow = service("kafka", prepare=((sys.executable, "-c", waits),))
    first = killed_up(state, slow, when="record.processes[0].stage == 'preparing'")
    assert recorded(state).in_motion()
    threading.Timer(0.5, door.touch).start()
    result = start(request=UpRequest())
    assert result.started == ()
    assert result.record.is_ready()
    assert result.record.supervisor == first.supervisor


def test_up_finds_a_supervisor_that_has_no_record_yet(start, service, state) -> None:
    (state / "log").mkdir(parents=True)
    description = Description((service("kafka"),))
    starting._launch(state, description, UpRequest())
    assert start(request=UpRequest()).record.is_ready()
    assert len(supervisors(state)) == 1


def test_down_ends_a_supervisor_that_has_no_record_yet(service, state) -> None:
    (state / "log").mkdir(parents=True)
    description = Description((service("kafka"),))
    starting._launch(state, description, UpRequest())
    wait_until(lambda: supervisors(state), "the supervisor")
    stop_stack(state)
    assert not supervisors(state)
    assert not members(state)
    assert read_record(state) is None


def test_a_dead_service_leaves_no_children(start, service, state) -> None:
    record = start(service("kafka", HAS_A_CHILD, restart_delays_s=())).record
    wait_until(lambda: len(members(state)) == 2, "both processes")
    os.kill(leader(record, "kafka").pid, signal.SIGKILL)
    wait_until(lambda: not members(state), "the end of all processes")


def test_a_process_that_hides_its_environment_is_ended_too(start, service, state) -> None:
    titled = service("airflow", HAS_A_TITLED_CHILD)
    record = start(titled).record
    wait_until(lambda: "titled" in titled.log.read_text(), "its title")
    leader_of_both = leader(record, "airflow")
    both = members(state, [leader_of_both])
    assert len(both) == 2
    os.kill(leader_of_both.pid, signal.SIGKILL)
    wait_until(lambda: not any(process.is_running() for process in both), "the end of both")


def test_after_a_killed_supervisor_down_ends_what_is_left(start, service, state) -> None:
    record = start(service("kafka", STUBBORN, stop_grace_s=0.2), service("registry", HAS_A_CHILD)).record
    os.kill(record.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not record.is_running(), "the end of the supervisor")
    assert read_local_stack(state) is None
    with pytest.raises(DependencyDown, match="was not stopped: a crash or a reboot"):
        stack_status(state)
    stop_stack(state)
    assert not members(state)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_services_do_not_outlive_their_supervisor(start, service, state) -> None:
    record = start(service("kafka"), service("registry")).record
    os.kill(record.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not members(state), "the end of all processes")


def test_up_clears_away_what_a_crash_left(start, service, state) -> None:
    first = start(service("kafka", STUBBORN, stop_grace_s=0.2)).record
    os.kill(first.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not first.is_running(), "the end of the supervisor")
    second = start(service("kafka")).record
    assert second.supervisor != first.supervisor
    assert not leader(first, "kafka").is_alive()
    assert len(members(state)) == 1


def test_a_record_from_before_a_reboot_is_not_taken_for_a_running_stack(start, service, state) -> None:
    start(service("kafka"))
    stop_stack(state)
    # The number of a process that lives, and a start that is not its.
    document = {
        "supervisor": {"pid": os.getpid(), "started_at": "another boot/1"},
        "started": "2026-01-01T00:00:00+00:00",
        "bootstrap_servers": "127.0.0.1:1",
        "registry_url": "http://127.0.0.1:2",
        "processes": [],
    }
    (state / "stack.json").write_text(json.dumps(document))
    assert read_local_stack(state) is None
    assert start(service("kafka")).started == ("kafka",)
    assert process_started(os.getpid()) is not None


def as_format_1(state: Path) -> None:
    """Write the record as a version did that had the addresses in fields of their own."""
    record = json.loads((state / "stack.json").read_text())
    endpoints = record.pop("endpoints")
    del record["format"]
    record |= {"bootstrap_servers": endpoints["kafka"]["address"], "registry_url": endpoints["registry"]["address"]}
    record |= {"airflow_url": None, "kafka": {"ssl_ca_location": "ca.crt"}, "registry": {}}
    (state / "stack.json").write_text(json.dumps(record))


def test_what_an_earlier_version_recorded_is_read(start, service, state) -> None:
    start(service("kafka"), service("registry"))
    before = read_local_stack(state)
    assert before is not None
    as_format_1(state)
    found = read_local_stack(state)
    assert found is not None
    assert (found.bootstrap_servers, found.registry_url) == (before.bootstrap_servers, before.registry_url)
    assert found.airflow_url is None
    assert found.endpoints["kafka"].settings == {"ssl_ca_location": "ca.crt"}
    assert stack_status(state).healthy
    assert start(request=UpRequest()).started == ()
    assert stop_stack(state) == ["kafka", "registry"]


def test_what_an_earlier_version_started_is_changed_by_that_version_alone(start, service, state) -> None:
    record = start(service("kafka"), service("registry")).record
    as_format_1(state)
    with pytest.raises(Misconfigured, match="started by another version of Streamproof") as caught:
        start(service("airflow"), request=WITH_AIRFLOW)
    assert "streamproof down" in caught.value.hint
    assert all(leader(record, name).is_alive() for name in ("kafka", "registry"))


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"supervisor": 1}', "\x00" * 64])
def test_a_damaged_record_is_no_record(state, start, service, damage) -> None:
    state.mkdir()
    (state / "stack.json").write_text(damage)
    assert read_local_stack(state) is None
    assert start(service("kafka")).started == ("kafka",)


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
    with demo._stack(state, threading.Event(), once=True) as (stack, stops):
        assert stops == "airflow"
        assert stack.airflow_url
    after = recorded(state)
    assert [process.name for process in after.processes] == ["kafka", "registry"]
    assert after.address("airflow") is None
    assert leader(after, "kafka") == leader(before, "kafka")
    assert after.is_running()


def test_another_port_than_the_running_one_is_refused(start, service) -> None:
    start(service("kafka"))
    with pytest.raises(Misconfigured, match="Kafka runs already, and not on port 2000"):
        start(service("kafka"), request=UpRequest(ports={"kafka": 2000}))


def test_the_environment_of_a_service_is_not_recorded(start, service, state) -> None:
    start(service("kafka", env={"TOKEN": "a-secret-of-the-service"}))
    written = [path for path in state.rglob("*") if path.is_file() and b"a-secret-of" in path.read_bytes()]
    assert written == []
    (process,) = members(state)
    assert process.environ()["TOKEN"] == "a-secret-of-the-service"


@pytest.mark.parametrize(("security", "mode"), [("none", 0o644), ("scram", 0o600)])
def test_what_services_of_a_secured_stack_write_is_for_their_owner(service, state, monkeypatch, security, mode) -> None:
    (state / "log").mkdir(parents=True)
    before = os.umask(0o022)
    try:
        writes = f"open({str(state / 'written')!r}, 'w').write('x'); {RUNS}"
        description = Description((service("kafka", writes),), security=security)
        monkeypatch.setattr(starting, "describe", lambda *_: description)
        up(state, UpRequest(), SilentWatcher(), threading.Event())
    finally:
        os.umask(before)
    wait_until((state / "written").exists, "the file of the service")
    assert (state / "written").stat().st_mode & 0o777 == mode


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    with pytest.raises(StoreFailed, match="STREAMPROOF_STATE_DIR") as caught:
        up(occupied / "state", UpRequest(), SilentWatcher(), threading.Event())
    assert caught.value.exit_code == 74


def test_the_log_of_the_last_start_is_kept(start, service, state) -> None:
    for word in ("first", "second"):
        talker = service("kafka", f"print('{word}', flush=True); {RUNS}")
        start(talker)
        wait_until(lambda log=talker.log, word=word: word in log.read_text(), "the word in the log")
        stop_stack(state)
    assert (state / "log" / "kafka.log.1").read_text() == "first\n"


def test_an_owned_stack_ends_with_its_owner(service, state) -> None:
    """The owner is another interpreter, which is killed as soon as its stack runs."""
    script = f"""
import os, signal, sys, threading
from pathlib import Path
from stack import up as starting
from stack.describe import Description
from stack.request import UpRequest
from stack.services.service import Service
from tests.kit.shared_stack import SilentWatcher
service = Service.model_validate_json(sys.argv[1])
starting.describe = lambda *_: Description((service,))
starting.up(Path({str(state)!r}), UpRequest(owner=os.getpid()), SilentWatcher(), threading.Event())
os.kill(os.getpid(), signal.SIGKILL)
"""
    argv = [sys.executable, "-c", script, service("kafka").model_dump_json()]
    assert subprocess.run(argv, cwd=PROJECT_ROOT, timeout=60, check=False).returncode == -signal.SIGKILL
    wait_until(lambda: not members(state), "the end of all processes")
    wait_until(lambda: read_local_stack(state) is None, "the end of the stack")


def test_status_counts_the_memory_of_all_processes_of_a_service(start, service, state) -> None:
    start(service("kafka", HAS_A_CHILD))
    wait_until(lambda: len(members(state)) == 2, "both processes")
    (kafka,) = stack_status(state).services
    assert kafka.memory_bytes > max(
        getattr(process.memory_full_info(), "pss", process.memory_info().rss) for process in members(state)
    )
    assert kafka.uptime_s is not None
    assert kafka.uptime_s < 60
    assert psutil.pid_exists(kafka.pid or 0)
