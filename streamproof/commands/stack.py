"""``streamproof up``, ``down`` and ``status``: the local Kafka, registry and Airflow."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cluster.errors import EXIT_OK, DependencyDown, StoreFull
from cluster.local import state_dir
from stack.airflow import ADMIN, password_file
from stack.down import stop_stack
from stack.record import Record
from stack.request import UpRequest
from stack.security import Security, properties_file, security_folder
from stack.status import ServiceStatus, StackStatus, stack_status
from stack.up import up
from streamproof.console import Output, print_error
from streamproof.flags import JsonFlag
from streamproof.start_view import start_view

PORT_HELP = "Port on 127.0.0.1 for {}; without it last time's, or a free one."


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("up")(up_command)
    app.command("down")(down_command)
    app.command("status")(status_command)


def up_command(
    *,
    airflow: Annotated[bool, typer.Option("--airflow", help="Start Airflow too, or add it to what runs.")] = False,
    kafka_port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help=PORT_HELP.format("Kafka"))
    ] = None,
    registry_port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help=PORT_HELP.format("the registry"))
    ] = None,
    airflow_port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help=PORT_HELP.format("Airflow"))
    ] = None,
    security: Annotated[
        Security | None,
        typer.Option(help="Secure Kafka: TLS, TLS with client certificates, or TLS with SCRAM passwords."),
    ] = None,
    restart: Annotated[
        bool | None,
        typer.Option(help="Start a service that dies again, within limits; without either: yes.", show_default=False),
    ] = None,
    as_json: JsonFlag = False,
) -> int:
    """Start a real Kafka and a real Schema Registry on this machine, and Airflow if asked.

    Where a stack runs, it starts what is missing and what died, waits for what starts already, and leaves others alone.
    """
    state = state_dir()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    request = UpRequest(
        airflow=airflow,
        security=security,
        kafka_port=kafka_port,
        registry_port=registry_port,
        airflow_port=airflow_port,
        restart=restart,
    )
    with start_view() as watcher:
        result = up(state, request, watcher, stop)
    status = stack_status(state)
    output = Output(as_json)
    if not result.started:
        output.show(f"The stack runs already, since {status.record.started}.")
    if result.again:
        output.show(f"Started again: {', '.join(result.again)}. What ran was left alone.")
    output.show(_addresses(status), _table(status))
    if result.new_password:
        output.show(f"Airflow: user [bold]{ADMIN}[/], password [bold]{escape(result.new_password)}[/], shown once")
        output.show(f"  and kept in {password_file(state)}")
    document = {**_document(status), "started": result.started}
    if not status.healthy:
        error = _sick(status)
        output.document(document | {"error": error.document()})
        print_error(error, as_json=False)
        return error.exit_code
    output.show("Every command finds this stack by itself. `streamproof down` stops it.")
    output.document(document)
    return EXIT_OK


def _sick(status: StackStatus) -> DependencyDown:
    faults = "; ".join(f"{service.name}: {service.fault}" for service in status.services if not service.healthy)
    return DependencyDown(
        f"the stack runs, and does not answer: {faults}",
        where=str(state_dir()),
        hint="`streamproof status` shows the logs; `streamproof down`, then `streamproof up`, starts it again",
    )


def down_command(as_json: JsonFlag = False) -> None:
    """Stop what `up` started; its data stays."""
    stopped = stop_stack(state_dir())
    output = Output(as_json)
    output.show(f"Stopped {', '.join(stopped)}." if stopped else "Nothing was running.")
    output.document({"state_dir": state_dir(), "stopped": stopped})


def status_command(as_json: JsonFlag = False) -> int:
    """Show what runs, where, and how it is; exit with 69 unless everything answers, with 74 when the disk is full."""
    status = stack_status(state_dir())
    output = Output(as_json)
    output.show(_addresses(status), _table(status))
    for service in status.services:
        if not service.healthy:
            output.show(f"\n[bold red]{service.name}[/]: {escape(service.fault)}\n{escape(str(service.log))} ends with")
            # Text, because a log may hold what reads like markup.
            tail = "\n".join(f"    {line}" for line in service.log_tail())
            output.show(Text(tail, no_wrap=True, overflow="ignore"))
    if status.space_fault:
        output.show(
            f"\n[bold red]No space[/]: {status.space_fault}; what the services write fails, and this may be old"
        )
    output.document(_document(status))
    if not status.healthy:
        return DependencyDown.exit_code
    return StoreFull.exit_code if status.space_fault else EXIT_OK


def _addresses(status: StackStatus) -> str:
    record = status.record
    known = (
        ("Kafka", record.bootstrap_servers),
        ("Registry", record.registry_url),
        ("Airflow", record.airflow_url),
        ("Security", _secured(record)),
        ("State", state_dir()),
    )
    return "\n".join(f"[bold]{name:<9}[/]{escape(str(value))}" for name, value in known if value is not None) + "\n"


def _secured(record: Record) -> str | None:
    properties = _client_properties(record)
    return f"{record.security}; Kafka's own tools take {properties}" if properties is not None else None


def _client_properties(record: Record) -> Path | None:
    return properties_file(security_folder(state_dir())) if record.security != "none" else None


def _table(status: StackStatus) -> Table:
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
            _duration(service.uptime_s),
            str(service.restarts or ""),
        )
    return table


def _health(service: ServiceStatus) -> str:
    if service.healthy:
        return "[green]healthy[/]"
    return f"[red]{'no answer' if service.stage == 'ready' else service.stage}[/]"


def _document(status: StackStatus) -> Mapping[str, Any]:
    return {
        "state_dir": state_dir(),
        "bootstrap_servers": status.record.bootstrap_servers,
        "registry_url": status.record.registry_url,
        "airflow_url": status.record.airflow_url,
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


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
