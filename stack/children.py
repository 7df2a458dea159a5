"""Starting and ending processes so that none is left behind.

Each process of a stack is started in a session of its own and carries a mark in its environment; whatever it starts
inherits both. So what belongs to a stack can be told apart, also after its parent has died.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from stack.record import Identity

MARK = "LOCAL_STACK_MEMBER"
SUPERVISOR_MARK = "LOCAL_STACK_SUPERVISOR"
POLL_S = 0.05
# How long the kernel may take to end what got SIGKILL: longer only for a process that hangs in a disk or a mount.
KILL_TIMEOUT_S = 2.0
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    argv: Sequence[str], *, state: Path, name: str, cwd: Path, env: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start a marked process in a session of its own, with its output appended to ``log``.

    On Linux it gets SIGTERM when the calling process dies, however that dies. Call from the main thread only: the
    kernel watches the thread that started the process.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env={**{key: value for key, value in env.items() if key != SUPERVISOR_MARK}, MARK: f"{state}#{name}"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it needs no lock that another thread could hold
        )


class Thaw:
    """Makes sure that a process which is frozen now goes on: when it is told to, or when this process has ended.

    A small process waits for a pipe whose other end this one holds. The kernel closes that, however this one ends.
    """

    def __init__(self, state: Path, name: str, pid: int) -> None:
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", f"read -r word; kill -CONT {pid}"],
            env={MARK: f"{state}#{name}", "PATH": os.defpath},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._pid = pid

    def now(self) -> None:
        """Let it go on."""
        _unless_gone(os.kill, self._pid, signal.SIGCONT)
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(timeout=KILL_TIMEOUT_S)


def members(state: Path, leaders: Iterable[Identity] = (), name: str | None = None) -> list[psutil.Process]:
    """Return the living processes of the stack in ``state``, or of one of its services.

    A process that sets its title, as Airflow's do, writes over its environment. So the sessions and the descendants
    of the leaders, which are the services' own processes, belong to it too.
    """
    known = list(leaders)
    sessions = {leader.pid for leader in known if leader.owns_its_session()}
    found = [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid() and (_session(process) in sessions or _is_marked(process, state, name))
    ]
    for leader in known:
        if leader.is_alive():
            with contextlib.suppress(psutil.Error):
                found += psutil.Process(leader.pid).children(recursive=True)
    return list({process.pid: process for process in found}.values())


def supervisors(state: Path) -> list[psutil.Process]:
    """Return the living supervisors of ``state``, also before their first record, or when none could be written."""
    return [
        process
        for process in psutil.process_iter()
        if _variable(process, SUPERVISOR_MARK) == str(state) and _lives(process)
    ]


def end(
    state: Path,
    leaders: Iterable[tuple[Identity, float]],
    name: str | None = None,
    *,
    last: Iterable[tuple[Identity, float]] = (),
) -> None:
    """End a stack, or one of its services: SIGTERM to the leaders, SIGKILL to all that is left after their graces.

    :param leaders: the services' own processes, each with its grace in seconds.
    :param last: those that are told when the others have ended, or had their graces; by SIGINT, which PostgreSQL takes
        for "now" where SIGTERM means "when all clients have gone".
    """
    first, then = list(leaders), list(last)
    known = [leader for leader, _ in first + then]
    # Taken down now, because a parent that ends takes the way to its children with it.
    family = members(state, known, name)
    _ask(first, signal.SIGTERM)
    _ask(then, signal.SIGINT)
    _kill([*family, *members(state, known, name)])


def _ask(leaders: Iterable[tuple[Identity, float]], number: signal.Signals) -> None:
    began = time.monotonic()
    asked = [(leader, grace_s) for leader, grace_s in leaders if leader.is_alive()]
    for leader, _ in asked:
        _unless_gone(os.kill, leader.pid, number)
        # What somebody froze would hear of it when it goes on.
        _unless_gone(os.kill, leader.pid, signal.SIGCONT)
    while any(leader.is_alive() and time.monotonic() - began < grace_s for leader, grace_s in asked):
        time.sleep(POLL_S)


def kill_leftovers(state: Path, leader: Identity, name: str) -> None:
    """SIGKILL what a service that ended by itself has left."""
    _kill(members(state, [leader], name))


def _kill(processes: Iterable[psutil.Process]) -> None:
    left = [process for process in processes if _lives(process)]
    for process in left:
        _unless_gone(process.kill)
    deadline = time.monotonic() + KILL_TIMEOUT_S
    while any(map(_lives, left)) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _session(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return 0


def _is_marked(process: psutil.Process, state: Path, name: str | None) -> bool:
    stack, _, service = _variable(process, MARK).rpartition("#")
    return stack == str(state) and name in {None, service}


def _variable(process: psutil.Process, name: str) -> str:
    try:
        return process.environ().get(name, "")
    except psutil.Error:  # it ended meanwhile, or is another user's
        return ""


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _unless_gone(action: Callable[..., object], *arguments: object) -> None:
    with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
        action(*arguments)
