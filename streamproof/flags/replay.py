"""Flags of ``replay``: which files go where, by which clock, and how many rows may be set aside."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from cluster.errors import Misconfigured

_PANEL = "Files and topics"
_CLOCK = "Original timing"

FolderArgument = Annotated[
    Path | None, typer.Argument(help="Folder of the files; PRODUCER_DATA_ROOT_DIRECTORY if not given.")
]
FeedFlag = Annotated[
    list[Path] | None,
    typer.Option(
        "--feed",
        metavar="FILE.yaml",
        help="Replay what this file says (kind: replay) instead of clicks and articles; again for more.",
        rich_help_panel=_PANEL,
    ),
]
TopicFlag = Annotated[
    str | None,
    typer.Option("--topic", help="Topic of the clicks; KAFKA_TOPIC, or click_stream.", rich_help_panel=_PANEL),
]
MetadataTopicFlag = Annotated[
    str | None,
    typer.Option(
        "--metadata-topic",
        help="Topic of the articles; KAFKA_METADATA_TOPIC, or click_stream_metadata.",
        rich_help_panel=_PANEL,
    ),
]
ClicksPrefixFlag = Annotated[
    str | None,
    typer.Option("--clicks-prefix", help="What files of clicks begin with: clicks_hour_.", rich_help_panel=_PANEL),
]
ArticlesPrefixFlag = Annotated[
    str | None,
    typer.Option(
        "--articles-prefix", help="What files of articles begin with: articles_metadata.", rich_help_panel=_PANEL
    ),
]
SuffixFlag = Annotated[
    str | None,
    typer.Option("--suffix", help="What the files end with, .csv; .gz or .zst may follow.", rich_help_panel=_PANEL),
]
MostSetAsideFlag = Annotated[
    str | None,
    typer.Option(
        "--most-set-aside",
        metavar="N|P%",
        help="Send nothing and fail (65) if more rows of a feed cannot be taken; by default, if none can.",
        rich_help_panel=_PANEL,
    ),
]
StrictFlag = Annotated[bool, typer.Option("--strict", help="The same as --most-set-aside 0.", rich_help_panel=_PANEL)]
SpeedFlag = Annotated[
    float | None,
    typer.Option(
        "--speed",
        help="Send each row when it happened, so many times as fast: 1 is the original, 60 an hour in a minute.",
        rich_help_panel=_CLOCK,
    ),
]
LongestGapFlag = Annotated[
    str | None,
    typer.Option(
        "--longest-gap",
        metavar="DURATION",
        help="Of event time: where nothing happened for longer, the rest is left out. 10s, 5m.",
        rich_help_panel=_CLOCK,
    ),
]
ClockFromFlag = Annotated[
    str | None,
    typer.Option(
        "--clock-from",
        metavar="TIME",
        help="Event time at which the clock begins; what is earlier goes at once. By default the first click, with "
        "--feed the earliest of all.",
        rich_help_panel=_CLOCK,
    ),
]
OrderFlag = Annotated[
    str | None,
    typer.Option(
        "--order",
        metavar="file|time",
        help="Send rows in the order of the files, or of their times; by time with --speed.",
        rich_help_panel=_CLOCK,
    ),
]
ReadyWaitFlag = Annotated[
    str | None,
    typer.Option(
        "--wait",
        metavar="DURATION",
        help="The longest wait for brokers and registry; PRODUCER_DOCKER_INITIALIZE_WAIT_TIME, or none.",
    ),
]


def most_set_aside(text: str | None, *, strict: bool) -> float | None:
    """Return how many rows may be set aside: a share below 1, a number, or ``None`` for any.

    :raises Misconfigured: it is neither, or contradicts ``--strict``.
    """
    if text is None:
        return 0.0 if strict else None
    if strict:
        raise Misconfigured("--strict and --most-set-aside are both given", hint="Give one of them")
    wrong = Misconfigured(
        f"{text!r} is neither a number of rows nor a share", hint="Write --most-set-aside 20, or 0.5%"
    )
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise wrong from None
    if text.endswith("%"):
        if not 0 <= value < 100:
            raise wrong
        return value / 100
    if not 0 <= value < math.inf or value != int(value):
        raise wrong
    return value
