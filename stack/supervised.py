"""One service on its way: waiting, preparing, starting, ready; restarting after it ended by itself; or died.

Stopped or frozen is one that was taken away on purpose (`stack.incidents`): that is no death, and it comes back.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

from cluster.incidents import Kind
from stack.children import Thaw, kill_leftovers, spawn
from stack.probes import Inquiry
from stack.record import IN_MOTION, Identity, ProcessRecord
from stack.services.service import Service

# A service that dies is started again as often as it has delays, and not once more within this window: what ends that
# often does not end by accident, and starting it over and over would bury the first words of its log.
RESTART_WINDOW_S = 300.0


class Supervised:
    """A service in the hands of the supervisor.

    :param restart: start it again, within limits, when it ends by itself after it was ready.
    """

    def __init__(self, service: Service, state: Path, *, restart: bool = True) -> None:
        self.service = service
        self.record = ProcessRecord.of(service)
        self._state = state
        self._to_prepare = list(service.prepare)
        self._process: subprocess.Popen[bytes] | None = None
        self._began = time.monotonic()
        self._restart = restart
        self._was_ready = False
        self._restarts: deque[float] = deque()
        self._due = 0.0
        self._inquiry: Inquiry | None = None
        self._answered = "it does not answer"
        self._away = False
        self._away_at = 0.0
        self._thaw: Thaw | None = None

    @property
    def in_motion(self) -> bool:
        """Tell whether it is neither ready nor dead."""
        return self.record.stage in IN_MOTION

    def start_again(self) -> None:
        """Start it anew if it died: somebody asked for it, so the restarts of before do not count any more."""
        if self.record.stage == "died":
            self._restarts.clear()
            self._process, self._due = None, 0.0
            self.record.stage, self.record.fault = "waiting", ""
            self.record.restarts += 1

    @property
    def is_away(self) -> bool:
        """Tell whether it was taken away, and not given back yet."""
        return self._away

    def take_away(self, kind: Kind) -> str:
        """Stop it by SIGTERM, kill it, or freeze it until it is given back; return why that cannot be, else nothing."""
        process = self.record.process
        if self._away or self.record.stage != "ready" or process is None or not process.is_alive():
            return f"{self.service.name} is {self.record.stage}, so that it cannot be taken away"
        self._away, self._away_at = True, time.monotonic()
        self.record.stage = "frozen" if kind == "freeze" else "stopped"
        done = {"stop": "stopped", "kill": "killed", "freeze": "frozen"}[kind]
        self.record.fault = f"it was {done} on purpose at {datetime.now(UTC):%H:%M:%S} UTC, and comes back"
        if kind == "freeze":
            self._thaw = Thaw(self._state, self.service.name, process.pid)
        number = {"stop": signal.SIGTERM, "kill": signal.SIGKILL, "freeze": signal.SIGSTOP}[kind]
        os.kill(process.pid, number)
        return ""

    def give_back(self) -> None:
        """Let what was taken away come back: thawed at once, started again when the one before has ended."""
        if not self._away:
            return
        self._away = False
        if self.record.stage == "frozen":
            self._melt()
            # It has to answer before it counts: the others may have given it up meanwhile.
            self._began, self._inquiry = time.monotonic(), None
            self.record.stage, self.record.fault = "starting", ""

    def _melt(self) -> None:
        if self._thaw is not None:
            self._thaw.now()
            self._thaw = None

    def advance(self, ready: set[str]) -> bool:
        """Look once, move on if possible, and tell whether anything changed.

        1. wait for the services that it needs
        2. run the preparing commands, one after the other
        3. start the process
        4. probe until it is ready
        5. watch it; when it ends by itself, wait a while and go to 3, within limits

        What is taken away on purpose ends without having died, and goes to 3 when it is given back.
        """
        before = self.record.model_copy()
        exit_code = self._process.poll() if self._process is not None else None
        match self.record.stage:
            case "waiting" | "restarting":
                if time.monotonic() >= self._due and ready.issuperset(self.service.needs):
                    self._began = time.monotonic()
                    self._next()
            case "preparing":
                if exit_code == 0:
                    # Only what ended well is done: a start that comes again begins where this one failed.
                    self._to_prepare.pop(0)
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
            case "ready" | "frozen":
                self._watch(exit_code)
            case "stopped":
                self._stopped(ended=exit_code is not None)
        return self.record != before

    def _watch(self, exit_code: int | None) -> None:
        if exit_code is not None:
            self._away = False
            self._melt()
            self._died(f"it {_ending(exit_code)} at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")

    def _stopped(self, *, ended: bool) -> None:
        """See that it ends within its grace, and start it again once it was given back."""
        late = time.monotonic() - self._away_at > self.service.stop_grace_s
        if self.record.process is not None and (ended or late):
            kill_leftovers(self._state, self.record.process, self.service.name)
            self.record.process = None
        if self.record.process is None and not self._away:
            self._began = time.monotonic()
            self.record.fault = ""
            self._next()

    def _next(self) -> None:
        command = self._to_prepare[0] if self._to_prepare else None
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
        self._inquiry = None
        self.record.process = Identity.of(self._process.pid)
        self.record.stage = "preparing" if command else "starting"

    def _probe(self) -> None:
        self._inquiry = self._inquiry or Inquiry(self.service.ready)
        fault = self._inquiry.fault
        if fault is None:
            self._check_time(self._answered)
            return
        self._inquiry, self._answered = None, fault
        if fault:
            self._check_time(fault)
        else:
            self._was_ready = True
            self.record.stage, self.record.fault = "ready", ""
            self.record.seconds = round(time.monotonic() - self._began, 1)

    def _check_time(self, fault: str) -> None:
        if time.monotonic() - self._began > self.service.start_timeout_s:
            self._died(f"it was not ready after {self.service.start_timeout_s:.0f} s: {fault}")

    def _died(self, fault: str) -> None:
        self.record.ended = fault
        if self.record.process is not None:
            kill_leftovers(self._state, self.record.process, self.service.name)
        now = time.monotonic()
        while self._restarts and now - self._restarts[0] > RESTART_WINDOW_S:
            self._restarts.popleft()
        delays_s = self.service.restart_delays_s
        if self._restart and self._was_ready and len(self._restarts) < len(delays_s):
            self._due = now + delays_s[len(self._restarts)]
            self._restarts.append(now)
            self.record.restarts += 1
            self.record.stage, self.record.fault = "restarting", f"{fault}; it is started again"
            return
        often = f"; it was started again {len(self._restarts)} times within {RESTART_WINDOW_S / 60:.0f} minutes"
        self.record.stage = "died"
        self.record.fault = fault + (often if self._restarts else "")


def _ending(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    return f"was ended by {signal.Signals(-exit_code).name}"
