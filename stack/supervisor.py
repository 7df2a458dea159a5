"""The detached process that runs the services: ``python -m stack.supervisor``, with a plan on standard input.

It starts each service once, watches it, and writes what it sees into the record. It restarts nothing: a service
that ends by itself is named with its exit code, and the others run on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from stack.children import end, kill_leftovers, spawn
from stack.probes import fault_of
from stack.record import Identity, ProcessRecord, Record
from stack.service import Service

STARTING_POLL_S = 0.1
STEADY_POLL_S = 0.5
# `up` puts further services here while the supervisor runs.
ADDITION_NAME = "stack.addition.json"


class Plan(BaseModel):
    """What to run, the addresses to record, and the process, if any, whose end ends the stack."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Path
    bootstrap_servers: str
    registry_url: str
    airflow_url: str | None = None
    services: tuple[Service, ...]
    owner: Identity | None = None

    def hand_over(self) -> str:
        """Return the plan as text, with the environments."""
        return self.model_dump_json()


class Supervised:
    """One service on its way: waiting, preparing, starting, ready; or died, with its fault."""

    def __init__(self, service: Service, state: Path) -> None:
        self.service = service
        self.record = ProcessRecord.of(service)
        self._state = state
        self._to_prepare = list(service.prepare)
        self._process: subprocess.Popen[bytes] | None = None
        self._began = time.monotonic()

    @property
    def in_motion(self) -> bool:
        """Tell whether it is neither ready nor dead."""
        return self.record.stage in {"waiting", "preparing", "starting"}

    def advance(self, ready: set[str]) -> bool:
        """Look once, move on if possible, and tell whether anything changed.

        1. wait for the services that it needs
        2. run the preparing commands, one after the other
        3. start the process
        4. probe until it is ready
        5. watch it
        """
        before = self.record.model_copy()
        exit_code = self._process.poll() if self._process is not None else None
        match self.record.stage:
            case "waiting":
                if ready.issuperset(self.service.needs):
                    self._began = time.monotonic()
                    self._next()
            case "preparing":
                if exit_code == 0:
                    self._next()
                elif exit_code is not None:
                    self._died(f"a preparing command {_ending(exit_code)}")
            case "starting":
                if exit_code is not None:
                    self._died(f"it {_ending(exit_code)} before it was ready")
                else:
                    self._probe()
            case "ready":
                if exit_code is not None:
                    self._died(f"it {_ending(exit_code)} at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        return self.record != before

    def _next(self) -> None:
        command = self._to_prepare.pop(0) if self._to_prepare else None
        argv = command or self.service.argv
        try:
            self._process = spawn(
                argv,
                state=self._state,
                name=self.service.name,
                cwd=self.service.cwd,
                env={**os.environ, **self.service.env},
                log=self.service.log,
            )
        except OSError as error:
            self._died(f"{argv[0]} cannot be run: {error.strerror}")
            return
        self.record.process = Identity.of(self._process.pid)
        self.record.stage = "preparing" if command else "starting"

    def _probe(self) -> None:
        fault = fault_of(self.service.ready)
        elapsed = time.monotonic() - self._began
        if not fault:
            self.record.stage = "ready"
            self.record.seconds = round(elapsed, 1)
        elif elapsed > self.service.start_timeout_s:
            self._died(f"it was not ready after {self.service.start_timeout_s:.0f} s: {fault}")

    def _died(self, fault: str) -> None:
        self.record.stage = "died"
        self.record.fault = fault
        kill_leftovers(self._state, self.service.name)


class Supervisor:
    """All services of one state folder."""

    def __init__(self, plan: Plan) -> None:
        identity = Identity.of(os.getpid())
        assert identity is not None  # it is this very process
        self._state = plan.state
        self._owner = plan.owner
        self._services: list[Supervised] = []
        self._record = Record(
            supervisor=identity,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            bootstrap_servers=plan.bootstrap_servers,
            registry_url=plan.registry_url,
            processes=[],
        )
        self._add(plan)

    def run(self, stop: threading.Event) -> None:
        """Run until told to stop, or until the owner has ended; then end everything.

        A service that dies while the stack starts does not end the others: `up` decides that, because it is the
        one that reads the record and can say why.
        """
        while not stop.is_set() and (self._owner is None or self._owner.is_alive()):
            self._take_addition()
            ready = {each.service.name for each in self._services if each.record.stage == "ready"}
            changes = [each.advance(ready) for each in self._services]
            if any(changes):
                self._record.write(self._state)
            in_motion = any(each.in_motion for each in self._services)
            stop.wait(STARTING_POLL_S if in_motion else STEADY_POLL_S)
        end(self._state, self._leaders())
        (self._state / ADDITION_NAME).unlink(missing_ok=True)

    def _leaders(self) -> list[tuple[Identity, float]]:
        records = (each.record for each in self._services)
        return [(record.process, record.stop_grace_s) for record in records if record.process is not None]

    def _take_addition(self) -> None:
        addition = self._state / ADDITION_NAME
        if addition.exists():
            plan = Plan.model_validate_json(addition.read_bytes())
            addition.unlink()
            self._add(plan)

    def _add(self, plan: Plan) -> None:
        # A service of the same name that died gives way; one that lives stays.
        fresh = {service.name for service in plan.services}
        self._services = [
            each for each in self._services if each.service.name not in fresh or each.record.stage != "died"
        ]
        known = {each.service.name for each in self._services}
        self._services += [Supervised(service, self._state) for service in plan.services if service.name not in known]
        self._record.airflow_url = plan.airflow_url or self._record.airflow_url
        self._record.processes = [each.record for each in self._services]
        self._record.write(self._state)


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    return f"was ended by {signal.Signals(-exit_code).name}"


def main() -> None:
    """Read the plan, run it, and leave no record behind."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    plan = Plan.model_validate_json(sys.stdin.buffer.read())
    Supervisor(plan).run(stop)


if __name__ == "__main__":
    main()
