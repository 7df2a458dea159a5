"""``streamproof report``: the page of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from streamproof.console import Output
from streamproof.flags.common import JsonFlag, PublicationsFlag, RunFlag, TopicArgument, WaitFlag, WarehouseFlag


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(report)


def report(  # noqa: PLR0917 - typer reads them by name
    topic: TopicArgument,
    run_id: RunFlag = None,
    warehouse: WarehouseFlag = None,
    publications: PublicationsFlag = None,
    wait: WaitFlag = 10.0,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write the page of a run, whatever its verdict: one self-contained HTML file, and summary.json beside it."""
    from cluster.local import publications_dir
    from consumer.report import write_report
    from consumer.sinks import place_named
    from streamproof.views.verdict import STYLES, show_line

    done = write_report(place_named(warehouse, topic), topic, run_id, publications or publications_dir(), wait_s=wait)
    output = Output(as_json)
    output.document(done.document())
    output.show(f"report of a run that is [{STYLES[done.verdict]}]{done.verdict}[/]")
    show_line(output, "page", done.url)
    if open_it:
        import webbrowser

        webbrowser.open(done.url)
