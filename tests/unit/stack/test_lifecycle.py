"""Starting and ending, with small processes of our own in the place of Kafka and the registry."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from cluster.errors import DependencyDown, Interrupted, StoreFailed
from cluster.local import PROJECT_ROOT, read_local_stack
from stack import up as starting
from stack.children import members, supervisors
from stack.describe import Description
from stack.down import stop_stack
from stack.record import Record, read_record
from stack.request import UpRequest
from stack.services.service import HttpProbe, Service
from stack.status import stack_status
from stack.up import up
from tests.kit.seconds import within
from tests.kit.shared_stack import SilentWatcher
from tests.kit.waiting import wait_until
from tests.unit.stack.small_services import FAILS, HAS_A_CHILD, HAS_A_TITLED_CHILD, RUNS, STUBBORN, leader, recorded


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
