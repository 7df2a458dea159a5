"""Starting the stack: the main path of this package."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import DependencyDown, Interrupted, Misconfigured, StoreFull
from cluster.local import PROJECT_ROOT
from stack.children import MARK, SUPERVISOR_MARK, members, supervisors
from stack.describe import Description, describe, missing
from stack.down import stop_stack
from stack.ports import LOOPBACK
from stack.record import FORMAT, Identity, ProcessRecord, Record, last_lines, read_record
from stack.request import UpRequest, Watcher
from stack.services.component import Login, components
from stack.state import check_space, space_fault, store_errors, turn
from stack.supervisor import Change, Plan

POLL_S = 0.1
# From its start to its first record: an interpreter and a few imports.
SUPERVISOR_TIMEOUT_S = 20.0
NO_SPACE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class UpResult:
    """What runs, what this call started, what of it had died (``again``), and the logins that it made."""

    record: Record
    started: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    logins: tuple[Login, ...] = ()


def up(state: Path, request: UpRequest, watcher: Watcher, stop: threading.Event) -> UpResult:
    """Start the stack of a state folder, and return when every service is ready.

    1. take turns: one start at a time in a state folder
    2. look: what runs already stays, also what a killed start left on its way; what a crash left is cleared away
    3. describe what is missing: parts from the cache, ports, settings, services
    4. launch: a supervisor that outlives this process; or hand over to the one that runs, what is missing and what died
    5. watch: until all are ready; when one dies, what this call added is ended

    :raises DependencyDown: a service died or the parts cannot be fetched.
    :raises Misconfigured: a port is taken, or what runs is not what was asked for.
    :raises StoreFailed: the state folder or the cache cannot be written; ``StoreFull`` when there is no space.
    :raises Interrupted: ``stop`` was set; what this call added is ended.
    """
    with turn(state, stop, on_wait=lambda: watcher.say("waiting for another `streamproof up` of this stack")):
        running = _what_runs(state, watcher, stop)
        dead = tuple(casualty.name for casualty in running.casualties()) if running is not None else ()
        if running is not None:
            _agree(running, request, changes=bool(dead or missing(request, running)))
        description = _describe_missing(state, request, running, watcher, stop)
        new = tuple(service.name for service in description.services) if description is not None else ()
        _begin(state, request, running, description, dead)
        if running is not None and not new + dead:
            if not (moving := running.in_motion()):
                return UpResult(running)
            watcher.say(f"waiting for what starts already: {', '.join(process.name for process in moving)}")
        try:
            record = _watch(state, new, dead, watcher, stop)
        except BaseException:
            take_back(state, new, whole=running is None)
            raise
        return UpResult(record, new + dead, dead, description.logins if description is not None else ())


def _describe_missing(
    state: Path, request: UpRequest, running: Record | None, watcher: Watcher, stop: threading.Event
) -> Description | None:
    new = missing(request, running)
    if not new:
        return None
    check_space(state, max(component.space_bytes for component in new))
    with store_errors(state):
        description = describe(state, request, running, watcher, stop)
        _keep_last_logs(description)
        return description


def _begin(
    state: Path, request: UpRequest, running: Record | None, description: Description | None, dead: tuple[str, ...]
) -> None:
    """Launch a supervisor, or hand over to the one that runs."""
    with store_errors(state):
        if running is None and description is not None:
            _launch(state, description, request)
        elif description is not None:
            Change(services=description.services, again=dead).hand_over(state)
        elif dead:
            check_space(state)
            Change(again=dead).hand_over(state)


def _what_runs(state: Path, watcher: Watcher, stop: threading.Event) -> Record | None:
    """Return the record of the running stack, as new as its supervisor's last task; clear away what a crash left."""
    deadline = time.monotonic() + SUPERVISOR_TIMEOUT_S
    while True:
        record = read_record(state)
        runs = record is not None and record.is_running()
        # A start that was killed may have left a supervisor without a record yet, or one with a task.
        unsettled = Change.is_pending(state) if runs else bool(supervisors(state))
        if not unsettled or time.monotonic() > deadline:
            break
        if stop.wait(POLL_S):
            raise Interrupted("interrupted while the supervisor of this stack was busy")
    if runs:
        return record
    if record is not None or members(state) or supervisors(state):
        watcher.say("clearing away a stack that was not stopped")
        stop_stack(state)
    return None


