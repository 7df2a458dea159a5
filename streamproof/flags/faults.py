"""Flags of ``produce`` for what goes wrong, or changes, on purpose."""

from __future__ import annotations

from typing import Annotated

import typer

FaultFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="NAME=AMOUNT",
        help="Inject a fault: below 1 or with % a share of the events, else a number of them. Give it again for more: "
        "--fault duplicate=0.001 --fault undecodable.truncated=5. The guide to faults lists the names.",
    ),
]
IncidentFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--incident",
        metavar="WHEN: WHAT for TIME",
        help="Take a broker or the registry of the local stack away while the run goes: stop, kill or freeze. Give it "
        'again for more: --incident "30s: stop broker 2 for 20s" --incident "60s: freeze registry for 5s".',
    ),
]
NextVersionShareFlag = Annotated[
    float, typer.Option("--next-version-share", help="Write this share of the events with the next schema version.")
]
NextVersionRampFlag = Annotated[
    bool,
    typer.Option("--next-version-ramp", help="Go over to the next schema version, from no event to all, over the run."),
]
