"""Ending the stack: exactly what ``up`` started, whatever state it is in."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from stack.children import POLL_S, end, members, supervisors
from stack.record import Identity, read_record, remove_record

# Together under 15 s: a service's grace is 10 s at most (`stack.services.service`), and killing takes moments.
SUPERVISOR_GRACE_S = 12.5
ORPHANS_GRACE_S = 1.0


def stop_stack(state: Path) -> list[str]:
    """End the stack of a state folder within 15 s and return the names of the services that were ended.

    1. ask the supervisor, which asks its services and waits for them
    2. end what is left: nothing, or all of it when the supervisor itself was killed
    3. forget the record
    """
    record = read_record(state)
    if record is None:
        # One that has no record yet, or could not write one, must not start anything behind our back.
        for supervisor in filter(None, (Identity.of(process.pid) for process in supervisors(state))):
            _end_supervisor(supervisor)
        left = sorted({process.name() for process in members(state)})
        end(state, ())
        return left
    leaders = [(each.process, each.stop_grace_s) for each in record.processes if each.process is not None]
    names = [each.name for each in record.processes if each.process is not None and each.process.is_alive()]
    if record.is_running():
        _end_supervisor(record.supervisor)
        leaders = [(leader, min(grace_s, ORPHANS_GRACE_S)) for leader, grace_s in leaders]
    end(state, leaders)
    # A start that came in between has a record of its own.
    latest = read_record(state)
    if latest is None or latest.supervisor == record.supervisor:
        remove_record(state)
    return names


def _end_supervisor(supervisor: Identity) -> None:
    _tell(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + SUPERVISOR_GRACE_S
    while supervisor.is_alive() and time.monotonic() < deadline:
        time.sleep(POLL_S)
    if supervisor.is_alive():
        _tell(supervisor, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # only its own parent, such as a test, has to take note
        os.waitpid(supervisor.pid, os.WNOHANG)


def _tell(process: Identity, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended just now
        os.kill(process.pid, number)
