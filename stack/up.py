"""Starting the stack: the main path of this package."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cluster.errors import DependencyDown, Interrupted, Misconfigured
from cluster.local import PROJECT_ROOT
from stack import airflow as local_airflow
from stack.apicurio import registry_service, registry_url
from stack.artifacts import cache_dir, ensure_artifacts
from stack.children import MARK, kill_leftovers
from stack.down import stop_stack
from stack.kafka import kafka_service
from stack.ports import LOOPBACK, Ports
from stack.record import Identity, Record, last_lines, read_record, remove_record
from stack.service import Service
from stack.state import store_errors, turn
from stack.supervisor import ADDITION_NAME, Plan

POLL_S = 0.1
# From its start to its first record: an interpreter and a few imports.
SUPERVISOR_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What to start. A port of ``None`` takes last time's, or a free one.

    ``owned`` ties the stack to the calling process: it ends when that does, however that ends.
    """

    airflow: bool = False
    kafka_port: int | None = None
    registry_port: int | None = None
    airflow_port: int | None = None
    owned: bool = False


@dataclass(frozen=True, slots=True)
class UpResult:
    """What runs. ``new_password`` is Airflow's, when this start made it."""

    record: Record
    already_running: bool
    new_password: str | None = field(default=None, repr=False)


class Watcher(Protocol):
    """Whoever shows the start to a person."""

    def fetching(self, name: str, size: int) -> AbstractContextManager[Callable[[int], None]]:
        """Take the name and size of a file, and give a function that takes the bytes that arrived since."""

    def say(self, sentence: str) -> None:
        """Take a sentence about what happens."""

    def look(self, record: Record) -> None:
        """Take the record, many times while the services start."""


def up(state: Path, request: UpRequest, watcher: Watcher, stop: threading.Event) -> UpResult:
    """Start the stack of a state folder, and return when every service is ready.

    1. take turns: one start at a time in a state folder
    2. look: what runs already stays; what a crash left is cleared away
    3. fetch: the Java parts, if the cache lacks them
    4. describe: ports, settings, services
    5. launch: a supervisor that outlives this process
    6. watch: until all are ready; one that dies ends the start and everything with it

    :raises DependencyDown: a service died or the parts cannot be fetched.
    :raises Misconfigured: a port is taken.
    :raises StoreFailed: the state folder or the cache cannot be written.
    :raises Interrupted: ``stop`` was set; what this call started is ended.
    """
    with turn(state, stop, on_wait=lambda: watcher.say("waiting: another `streamproof up` is starting this stack")):
        running = _running(state, watcher)
        if running is not None:
            _check_ports(running, request)
            if not request.airflow or running.airflow_url:
                return UpResult(running, already_running=True)
        with store_errors(state):
            plan, new_password = _describe(state, request, watcher, stop, running)
            if running is not None:
                _hand_over(state, plan)
            else:
                _launch(state, plan)
        record = _watch(state, plan, watcher, stop)
        return UpResult(record, already_running=False, new_password=new_password)


def _running(state: Path, watcher: Watcher) -> Record | None:
    record = read_record(state)
    if record is not None and record.is_running():
        for casualty in record.casualties():
            raise DependencyDown(
                f"the stack runs, but {casualty.name} died: {casualty.fault}",
                where=str(casualty.log),
                hint="Run `streamproof down`, then `streamproof up`",
            )
        return record
    left = kill_leftovers(state)
    if record is not None or left:
        watcher.say("clearing away a stack that was not stopped")
        remove_record(state)
    return None


def _check_ports(running: Record, request: UpRequest) -> None:
    wanted = (
        ("Kafka", request.kafka_port, running.bootstrap_servers),
        ("the registry", request.registry_port, running.registry_url),
        ("Airflow", request.airflow_port if running.airflow_url else None, running.airflow_url or ""),
    )
    for name, port, address in wanted:
        if port is not None and f"{LOOPBACK}:{port}" not in address:
            raise Misconfigured(
                f"{name} runs already, and not on port {port}",
                where=address,
                hint="Run `streamproof down` first, or leave the port out",
            )


