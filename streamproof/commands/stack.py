"""``streamproof up``, ``down`` and ``status``: the local Kafka, registry and Airflow."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer
from rich.markup import escape
from rich.text import Text

from cluster.errors import EXIT_OK, DependencyDown, StoreFull
from cluster.local import state_dir
from stack.record import Security
from streamproof.console import Output, print_error
from streamproof.flags.common import JsonFlag
from streamproof.flags.components import Components, takes_components


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("up")(takes_components(up_command))
    app.command("down")(down_command)
    app.command("status")(status_command)


def up_command(
    *,
    asked: Components,
    security: Annotated[
        Security | None,
        typer.Option(help="Secure Kafka: TLS, TLS with client certificates, or TLS with SCRAM passwords."),
    ] = None,
    brokers: Annotated[
        int | None,
        typer.Option(
            "--brokers",
            metavar="1|3",
            help="Brokers of Kafka: 1, or 3 that replicate; without it as many as the storage has, or 1.",
        ),
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
    from stack.request import UpRequest
    from stack.status import stack_status
    from stack.up import up
    from streamproof.views.stack import addresses, services_table, sick, status_document
    from streamproof.views.start import start_view

    state = state_dir()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    request = UpRequest(
        components=asked.components,
        ports=asked.ports,
        security=security,
        brokers=brokers,
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
    output.show(addresses(status), services_table(status))
    for login in result.logins:
        shown = f"user [bold]{login.user}[/], password [bold]{escape(login.password)}[/], shown once"
        output.show(f"{login.title}: {shown}")
        output.show(f"  and kept in {login.file}")
    document = {**status_document(status), "started": result.started}
    if not status.healthy:
        error = sick(status)
        output.document(document | {"error": error.document()})
        print_error(error, as_json=False)
        return error.exit_code
    output.show("Every command finds this stack by itself. `streamproof down` stops it.")
    output.document(document)
    return EXIT_OK


def down_command(as_json: JsonFlag = False) -> None:
    """Stop what `up` started; its data stays."""
    from stack.down import stop_stack

    stopped = stop_stack(state_dir())
    output = Output(as_json)
    output.show(f"Stopped {', '.join(stopped)}." if stopped else "Nothing was running.")
    output.document({"state_dir": state_dir(), "stopped": stopped})


def status_command(as_json: JsonFlag = False) -> int:
    """Show what runs, where, and how it is; exit with 69 unless everything answers, with 74 when the disk is full."""
    from stack.status import stack_status
    from streamproof.views.stack import addresses, services_table, status_document

    status = stack_status(state_dir())
    output = Output(as_json)
    output.show(addresses(status), services_table(status))
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
    output.document(status_document(status))
    if not status.healthy:
        return DependencyDown.exit_code
    return StoreFull.exit_code if status.space_fault else EXIT_OK
