"""One process at a time: a turn is waited for, up to a deadline or a stop, and ends with whoever has it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.errors import Busy, Interrupted
from cluster.machine.turns import name_held, take_turn, try_turn

HOLD = """
import sys
from cluster.machine.turns import try_turn
with open(sys.argv[1], "w") as file:
    print(try_turn(file), flush=True)
    input()
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A file that another process has locked."""
    path = tmp_path / "lock"
    argv = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        yield path, holder
        holder.kill()


def test_a_turn_is_refused_after_the_deadline_and_told_once(held):
    path, _ = held
    waited = []
    with path.open("w") as file, pytest.raises(Busy, match="taken"):
        take_turn(file, wait_s=0.5, busy=Busy("taken"), on_wait=lambda: waited.append(path))
    assert waited == [path]


def test_a_stop_ends_the_waiting(held):
    path, _ = held
    stop = threading.Event()
    with path.open("w") as file, pytest.raises(Interrupted, match="told"):
        take_turn(file, wait_s=60, busy=Busy("x"), stop=stop, stopped=Interrupted("told"), on_wait=stop.set)


def test_a_turn_comes_when_the_holder_dies(held):
    path, holder = held
    with path.open("w") as file:
        assert not try_turn(file)
        take_turn(file, wait_s=60, busy=Busy("x"), on_wait=holder.kill)
        with path.open("w") as other:
            assert not try_turn(other)
    with path.open("w") as file:
        take_turn(file, wait_s=0, busy=Busy("x"), on_wait=lambda: pytest.fail("nobody has it"))


def test_a_name_is_free_when_nobody_holds_it():
    with name_held("streamproof/test") as first, name_held("streamproof/other") as other:
        assert (first, other) == (True, True)
        with name_held("streamproof/test") as second:
            assert second is (sys.platform != "linux")
    with name_held("streamproof/test") as again:
        assert again