def _describe(
    state: Path, request: UpRequest, watcher: Watcher, stop: threading.Event, running: Record | None
) -> tuple[Plan, str | None]:
    ports = Ports(state)
    if running is not None:
        services: tuple[Service, ...] = ()
        bootstrap_servers, registry = running.bootstrap_servers, running.registry_url
    else:
        kafka_port = ports.take("kafka", request.kafka_port)
        http_port = ports.take("registry", request.registry_port)
        artifacts = ensure_artifacts(cache_dir(), watcher.fetching, stop)
        bootstrap_servers, registry = f"{LOOPBACK}:{kafka_port}", registry_url(http_port)
        services = (
            kafka_service(state, artifacts, port=kafka_port, controller_port=ports.take("kafka-controller")),
            registry_service(state, artifacts, port=http_port, management_port=ports.take("registry-management")),
        )
    airflow_url = new_password = None
    if request.airflow:
        port = ports.take("airflow", request.airflow_port)
        new_password = local_airflow.prepare_home(state)
        airflow_url = local_airflow.airflow_addresses(state, port).url
        services += local_airflow.airflow_services(
            state, state / "log", port=port, bootstrap_servers=bootstrap_servers, registry_url=registry
        )
    ports.save()
    plan = Plan(
        state=state,
        bootstrap_servers=bootstrap_servers,
        registry_url=registry,
        airflow_url=airflow_url,
        services=services,
        owner=Identity.of(os.getpid()) if request.owned else None,
    )
    for service in services:
        if service.log.exists():
            service.log.replace(service.log.with_suffix(".log.1"))
    return plan, new_password


def _launch(state: Path, plan: Plan) -> None:
    """Start the supervisor in a session of its own: no terminal and no shell ends it."""
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    with (state / "log" / "supervisor.log").open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "stack.supervisor"],
            cwd=PROJECT_ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    assert supervisor.stdin is not None
    with supervisor.stdin as pipe:
        pipe.write(plan.hand_over().encode())
    # It outlives this process on purpose, and nobody waits for it.
    supervisor.returncode = 0


def _hand_over(state: Path, plan: Plan) -> None:
    """Give the running supervisor more services."""
    draft = state / f".{ADDITION_NAME}"
    draft.touch(mode=0o600)
    draft.write_text(plan.hand_over())
    draft.replace(state / ADDITION_NAME)


def _watch(state: Path, plan: Plan, watcher: Watcher, stop: threading.Event) -> Record:
    names = {service.name for service in plan.services}

    def give_up() -> None:
        stop_stack(state)

    deadline = time.monotonic() + SUPERVISOR_TIMEOUT_S
    while True:
        if stop.wait(POLL_S):
            give_up()
            raise Interrupted("the start was interrupted", hint="Everything that it started is stopped")
        record = read_record(state)
        if record is None or not names <= {process.name for process in record.processes}:
            if time.monotonic() > deadline:
                give_up()
                raise _supervisor_fault(state)
            continue
        watcher.look(record)
        for casualty in record.casualties():
            tail = "\n    ".join(last_lines(casualty.log))
            give_up()
            raise DependencyDown(
                f"{casualty.name} did not start: {casualty.fault}",
                where=str(casualty.log),
                hint=f"Everything that was started is stopped. The last lines of its log:\n    {tail}",
            )
        if record.is_ready():
            return record
        if not record.is_running():
            raise _supervisor_fault(state)


def _supervisor_fault(state: Path) -> DependencyDown:
    log = state / "log" / "supervisor.log"
    tail = "\n    ".join(last_lines(log))
    return DependencyDown(
        "the supervisor of the stack ended while the stack was starting",
        where=str(log),
        hint=f"The last lines of its log:\n    {tail}" if tail else "Somebody stopped it: run `streamproof up` again",
    )
