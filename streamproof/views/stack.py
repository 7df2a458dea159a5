"""What runs, as a person and a machine read it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from cluster.errors import DependencyDown
from cluster.local import state_dir
from stack.record import Record
from stack.security import properties_file, security_folder
from stack.status import ServiceStatus, StackStatus


def addresses(status: StackStatus) -> str:
    """Return where everything is, a line each."""
    record = status.record
    known: list[tuple[str, object]] = [(_heading(each.title), each.address) for each in record.endpoints.values()]
    known += [("Security", _secured(record)), ("State", state_dir())]
    width = max(len(name) for name, _ in known) + 1
    lines = (f"[bold]{name:<{width}}[/]{escape(str(value))}" for name, value in known if value is not None)
    return "\n".join(lines) + "\n"


def _heading(title: str) -> str:
    words = title.removeprefix("the ")
    return words[:1].upper() + words[1:]


def _secured(record: Record) -> str | None:
    properties = _client_properties(record)
    return f"{record.security}; Kafka's own tools take {properties}" if properties is not None else None


def _client_properties(record: Record) -> Path | None:
    return properties_file(security_folder(state_dir())) if record.security != "none" else None


def services_table(status: StackStatus) -> Table:
    """Return the services with their health, process, memory and age."""
    table = Table(box=None, pad_edge=False)
    for name in ("service", "version", "health"):
        table.add_column(name)
    for name in ("process", "memory", "up", "restarts"):
        table.add_column(name, justify="right")
    for service in status.services:
        table.add_row(
            service.name,
            service.version,
            _health(service),
            str(service.pid or ""),
            f"{service.memory_bytes / 1e6:.0f} MB",
            duration(service.uptime_s),
            str(service.restarts or ""),
        )
    return table


def _health(service: ServiceStatus) -> str:
    if service.healthy:
        return "[green]healthy[/]"
    return f"[red]{'no answer' if service.stage == 'ready' else service.stage}[/]"


def status_document(status: StackStatus) -> Mapping[str, Any]:
    """Return it all as ``--json`` prints it."""
    return {
        "state_dir": state_dir(),
        "bootstrap_servers": status.record.address("kafka"),
        "registry_url": status.record.address("registry"),
        "airflow_url": status.record.address("airflow"),
        "endpoints": {name: endpoint.address for name, endpoint in status.record.endpoints.items()},
        "security": status.record.security,
        "client_properties": _client_properties(status.record),
        "healthy": status.healthy,
        "space_fault": status.space_fault,
        "processes": [_process(service) for service in status.services],
    }


def _process(service: ServiceStatus) -> Mapping[str, Any]:
    return {
        "name": service.name,
        "version": service.version,
        "address": service.address,
        "stage": service.stage,
        "healthy": service.healthy,
        "fault": service.fault,
        "pid": service.pid,
        "memory_bytes": service.memory_bytes,
        "uptime_seconds": None if service.uptime_s is None else round(service.uptime_s, 1),
        "restarts": service.restarts,
        "ended": service.ended,
        "log": service.log,
        "log_tail": [] if service.healthy else service.log_tail(),
    }


def duration(seconds: float | None) -> str:
    """Return how long a service has been running, in words; empty where nobody knows."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def sick(status: StackStatus) -> DependencyDown:
    """Return what a stack comes to that runs and does not answer."""
    faults = "; ".join(f"{service.name}: {service.fault}" for service in status.services if not service.healthy)
    return DependencyDown(
        f"the stack runs, and does not answer: {faults}",
        where=str(state_dir()),
        hint="`streamproof status` shows the logs; `streamproof down`, then `streamproof up`, starts it again",
    )
