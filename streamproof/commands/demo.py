"""``streamproof demo`` and ``demo-lake``: from nothing to a verdict, through Airflow, and through Spark."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from cluster.errors import EXIT_OK, VerdictFailed, VerdictUnknown
from cluster.text.names import DEFAULT_NAME
from streamproof.console import Output
from streamproof.flags.common import JsonFlag


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("demo")(demo_command)
    app.command("demo-lake")(demo_lake_command)


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


def demo_lake_command(
    *,
    once: Annotated[bool, typer.Option("--once", help="Stop at the end what this started.")] = False,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Files to replay; the sample files unless given.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="LAKE", help="Folder of the lake; in the state folder unless given.")
    ] = None,
    master: Annotated[str, typer.Option(help="Where Spark computes: local[2], spark://host:port.")] = "local[2]",
    memory: Annotated[str, typer.Option(help="Heap of Spark's driver.")] = "1g",
    table_format: Annotated[
        Literal["parquet", "delta"], typer.Option("--format", help="How the lake keeps its events.")
    ] = "parquet",
    as_json: JsonFlag = False,
) -> int:
    """Replay files of clicks to Kafka, write a lake with Spark, count it into a Hive table, and prove both.

    It needs the environment of the lake (`make lake`) and no Airflow. A stack that runs already is used and left
    running; --once stops what it started. Without a terminal it behaves as with --once. A lake that is there is gone on
    with: the run is added to those before.

    Exit code 0 for PASSED, 65 for FAILED, 75 for UNKNOWN.
    """
    from cluster.local import state_dir
    from streamproof.demo.lake import SAMPLES, LakeDemo, demo_lake

    once = once or not (sys.stdin.isatty() and sys.stdout.isatty())
    asked = LakeDemo(
        (folder or SAMPLES).absolute(), (to or state_dir() / "lake").absolute(), master, memory, table_format
    )
    result = demo_lake(asked, once=once, output=Output(as_json))
    return {"PASSED": EXIT_OK, "UNKNOWN": VerdictUnknown.exit_code}.get(result["verdict"], VerdictFailed.exit_code)
