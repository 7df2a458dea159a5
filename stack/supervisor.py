"""The detached process that runs the services: ``python -m stack.supervisor``, with a plan on standard input.

It starts each service, watches it, and writes what it sees into the record. A service that ends by itself is named with
its exit code and started again, within limits (`stack.supervised`); the others run on. A full disk does not end it:
what it cannot write it tries again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from stack.children import end
from stack.files import write_private
from stack.incidents import Incidents
from stack.record import Identity, Record, Security
from stack.services.service import Service
from stack.supervised import Supervised

STARTING_POLL_S = 0.1
# What is asked for, such as an incident, begins by as much later.
STEADY_POLL_S = 0.25
CHANGE_NAME = "stack.change.json"


class Change(BaseModel):
    """What `up` asks of a running supervisor: services to end, services to add, and dead ones to start again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    services: tuple[Service, ...] = ()
    end: tuple[str, ...] = ()
    again: tuple[str, ...] = ()

    def hand_over(self, state: Path) -> None:
        """Put the change where the supervisor looks; for its owner's eyes, because environments are in it."""
        write_private(state / CHANGE_NAME, self.model_dump_json().encode())

    @staticmethod
    def is_pending(state: Path) -> bool:
        """Tell whether the supervisor has not yet recorded what it was asked last."""
        return (state / CHANGE_NAME).exists()


class Plan(BaseModel):
    """What to run, and the process, if any, whose end ends the stack."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Path
    security: Security = "none"
    services: tuple[Service, ...]
    restart: bool = True
    owner: Identity | None = None


class Supervisor:
    """All services of one state folder."""

    def __init__(self, plan: Plan) -> None:
        identity = Identity.of(os.getpid())
        assert identity is not None  # it is this very process
        self._state = plan.state
        self._owner = plan.owner
        self._services: list[Supervised] = []
        self._incidents = Incidents(plan.state)
        self._recorded = False
        self._record = Record(
            supervisor=identity,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            security=plan.security,
            restart=plan.restart,
            processes=[],
        )
        self._apply(Change(services=plan.services))

    def run(self, stop: threading.Event) -> None:
        """Run until told to stop, or until the owner has ended; then end everything.

        A service that dies while the stack starts does not end the others: `up` decides that, because it is the
        one that reads the record and can say why.
        """
        try:
            while not stop.is_set() and (self._owner is None or self._owner.is_alive()):
                self._take_change()
                changed = self._incidents.look(self._services)
                ready = {each.service.name for each in self._services if each.record.stage == "ready"}
                changes = [each.advance(ready) for each in self._services]
                if changed or any(changes) or not self._recorded:
                    self._publish()
                in_motion = self._incidents.any_under_way or any(each.in_motion for each in self._services)
                stop.wait(STARTING_POLL_S if in_motion else STEADY_POLL_S)
        finally:
            self._incidents.end_all()
            end(self._state, self._leaders(last=False), last=self._leaders(last=True))
            (self._state / CHANGE_NAME).unlink(missing_ok=True)

    def _take_change(self) -> None:
        file = self._state / CHANGE_NAME
        if file.exists():
            self._apply(Change.model_validate_json(file.read_bytes()))
            # Last: whoever asked looks at the record as soon as this is gone.
            file.unlink()

    def _apply(self, change: Change) -> None:
        for name in reversed(change.end):
            end(self._state, self._leaders([name]), name)
        self._services = [each for each in self._services if each.service.name not in change.end]
        self._services += [Supervised(each, self._state, restart=self._record.restart) for each in change.services]
        for each in self._services:
            if each.service.name in change.again:
                each.start_again()
        self._publish()

    def _publish(self) -> None:
        self._record.processes = [each.record for each in self._services]
        told = (each.service.endpoints for each in self._services)
        self._record.endpoints = {name: endpoint for endpoints in told for name, endpoint in endpoints.items()}
        try:
            self._record.write(self._state)
            self._recorded = True
        except OSError as error:
            # A full disk must not end the services: the next round tries again. Its log may be on that disk too.
            if self._recorded:
                # Imported here: it would be a third of what a supervisor takes to start.
                import structlog

                with contextlib.suppress(OSError):
                    structlog.get_logger().warning(
                        "the record could not be written", state=str(self._state), error=error.strerror
                    )
            self._recorded = False

    def _leaders(
        self, names: Collection[str] | None = None, *, last: bool | None = None
    ) -> list[tuple[Identity, float]]:
        chosen = (each for each in self._services if names is None or each.service.name in names)
        records = (each.record for each in chosen if last in {None, each.service.ends_last})
        return [(record.process, record.stop_grace_s) for record in records if record.process is not None]


def main() -> None:
    """Read the plan, run it, and end everything when told to."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    plan = Plan.model_validate_json(sys.stdin.buffer.read())
    if plan.security != "none":
        # For the services and all that they start: what they write of secured topics is for its owner's eyes.
        os.umask(0o077)
    Supervisor(plan).run(stop)


if __name__ == "__main__":
    main()
