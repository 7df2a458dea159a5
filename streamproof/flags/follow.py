"""Flags of a load that goes on and on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from cluster.errors import Misconfigured
from cluster.text.durations import seconds_in

SHORTEST_COMMIT_S = 0.05

FollowFlag = Annotated[
    bool,
    typer.Option("--follow", help="Go on when all is loaded: store what comes, in small batches, until Ctrl-C."),
]
ForFlag = Annotated[
    str | None, typer.Option("--for", metavar="DURATION", help="With --follow: end after this time, as in 90s or 5m.")
]
CommitEveryFlag = Annotated[
    str | None,
    typer.Option("--commit-every", metavar="DURATION", help="With --follow: how often to commit; 500ms by default."),
]
PublishEveryFlag = Annotated[
    str | None,
    typer.Option(
        "--publish-every",
        metavar="DURATION",
        help="With --follow: look this often whether a run has ended, and audit, check and publish it if so. The "
        "warehouse is closed meanwhile; records wait in Kafka.",
    ),
]


@dataclass(frozen=True, slots=True)
class FollowFlags:
    """What they say, in seconds; ``None`` where nothing is said."""

    for_s: float | None
    commit_s: float | None
    publish_s: float | None

    @classmethod
    def read(
        cls, *, follows: bool, for_: str | None, commit_every: str | None, publish_every: str | None
    ) -> FollowFlags:
        """Read them.

        :raises Misconfigured: one is given without ``--follow``, is no duration, or is too short.
        """
        given = {"--for": for_, "--commit-every": commit_every, "--publish-every": publish_every}
        said = {flag: text for flag, text in given.items() if text is not None}
        if said and not follows:
            raise Misconfigured(f"{', '.join(said)} is for --follow", hint="Give --follow too, or leave it out")
        seconds = {flag: _seconds(flag, text) for flag, text in said.items()}
        if seconds.get("--commit-every", SHORTEST_COMMIT_S) < SHORTEST_COMMIT_S:
            raise Misconfigured("that is too often", where="--commit-every", hint="Give 50ms or more")
        return cls(*(seconds.get(flag) for flag in given))


def _seconds(flag: str, text: str) -> float:
    seconds = seconds_in(text)
    if seconds <= 0:
        raise Misconfigured(
            f"{text!r} is no time", where=flag, hint="Write a number and ms, s, m or h, as in 90s or 5m"
        )
    return seconds
