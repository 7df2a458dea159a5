"""Flags that several commands take, each with one meaning and one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout; logs go to stderr.")]
TopicArgument = Annotated[str, typer.Argument(help="Topic that the events went to.")]
RunFlag = Annotated[str | None, typer.Option("--run-id", metavar="ID", help="Run to look at; the latest by default.")]
WarehouseFlag = Annotated[
    str | None,
    typer.Option(
        "--warehouse",
        "--to",
        metavar="FILE|ADDRESS",
        help="DuckDB file, or postgresql://user@host/db. By default STREAMPROOF_WAREHOUSE, or "
        "<topic>.duckdb in the state folder.",
    ),
]
ExitCodeFlag = Annotated[
    bool, typer.Option("--exit-code", help="End with 65 where the two differ or something is refused; for CI.")
]
WaitFlag = Annotated[
    float, typer.Option("--wait", min=0, help="Seconds to wait for another process that has the warehouse open.")
]
DurationFlag = Annotated[
    str | None,
    typer.Option(
        "--wait",
        metavar="DURATION",
        help="How long to wait for another process that has the warehouse open, 10s by default; with --at, for events "
        "that are still on their way. A number of seconds, or as in 90s or 5m.",
    ),
]
PublicationsFlag = Annotated[
    Path | None, typer.Option("--publications", help="Folder of snapshots and reports; in the state folder by default.")
]
