"""Ending the stack: exactly what ``up`` started, whatever state it is in."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from stack.children import POLL_S, end, members
from stack.record import Identity, read_record, remove_record

# The supervisor ends its services in parallel; the longest grace is 10 s, and killing takes moments.
SUPERVISOR_GRACE_S = 12.0


def stop_stack(state: Path) -> list[str]:
    """End the stack of a state folder within 15 s and return the names of the services that were ended.

    1. ask the supervisor, which asks its services and waits for them
    2. end what is left: all of it, when the supervisor itself was killed
    3. forget the record
    """
    record = read_record(state)
    if record is None:
        names = sorted({process.name() for process in members(state)})
        end(state, ())
        return names
    leaders = [(each.process, each.stop_grace_s) for each in record.processes if each.process is not None]
    names = [each.name for each in record.processes if each.process is not None and each.process.is_alive()]
    if record.is_running():
        _tell(record.supervisor, signal.SIGTERM)
        deadline = time.monotonic() + SUPERVISOR_GRACE_S
        while record.is_running() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if record.is_running():
            _tell(record.supervisor, signal.SIGKILL)
    end(state, leaders)
    remove_record(state)
    return names


def _tell(process: Identity, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended just now
        os.kill(process.pid, number)
