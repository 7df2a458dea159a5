"""``streamproof tail``: the records of a topic, decoded, whatever their format."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from streamproof.console import stderr
from streamproof.flags.connection import Addresses, takes_addresses

_LAST = 10


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(tail)


@takes_addresses
def tail(
    topic: Annotated[str, typer.Argument(help="Topic to look at.")],
    *,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="start|end|OFFSET|-N|TIME|AGO",
            help="Where to begin: the start, the end, an offset, the last N records of each partition, a time such as "
            "2026-01-31T12:00:00Z, or 5m ago. "
            f"By default -{_LAST}, and the start with --key or --where.",
        ),
    ] = None,
    partition: Annotated[int | None, typer.Option("--partition", min=0, help="Only this partition.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only records with this key.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="FIELD=VALUE",
            help="Only records whose value has this in a field, a nested one as video.completed=true. May be repeated: "
            "all must hold.",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End after so many records.")] = None,
    follow: Annotated[
        bool | None,
        typer.Option(
            "--follow/--until-end",
            help="Wait for more, or end where the topic ends now. It ends by default, unless it begins at the end.",
            show_default=False,
        ),
    ] = None,
    addresses: Addresses,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document for each record, on a line of its own.")
    ] = False,
) -> int:
    """Show records of a topic, decoded: Avro, JSON, text, and bytes that nobody can decode.

    Without more it shows the last ten of each partition; with --key or --where, those of the whole topic. No consumer
    group is used, and nothing is stored. Ctrl-C ends it with exit code 0.
    """
    from cluster.errors import EXIT_OK
    from consumer.tail.start import START, Start
    from consumer.tail.tail import Asked
    from consumer.tail.tail import tail as look
    from consumer.tail.wanted import Wanted
    from streamproof.signals import ended_in_time, stop_on_signals
    from streamproof.views.tail import RecordLines

    wanted = Wanted.parse(key, where or ())
    begin = from_ or (START if key is not None or where else f"-{_LAST}")
    start = Start.parse(begin, now=dt.datetime.now(dt.UTC))
    asked = Asked(topic, start, partition, wanted, count, start.end is True if follow is None else follow)
    connection = addresses.connect(uses=("kafka",))
    with stop_on_signals() as stop, ended_in_time(stop, "stopped"):
        shown = look(connection, asked, stop=stop, show=RecordLines(as_json=as_json))
    if not shown and not stop.is_set():
        stderr.print(wanted.unmet() or "no record is there that was asked for", markup=False, soft_wrap=True)
    return EXIT_OK
