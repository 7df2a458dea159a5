"""Starting the stack: the main path of this package."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from cluster.errors import DependencyDown, Interrupted, Misconfigured
from cluster.local import PROJECT_ROOT
from stack.children import MARK, members
from stack.describe import Description, describe
from stack.down import stop_stack
from stack.ports import LOOPBACK
from stack.record import Identity, Record, last_lines, read_record
from stack.request import UpRequest, Watcher
from stack.state import store_errors, turn
from stack.supervisor import Change, Plan

POLL_S = 0.1
# From its start to its first record: an interpreter and a few imports.
SUPERVISOR_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class UpResult:
    """What runs, which services this call started, and Airflow's password if this call made it."""

    record: Record
    started: tuple[str, ...] = ()
    new_password: str | None = field(default=None, repr=False)


def up(state: Path, request: UpRequest, watcher: Watcher, stop: threading.Event) -> UpResult:
    """Start the stack of a state folder, and return when every service is ready.

    1. take turns: one start at a time in a state folder
    2. look: what runs already stays; what a crash left is cleared away
    3. describe: parts from the cache, ports, settings, services
    4. launch: a supervisor that outlives this process, or hand over to the one that runs
    5. watch: until all are ready; when one dies, what this call started is ended

    :raises DependencyDown: a service died or the parts cannot be fetched.
    :raises Misconfigured: a port is taken.
    :raises StoreFailed: the state folder or the cache cannot be written.
    :raises Interrupted: ``stop`` was set; what this call started is ended.
    """
    with turn(state, stop, on_wait=lambda: watcher.say("waiting for another `streamproof up` of this stack")):
        running = _what_runs(state, request, watcher)
        if running is not None and (running.airflow_url or not request.airflow):
            return UpResult(running)
        with store_errors(state):
            description = describe(state, request, running, watcher, stop)
            _keep_last_logs(description)
            if running is None:
                _launch(state, description, owned=request.owned)
            else:
                Change(airflow_url=description.airflow_url, services=description.services).hand_over(state)
        names = tuple(service.name for service in description.services)
        try:
            record = _watch(state, names, watcher, stop)
        except BaseException:
            _take_back(state, names, whole=running is None)
            raise
        return UpResult(record, names, description.new_password)


def _what_runs(state: Path, request: UpRequest, watcher: Watcher) -> Record | None:
    record = read_record(state)
    if record is None or not record.is_running():
        if record is not None or members(state):
            watcher.say("clearing away a stack that was not stopped")
            stop_stack(state)
        return None
    for casualty in record.casualties():
        raise DependencyDown(
            f"the stack runs, but {casualty.name} died: {casualty.fault}",
            where=str(casualty.log),
            hint="Run `streamproof down`, then `streamproof up`",
        )
    if request.security not in {None, record.security}:
        raise Misconfigured(
            f"the stack runs already, with security {record.security}",
            hint="Run `streamproof down` first, or leave --security out",
        )
    wanted = (
        ("Kafka", request.kafka_port, record.bootstrap_servers),
        ("the registry", request.registry_port, record.registry_url),
        ("Airflow", request.airflow_port if record.airflow_url else None, record.airflow_url or ""),
    )
    for name, port, address in wanted:
        if port is not None and f"{LOOPBACK}:{port}/" not in f"{address}/":
            raise Misconfigured(
                f"{name} runs already, and not on port {port}",
                where=address,
                hint="Run `streamproof down` first, or leave the port out",
            )
    return record


def _keep_last_logs(description: Description) -> None:
    """Begin new logs, and keep those of the last start beside them."""
    for service in description.services:
        if service.log.exists():
            service.log.replace(service.log.with_name(f"{service.log.name}.1"))


def _launch(state: Path, description: Description, *, owned: bool) -> None:
    """Start the supervisor in a session of its own: no terminal and no shell ends it."""
    plan = Plan(
        state=state,
        bootstrap_servers=description.bootstrap_servers,
        registry_url=description.registry_url,
        airflow_url=description.airflow_url,
        security=description.security,
        kafka=description.kafka,
        registry=description.registry,
        services=description.services,
        owner=Identity.of(os.getpid()) if owned else None,
    )
    with (state / "log" / "supervisor.log").open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "stack.supervisor"],
            cwd=PROJECT_ROOT,
            env={name: value for name, value in os.environ.items() if name != MARK},
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


def _watch(state: Path, names: tuple[str, ...], watcher: Watcher, stop: threading.Event) -> Record:
    first_record_by = time.monotonic() + SUPERVISOR_TIMEOUT_S
    seen = False
    while True:
        if stop.wait(POLL_S):
            raise Interrupted(
                "the start was interrupted", hint="What it started is stopped; run `streamproof up` again"
            )
        record = read_record(state)
        known = {process.name for process in record.processes} if record is not None else set()
        if record is None or not known.issuperset(names):
            if seen or time.monotonic() > first_record_by:
                raise _supervisor_fault(state)
            continue
        seen = True
        watcher.look(record)
        for casualty in record.casualties():
            raise DependencyDown(
                f"{casualty.name} did not start: {casualty.fault}",
                where=str(casualty.log),
                hint="What was started is stopped again. " + _tail(casualty.log),
            )
        if record.is_ready():
            return record
        if not record.is_running():
            raise _supervisor_fault(state)


def _take_back(state: Path, names: tuple[str, ...], *, whole: bool) -> None:
    """End what this call started: the whole stack, or only what it added to a running one."""
    record = read_record(state)
    if whole or record is None or not record.is_running():
        stop_stack(state)
        return
    Change(end=names).hand_over(state)
    deadline = time.monotonic() + SUPERVISOR_TIMEOUT_S
    while record is not None and record.is_running() and time.monotonic() < deadline:
        if not {process.name for process in record.processes}.intersection(names):
            return
        time.sleep(POLL_S)
        record = read_record(state)


def _supervisor_fault(state: Path) -> DependencyDown:
    log = state / "log" / "supervisor.log"
    return DependencyDown(
        "the stack was stopped, or its supervisor ended, while it was starting", where=str(log), hint=_tail(log)
    )


def _tail(log: Path) -> str:
    lines = last_lines(log)
    return "The last lines of its log:\n" + "\n".join(f"    {line}" for line in lines) if lines else "Its log is empty"
