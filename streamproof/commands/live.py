"""``streamproof live``: look at topics while events flow."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.errors import EXIT_OK, Misconfigured, TopicMissing
from streamproof.console import Output, stdout, warn
from streamproof.flags.common import JsonFlag, PublicationsFlag
from streamproof.flags.connection import Addresses, takes_addresses

if TYPE_CHECKING:
    from cluster.connection import KafkaSettings
    from consumer.live.poller import LivePoller, Looking
    from consumer.live.snapshot import Snapshot

# With --once: how long a first answer to every question may take.
_WHOLE_WITHIN_S = 10.0
# Before every question has had an answer there is little to see.
_FIRST_WITHIN_S = 3.0
_LINE_EVERY_S = 1.0
_WAIT_S = 0.5


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(live)


@takes_addresses
def live(
    topics: Annotated[
        list[str] | None,
        typer.Argument(metavar="TOPIC...", help="Topics to look at; all that are declared or have a control topic."),
    ] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="Show what is known now, and end.")] = False,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="End after this long, as in 90s or 5m.")
    ] = None,
    page: Annotated[bool, typer.Option("--page", help="Show it as a page in a browser instead.")] = False,
    host: Annotated[
        str | None, typer.Option("--host", help="With --page: address to listen on; this machine alone if not given.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="With --page: its port; else the first free one from 8790 on."),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="With --page: open it in the browser.")] = False,
    publications: PublicationsFlag = None,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> int:
    """Look at topics while events flow: generated, acknowledged, in the topic, loaded, published.

    Each stage has its rate and the gap to the one before; groups, members and lag, totals by the name of events, and
    the newest records are below. What cannot be found out is unknown, and never 0. Nothing is proved here: the audit
    does that. Under --json, each snapshot is one line. Ctrl-C ends it.

    With --page, a browser draws it: plots of the rates, bars of the totals. There is no login, so the page is for this
    machine alone; with another --host, everybody who reaches it sees the newest records.
    """
    from cluster.local import publications_dir
    from cluster.text.durations import seconds_in
    from consumer.live.poller import LivePoller
    from streamproof.signals import stop_on_signals

    seconds = None if for_ is None else seconds_in(for_)
    if (stray := _stray(page=page, once=once, host=host, port=port, open_it=open_it)) is not None:
        raise Misconfigured(stray, hint="See streamproof live --help")
    connection = addresses.connect(uses=("kafka",))
    names = list(dict.fromkeys(topics or ()))
    _refuse_missing(connection.kafka, names)
    folder = publications or publications_dir()
    if page:
        _serve(LivePoller(connection, folder), names, Output(as_json), seconds, host=host, port=port, open_it=open_it)
        return EXIT_OK
    poller = LivePoller(connection, folder, grace_s=0.0)
    with stop_on_signals() as stop, poller.subscribe(names) as looking:
        if once:
            _show_once(looking, Output(as_json), stop)
        else:
            _show(looking, Output(as_json), stop, seconds)
    return EXIT_OK


def _stray(*, page: bool, **given: object) -> str | None:
    """Return why flags do not go together, in words."""
    if page:
        return "--once shows one snapshot, and --page is a page that goes on" if given["once"] else None
    flags = {"host": "--host", "port": "--port", "open_it": "--open"}
    stray = [flag for name, flag in flags.items() if given[name]]
    return (
        f"{' and '.join(stray)} {'are' if len(stray) > 1 else 'is'} of the page alone, and --page is not given"
        if stray
        else None
    )


def _serve(
    poller: LivePoller,
    names: list[str],
    output: Output,
    seconds: float | None,
    *,
    host: str | None,
    port: int | None,
    open_it: bool,
) -> None:
    """Serve the page until a stop, or the time."""
    from cluster.settings.hosts import is_loopback
    from consumer.live.page.serving import LOOPBACK, page_of
    from streamproof.signals import stop_on_signals

    listening = host or LOOPBACK
    with stop_on_signals() as stop, page_of(poller, names, host=listening, port=port) as address:
        if not is_loopback(listening):
            warn(f"there is no login: everybody who reaches {address} sees the newest records")
        output.document({"page": address})
        output.show(f"live page at [bold]{address}[/]; Ctrl-C ends it")
        if open_it:
            import webbrowser

            webbrowser.open(address)
        stop.wait(seconds)


def _refuse_missing(kafka: KafkaSettings, names: list[str]) -> None:
    """Return if all topics are there.

    :raises TopicMissing: one is not.
    :raises StreamproofError: no broker answers.
    """
    from cluster.text.nearest import meant
    from cluster.topics import admin_client, describe, topic_names

    admin = admin_client(kafka)
    there = topic_names(admin)
    for name in names:
        if name not in there:
            try:
                describe(admin, name)
            except TopicMissing as error:
                error.message += meant(name, there)
                raise


def _show_once(looking: Looking, output: Output, stop: threading.Event) -> None:
    """Show the first snapshot that has an answer to every question, or the one after the patience."""
    from streamproof.views.watching import blocks

    until, snapshot = time.monotonic() + _WHOLE_WITHIN_S, None
    while not stop.is_set() and time.monotonic() < until:
        snapshot = looking.wait(_WAIT_S) or snapshot
        if snapshot is not None and snapshot.whole:
            break
    if snapshot is not None:
        output.document(snapshot.as_json())
        output.show(blocks(snapshot, stdout.width, sys.maxsize))


def _show(looking: Looking, output: Output, stop: threading.Event, seconds: float | None) -> None:
    until = None if seconds is None else time.monotonic() + seconds
    if output.as_json:
        _each(looking, stop, until, lambda snapshot: output.document(snapshot.as_json()))
    elif stdout.is_terminal:
        _draw(looking, stop, until)
    else:
        _each(looking, stop, until, _print_lines, every_s=_LINE_EVERY_S)


def _each(
    looking: Looking,
    stop: threading.Event,
    until: float | None,
    show: Callable[[Snapshot], None],
    *,
    every_s: float = 0.0,
) -> None:
    """Show snapshots as they come, until a stop, the time, or nobody reads any more.

    Where the time is shorter than the first answer takes, that is waited for: a look shows something.
    """
    from streamproof.streams import reader_left

    never = float("-inf")
    shown_s, patience_s = never, time.monotonic() + _FIRST_WITHIN_S
    while not (stop.is_set() or reader_left()):
        now_s = time.monotonic()
        if until is not None and now_s >= until and (shown_s != never or now_s > patience_s + _WAIT_S):
            return
        snapshot = looking.wait(_WAIT_S)
        now_s = time.monotonic()
        if snapshot is not None and (snapshot.whole or now_s > patience_s) and now_s - shown_s >= every_s:
            shown_s = now_s
            show(snapshot)


def _print_lines(snapshot: Snapshot) -> None:
    from streamproof.views.watching import lines_of

    for line in lines_of(snapshot):
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _draw(looking: Looking, stop: threading.Event, until: float | None) -> None:
    """Draw each snapshot over the one before; the last one stays."""
    from rich.live import Live

    from streamproof.views.watching import blocks

    with Live(console=stdout, auto_refresh=False, vertical_overflow="crop") as drawing:
        _each(
            looking,
            stop,
            until,
            lambda snapshot: drawing.update(blocks(snapshot, stdout.width, stdout.height - 1), refresh=True),
        )
