"""What runs, and how it is: from the record, the processes and an answer of each service."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.errors import DependencyDown
from stack.children import members
from stack.probes import fault_of
from stack.record import ProcessRecord, Record, last_lines, read_record
from stack.state import space_fault


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service. ``fault`` is empty when it is healthy, ``ended`` says how it ended last.

    Memory is PSS where the system knows it, else RSS.
    """

    name: str
    version: str
    address: str
    stage: str
    fault: str
    pid: int | None
    memory_bytes: int
    uptime_s: float | None
    restarts: int
    ended: str
    log: Path

    @property
    def healthy(self) -> bool:
        """Tell whether it answered as it should."""
        return not self.fault

    def log_tail(self) -> list[str]:
        """Return the last lines of its log."""
        return last_lines(self.log)


@dataclass(frozen=True, slots=True)
class StackStatus:
    """The whole stack. ``space_fault`` is a sentence when the disk of its state folder is full, or nearly."""

    record: Record
    services: tuple[ServiceStatus, ...]
    space_fault: str = ""

    @property
    def healthy(self) -> bool:
        """Tell whether every service is."""
        return all(service.healthy for service in self.services)


def stack_status(state: Path) -> StackStatus:
    """Look at the stack of a state folder. Each service is asked for an answer, all at once.

    :raises DependencyDown: nothing runs.
    """
    record = read_record(state)
    if record is None:
        raise DependencyDown("no local stack is running", where=str(state), hint="Run `streamproof up`")
    if not record.is_running():
        raise DependencyDown(
            f"no local stack is running; the one of {record.started} was not stopped: a crash or a reboot",
            where=str(state),
            hint="Run `streamproof up`, which clears it away and keeps its data",
        )
    with ThreadPoolExecutor(max_workers=len(record.processes) or 1) as pool:
        services = tuple(pool.map(lambda each: _look(state, each), record.processes))
        return StackStatus(record, services, space_fault(state))


def _look(state: Path, process: ProcessRecord) -> ServiceStatus:
    leaders = [process.process] if process.process is not None else []
    alive = process.process is not None and process.process.is_alive()
    stage = process.stage
    if stage != "ready":
        # It has said why; asking it again would only wait.
        fault = process.fault or f"it is {stage}"
    elif alive:
        fault = fault_of(process.ready)
    else:
        # The supervisor writes how it ended when it looks next.
        stage, fault = "died", "its process has ended"
    return ServiceStatus(
        name=process.name,
        version=process.version,
        address=process.address,
        stage=stage,
        fault=fault,
        pid=process.process.pid if process.process is not None and alive else None,
        memory_bytes=sum(map(_memory, members(state, leaders, process.name))),
        uptime_s=_uptime_s(process.process.pid) if process.process is not None and alive else None,
        restarts=process.restarts,
        ended=process.ended,
        log=process.log,
    )


def _memory(process: psutil.Process) -> int:
    """Return the memory of a process in bytes: its share of what it shares with others, if the system can tell."""
    with contextlib.suppress(psutil.Error):
        return int(getattr(process.memory_full_info(), "pss", 0) or process.memory_info().rss)
    return 0


def _uptime_s(pid: int) -> float | None:
    with contextlib.suppress(psutil.Error):
        return time.time() - psutil.Process(pid).create_time()
    return None
