"""A disk that is full, or fills up, under the state folder: a sentence and 74, and a supervisor that stays."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.errors import StoreFull
from cluster.local import PROJECT_ROOT
from stack import up as starting
from stack.children import members
from stack.describe import Description
from stack.down import stop_stack
from stack.files import write_private
from stack.record import Record, read_record
from stack.request import UpRequest
from stack.services.service import AliveProbe, Service
from stack.state import free_bytes
from stack.status import stack_status
from stack.up import UpResult, up
from streamproof.cli import run
from tests.kit.shared_stack import SilentWatcher
from tests.kit.waiting import wait_until

DISK_BYTES = 40_000_000


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder on a disk of its own with 40 MB. Only root may mount one; in CI it must be there."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        told = "NOT RUN: a small disk needs the right to mount a tmpfs"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    state = disk / "state"
    state.mkdir()
    yield state
    stop_stack(state)
    assert not members(state)
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def start(state: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., UpResult]:
    """Start a process of ours in the place of Kafka."""
    kafka = Service(
        name="kafka",
        version="1",
        argv=(sys.executable, "-c", "import time; time.sleep(600)"),
        cwd=PROJECT_ROOT,
        log=state / "log" / "kafka.log",
        ready=AliveProbe(),
        restart_delays_s=(0.1, 0.1),
    )
    description = Description((kafka,))
    monkeypatch.setattr(starting, "describe", lambda *_: description)
    return lambda: up(state, UpRequest(), SilentWatcher(), threading.Event())


def fill(folder: Path) -> Path:
    """Leave not one byte of the disk."""
    stuffing = folder / "stuffing"
    with stuffing.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert free_bytes(folder) == 0
    return stuffing


def recorded(state: Path) -> Record:
    record = read_record(state)
    assert record is not None
    return record


def test_up_on_a_full_disk_is_74_with_a_sentence_and_leaves_nothing(start, state: Path) -> None:
    fill(state)
    with pytest.raises(StoreFull, match="no space left for the state of the stack") as caught:
        start()
    assert caught.value.exit_code == 74
    assert "0.0 MB are free" in caught.value.message
    assert "STREAMPROOF_STATE_DIR" in caught.value.hint
    assert not [path.name for path in state.iterdir() if path.name.startswith(".")]
    assert read_record(state) is None


def test_a_file_that_cannot_be_written_is_as_it_was_and_leaves_no_draft(state: Path) -> None:
    write_private(state / "stack.json", b"before")
    fill(state)
    with pytest.raises(OSError, match="No space left"):
        write_private(state / "stack.json", b"after" * 100_000)
    assert (state / "stack.json").read_bytes() == b"before"
    assert sorted(path.name for path in state.iterdir()) == ["stack.json", "stuffing"]


def test_a_supervisor_outlives_a_disk_that_fills_up_and_status_says_so(
    start, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAMPROOF_STATE_DIR", str(state))
    before = start().record
    stuffing = fill(state)
    first = before.processes[0].process
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    # Started again though nobody can write it down.
    wait_until(lambda: any(process.pid != first.pid for process in members(state)), "its second start")
    assert recorded(state) == before
    assert before.is_running()
    assert "are free in the state folder" in stack_status(state).space_fault
    assert run(["status", "--json"]) == 69
    assert json.loads(capsys.readouterr().out)["space_fault"].startswith("only 0.0 MB are free")
    assert "No space" in shown(capsys)
    stuffing.unlink()
    wait_until(lambda: recorded(state).processes[0].restarts == 1 and recorded(state).is_ready(), "its second start")
    assert recorded(state).supervisor == before.supervisor
    assert run(["status"]) == 0


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    run(["status"])
    return capsys.readouterr().out


def test_a_full_disk_is_74_though_everything_answers(
    start, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAMPROOF_STATE_DIR", str(state))
    start()
    fill(state)
    assert free_bytes(state) == 0
    assert run(["status"]) == 74
    capsys.readouterr()


def test_a_service_that_dies_of_a_full_disk_while_it_starts_is_74(start, state: Path, monkeypatch) -> None:
    eats = f"import shutil\nopen({str(state / 'eaten')!r}, 'wb').write(bytes({DISK_BYTES}))"
    kafka = vars(starting)["describe"]().services[0].model_copy(update={"prepare": ((sys.executable, "-c", eats),)})
    description = Description((kafka,))
    monkeypatch.setattr(starting, "describe", lambda *_: description)
    with pytest.raises(StoreFull, match=r"no space left for the state of the stack: 0\.\d MB are free") as caught:
        start()
    assert caught.value.exit_code == 74
    assert not members(state)
