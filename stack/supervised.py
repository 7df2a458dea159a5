"""One service on its way: waiting, preparing, starting, ready; or died, with its fault."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from stack.children import kill_leftovers, spawn
from stack.probes import fault_of
from stack.record import Identity, ProcessRecord
from stack.service import Service


class Supervised:
    """A service in the hands of the supervisor. It is started once."""

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
                else:
                    self._check_time("its preparation has not ended")
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
        if fault:
            self._check_time(fault)
        else:
            self.record.stage = "ready"
            self.record.seconds = round(time.monotonic() - self._began, 1)

    def _check_time(self, fault: str) -> None:
        if time.monotonic() - self._began > self.service.start_timeout_s:
            self._died(f"it was not ready after {self.service.start_timeout_s:.0f} s: {fault}")

    def _died(self, fault: str) -> None:
        self.record.stage = "died"
        self.record.fault = fault
        if self.record.process is not None:
            kill_leftovers(self._state, self.record.process, self.service.name)


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    return f"was ended by {signal.Signals(-exit_code).name}"