def _agree(record: Record, request: UpRequest, *, changes: bool) -> None:
    """Hold what runs against what is asked for.

    :param changes: something is to be handed over to its supervisor.
    :raises Misconfigured: they differ, or the supervisor is of a version that reads nothing of what this one writes.
    """
    if changes and record.format != FORMAT:
        raise Misconfigured(
            "the stack that runs was started by another version of Streamproof, and cannot be changed by this one",
            hint="Run `streamproof down`, then `streamproof up` again; its data stays",
        )
    if request.security not in {None, record.security}:
        raise Misconfigured(
            f"the stack runs already, with security {record.security}",
            hint="Run `streamproof down` first, or leave --security out",
        )
    if request.restart not in {None, record.restart}:
        raise Misconfigured(
            f"the stack runs already, and services that die are {'' if record.restart else 'not '}started again",
            hint="Run `streamproof down` first, or leave --restart and --no-restart out",
        )
    runs = len(record.brokers)
    if request.brokers not in {None, runs}:
        raise Misconfigured(
            f"the stack runs already, with {'one broker' if runs == 1 else f'{runs} brokers'}",
            hint="Leave --brokers out, or set STREAMPROOF_STATE_DIR to another folder for a second stack",
        )
    for component in components():
        port, address = request.ports.get(component.name), record.address(component.name)
        if port is not None and address is not None and f"{LOOPBACK}:{port}/" not in f"{address.replace(',', '/')}/":
            raise Misconfigured(
                f"{component.title} runs already, and not on port {port}",
                where=address,
                hint="Run `streamproof down` first, or leave the port out",
            )


def _keep_last_logs(description: Description) -> None:
    """Begin new logs, and keep those of the last start beside them."""
    for service in description.services:
        if service.log.exists():
            service.log.replace(service.log.with_name(f"{service.log.name}.1"))


def _launch(state: Path, description: Description, request: UpRequest) -> None:
    """Start the supervisor in a session of its own: no terminal and no shell ends it."""
    plan = Plan(
        state=state,
        security=description.security,
        services=description.services,
        restart=request.restart is not False,
        owner=Identity.of(request.owner) if request.owner is not None else None,
    )
    with (state / "log" / "supervisor.log").open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "stack.supervisor"],
            cwd=PROJECT_ROOT,
            env={**{name: value for name, value in os.environ.items() if name != MARK}, SUPERVISOR_MARK: str(state)},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    assert supervisor.stdin is not None
    with supervisor.stdin as pipe:
        pipe.write(plan.model_dump_json().encode())
    # It outlives this process on purpose: tell Popen that nobody waits for it.
    supervisor.returncode = 0


def _watch(state: Path, new: tuple[str, ...], dead: tuple[str, ...], watcher: Watcher, stop: threading.Event) -> Record:
    first_record_by = time.monotonic() + SUPERVISOR_TIMEOUT_S
    seen = False
    while True:
        if stop.wait(POLL_S):
            raise Interrupted("the start was interrupted", hint="What it added is stopped; run `streamproof up` again")
        record = read_record(state)
        known = {process.name for process in record.processes} if record is not None else set()
        if record is None or not known.issuperset(new + dead) or (record.is_running() and Change.is_pending(state)):
            if (record is None and seen) or time.monotonic() > first_record_by:
                raise _supervisor_fault(state)
            continue
        seen = True
        watcher.look(record)
        # On a full disk the record stays as it is, whatever becomes of the services.
        check_space(state, NO_SPACE_BYTES)
        for casualty in record.casualties():
            raise _casualty_fault(state, casualty, ours=casualty.name in new)
        if record.is_ready():
            return record
        if not record.is_running():
            raise _supervisor_fault(state)


def _casualty_fault(state: Path, casualty: ProcessRecord, *, ours: bool) -> DependencyDown | StoreFull:
    message, where = f"{casualty.name} did not start: {casualty.fault}", str(casualty.log)
    if space := space_fault(state):
        return StoreFull(f"{message}; {space}", where=where, hint="Free some space, then run `streamproof up` again")
    end = "What was added is stopped again." if ours else "The others run on; `streamproof up` tries it again."
    return DependencyDown(message, where=where, hint=f"{end} {_tail(casualty.log)}")


def take_back(state: Path, names: tuple[str, ...], *, whole: bool) -> None:
    """End what a call of :func:`up` started: the whole stack, or only what it added to a running one."""
    record = read_record(state)
    if whole or record is None or not record.is_running():
        stop_stack(state)
        return
    if not names:
        return
    Change(end=names).hand_over(state)
    deadline = time.monotonic() + SUPERVISOR_TIMEOUT_S
    while record is not None and record.is_running() and time.monotonic() < deadline:
        if not {process.name for process in record.processes}.intersection(names):
            return
        time.sleep(POLL_S)
        record = read_record(state)


def _supervisor_fault(state: Path) -> DependencyDown | StoreFull:
    log = state / "log" / "supervisor.log"
    message = "the stack was stopped, or its supervisor ended, while it was starting"
    if space := space_fault(state):
        return StoreFull(
            f"{message}; {space}", where=str(state), hint="Free some space, then run `streamproof up` again"
        )
    return DependencyDown(message, where=str(log), hint=_tail(log))


def _tail(log: Path) -> str:
    lines = last_lines(log)
    return "The last lines of its log:\n" + "\n".join(f"    {line}" for line in lines) if lines else "Its log is empty"
