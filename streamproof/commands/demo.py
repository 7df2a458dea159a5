"""``streamproof demo``: from nothing to a verdict, through Airflow."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cluster.errors import EXIT_OK, VerdictFailed, VerdictUnknown
from cluster.text.names import DEFAULT_NAME
from streamproof.console import Output
from streamproof.flags.common import JsonFlag


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("demo")(demo_command)


def demo_command(
    *,
    once: Annotated[bool, typer.Option("--once", help="Stop at the end what this started.")] = False,
    events: Annotated[int, typer.Option(min=1, help="Events in all.")] = 200_000,
    shards: Annotated[int, typer.Option(min=1, max=16, help="Generators side by side.")] = 2,
    rate: Annotated[float, typer.Option(min=0, help="Events per second in all; 0 is full speed.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same events.")] = 7,
    topic: Annotated[str, typer.Option(help="Topic, created when it is missing.")] = DEFAULT_NAME,
    as_json: JsonFlag = False,
) -> int:
    """Rehearse a run in Airflow: start what is needed, trigger the Dag, follow it, print the verdict.

    A stack that runs already is used, given Airflow if it has none, and left running. --once stops what it started,
    which is then Airflow alone, or nothing. Without a terminal it behaves as with --once.

    Exit code 0 for PASSED, 65 for FAILED, 75 for UNKNOWN.
    """
    from streamproof.demo.rehearsal import demo

    once = once or not (sys.stdin.isatty() and sys.stdout.isatty())
    output = Output(as_json)
    result = demo(events=events, shards=shards, rate=rate, seed=seed, topic=topic, once=once, output=output)
    return {"PASSED": EXIT_OK, "UNKNOWN": VerdictUnknown.exit_code}.get(result["verdict"], VerdictFailed.exit_code)
