"""The record of a stack: ``stack.json`` in the state folder, replaced whole at every change.

The supervisor is its only writer while it lives. ``cluster.local`` reads the addresses from it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cluster.local import RECORD_NAME, Endpoint, as_written_now, process_started
from stack.files import READABLE, write_private
from stack.services.service import Probe, Service

LOG_TAIL_LINES = 12
# Of a record, and of what is handed to the supervisor that wrote it. 1 had its addresses in fields of their own.
FORMAT = 2
# How a stack is secured: see `stack.security`, which the supervisor does without, as it starts before anything else.
Security = Literal["none", "tls", "mtls", "scram"]
IN_MOTION = frozenset({"waiting", "preparing", "starting", "restarting"})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Identity(_Part):
    """One process, told apart from every later one with the same number."""

    pid: int
    started_at: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Return the identity of a living process."""
        started = process_started(pid)
        return cls(pid=pid, started_at=started) if started is not None else None

    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        return process_started(self.pid) == self.started_at

    def owns_its_session(self) -> bool:
        """Tell whether the session that this process founded, dead or alive, is still the one of that number.

        The kernel gives no number anew while a session has it, so a dead founder's session is its own unless
        somebody else has the number now, or the machine was started again.
        """
        now = process_started(self.pid)
        if now is not None:
            return now == self.started_at
        this_boot = (process_started(os.getpid()) or "").partition("/")[0]
        return self.started_at.partition("/")[0] == this_boot


class ProcessRecord(_Part):
    """One service as the supervisor last saw it."""

    name: str
    version: str
    address: str
    log: Path
    ready: Probe
    stop_grace_s: float
    stage: Literal["waiting", "preparing", "starting", "ready", "restarting", "died", "stopped", "frozen"] = "waiting"
    process: Identity | None = None
    seconds: float | None = None
    fault: str = Field(default="", description="why it does not run; empty when it does")
    ended: str = Field(default="", description="how it ended last, also when it runs again")
    restarts: int = Field(default=0, description="how often it was started again")

    @classmethod
    def of(cls, service: Service) -> ProcessRecord:
        """Return the record of a service that has not started."""
        return cls(
            name=service.name,
            version=service.version,
            address=service.address,
            log=service.log,
            ready=service.ready,
            stop_grace_s=service.stop_grace_s,
        )


class Record(_Part):
    """A stack: who supervises it, where it answers, and how each service is."""

    format: int = FORMAT
    supervisor: Identity
    started: str
    endpoints: dict[str, Endpoint] = Field(default_factory=dict, description="what each service tells, by its name")
    security: Security = "none"
    restart: bool = Field(default=True, description="whether a service that dies is started again")
    processes: list[ProcessRecord]

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_version(cls, record: Any) -> Any:
        return as_written_now(record) if isinstance(record, dict) else record

    def address(self, name: str) -> str | None:
        """Return where something answers, ``None`` if nothing of that name is told."""
        return self.endpoints[name].address if name in self.endpoints else None

    @property
    def brokers(self) -> list[ProcessRecord]:
        """Return the services that are Kafka's brokers."""
        return [process for process in self.processes if process.ready.kind == "kafka"]

    def is_running(self) -> bool:
        """Tell whether the supervisor that wrote this still runs."""
        return self.supervisor.is_alive()

    def is_ready(self) -> bool:
        """Tell whether every service has become ready and none has died."""
        return all(process.stage == "ready" for process in self.processes)

    def in_motion(self) -> list[ProcessRecord]:
        """Return the services that are on their way to be ready."""
        return [process for process in self.processes if process.stage in IN_MOTION]

    def casualties(self) -> list[ProcessRecord]:
        """Return the services that ended without being told to, and that nothing starts again by itself."""
        return [process for process in self.processes if process.stage == "died"]

    def write(self, state: Path) -> None:
        """Replace the record in one step."""
        write_private(state / RECORD_NAME, self.model_dump_json(indent=1).encode(), mode=READABLE)


def read_record(state: Path) -> Record | None:
    """Return the record, or ``None`` when there is none or it is no record of ours."""
    try:
        return Record.model_validate_json((state / RECORD_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def remove_record(state: Path) -> None:
    """Forget the stack."""
    (state / RECORD_NAME).unlink(missing_ok=True)


def last_lines(log: Path, count: int = LOG_TAIL_LINES) -> list[str]:
    """Return the end of a log, reading no more than 16 KiB of it."""
    try:
        with log.open("rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - 16_384))
            return handle.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []
