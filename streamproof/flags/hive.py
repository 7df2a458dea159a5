"""Flags of ``lake`` about the Hive table of clicks by category."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.errors import Misconfigured

if TYPE_CHECKING:
    from consumer.lake.hive.table import TableRequest

_PANEL = "A Hive table of clicks"
CLICKED_AT = "click_timestamp"
HiveFlag = Annotated[
    str | None,
    typer.Option(
        "--hive",
        metavar="[DATABASE.]TABLE",
        help="Then count the first topic's clicks, joined with the newest metadata of the second one's articles, into "
        "this Hive table: click_stream_by_category, for example.",
        rich_help_panel=_PANEL,
    ),
]
MetastoreFlag = Annotated[
    str | None,
    typer.Option(
        "--metastore",
        metavar="thrift://HOST:PORT",
        help="With --hive: the metastore. By default one in the lake, in its folder hive.",
        rich_help_panel=_PANEL,
    ),
]


def hive_asked(  # noqa: PLR0917 - what the flags say
    hive: str | None,
    metastore: str | None,
    topics: Sequence[str],
    folder: Path,
    master: str,
    memory: str,
    *,
    follow: bool,
) -> TableRequest | None:
    """Return the table that is asked for, if one is.

    :raises Misconfigured: the flags do not go together.
    """
    from consumer.lake.hive.table import TableRequest, check_request

    if hive is None:
        if metastore is not None:
            raise Misconfigured("--metastore needs --hive", hint="Name the table with --hive")
        return None
    if follow:
        raise Misconfigured(
            "--hive and --follow do not go together",
            hint="Follow with one command, and count with another, again and again",
        )
    if len(topics) != 2:
        raise Misconfigured(
            f"--hive joins two topics, and {len(topics)} {'is' if len(topics) == 1 else 'are'} named",
            hint="Name that of the clicks first, then that of the articles",
        )
    request = TableRequest(folder, topics[0], topics[1], hive, metastore, master, memory)
    check_request(request)
    return request
