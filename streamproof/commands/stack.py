"""``streamproof up``, ``down`` and ``status``: the local Kafka, registry and Airflow."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cluster.local import state_dir
from stack.down import stop_stack
from stack.record import Record
from stack.up import UpRequest, up
from streamproof.console import JsonFlag, Output, stderr

PortFlag = Annotated[int | None, typer.Option(metavar="PORT")]


class _Lines:
    """Shows the start as plain lines."""

    @contextmanager
    def fetching(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        """Say what is fetched."""
        stderr.print(f"fetching {name} ({size / 1e6:.0f} MB)")
        yield lambda _arrived: None

    def say(self, sentence: str) -> None:
        """Print the sentence."""
        stderr.print(sentence)

    def look(self, record: Record) -> None:
        """Say nothing yet."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("up")(up_command)
    app.command("down")(down_command)


def up_command(
    airflow: Annotated[bool, typer.Option("--airflow", help="Start Airflow too.")] = False,
    kafka_port: PortFlag = None,
    registry_port: PortFlag = None,
    airflow_port: PortFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Start a real Kafka and a real Schema Registry on this machine, and Airflow if asked."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    request = UpRequest(airflow=airflow, kafka_port=kafka_port, registry_port=registry_port, airflow_port=airflow_port)
    record = up(state_dir(), request, _Lines(), stop).record
    output = Output(as_json)
    output.show(record.bootstrap_servers, record.registry_url, record.airflow_url or "")
    output.document({"state_dir": state_dir(), **record.model_dump(mode="json")})


def down_command(as_json: JsonFlag = False) -> None:
    """Stop what `up` started."""
    stopped = stop_stack(state_dir())
    output = Output(as_json)
    output.show(f"stopped: {', '.join(stopped)}" if stopped else "nothing is running")
    output.document({"stopped": stopped})
