"""``streamproof audit | check | publish``: prove a run, and show readers only what was proved."""

from __future__ import annotations

from typing import Any

import typer
from rich.text import Text

from cluster.errors import EXIT_OK, StreamproofError, VerdictFailed, VerdictUnknown
from streamproof.console import Output, print_error, query_command
from streamproof.flags.common import (
    JsonFlag,
    PublicationsFlag,
    RunFlag,
    TopicArgument,
    WaitFlag,
    WarehouseFlag,
)
from streamproof.flags.connection import Addresses, takes_addresses


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(audit)
    app.command()(check)
    app.command()(publish)


@takes_addresses
def audit(
    topic: TopicArgument,
    *,
    run_id: RunFlag = None,
    warehouse: WarehouseFlag = None,
    publications: PublicationsFlag = None,
    wait: WaitFlag = 10.0,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> int:
    """Compare what the shards of a run say they delivered with what the warehouse holds.

    PASSED: every event that Kafka acknowledged is in the warehouse, once, unaltered. FAILED (exit 65) names those
    that are not. UNKNOWN (exit 75): a manifest is missing, or the load is behind. A page of the run that `report`
    wrote is written again.
    """
    from cluster.local import publications_dir
    from consumer.proof.audit import audit as audit_run
    from consumer.report import page_kept
    from consumer.sinks import place_named
    from streamproof.views.verdict import show_audit

    connection = addresses.connect(uses=("kafka",))
    place = place_named(warehouse, topic)
    with page_kept(place, topic, run_id, publications or publications_dir(), wait_s=wait) as page:
        result = audit_run(connection, place, topic, run_id, wait_s=wait)
        page.run_id = result.run_id
    error: StreamproofError | None = None
    if result.verdict != "PASSED":
        kind = VerdictUnknown if result.verdict == "UNKNOWN" else VerdictFailed
        error = kind(f"the verdict is {result.verdict}: {result.sentence}", where=result.run_id, hint=result.advice)
    output = Output(as_json)
    show_audit(output, result)
    return _end(output, result.document(), error)


def check(  # noqa: PLR0917 - typer reads them by name
    topic: TopicArgument,
    run_id: RunFlag = None,
    warehouse: WarehouseFlag = None,
    publications: PublicationsFlag = None,
    wait: WaitFlag = 10.0,
    as_json: JsonFlag = False,
) -> int:
    """Run the aggregate checks on a run; a blocking one that fails ends with exit 65."""
    from cluster.local import publications_dir
    from consumer.proof.checks import run_checks
    from consumer.report import page_kept
    from consumer.sinks import place_named
    from streamproof.views.verdict import show_checks

    place = place_named(warehouse, topic)
    with page_kept(place, topic, run_id, publications or publications_dir(), wait_s=wait) as page:
        report = run_checks(place, run_id, topic=topic, wait_s=wait)
        page.run_id = report.run_id
    error = None
    if report.blocked_by:
        names = ", ".join(result.check for result in report.blocked_by)
        hint = f"`streamproof report {topic}` shows the details"
        error = VerdictFailed(f"blocking checks failed: {names}", where=report.run_id or topic, hint=hint)
    output = Output(as_json)
    show_checks(output, report)
    return _end(output, report.document(), error)


def publish(  # noqa: PLR0917 - typer reads them by name
    topic: TopicArgument,
    run_id: RunFlag = None,
    warehouse: WarehouseFlag = None,
    publications: PublicationsFlag = None,
    wait: WaitFlag = 10.0,
    as_json: JsonFlag = False,
) -> None:
    """Give readers a snapshot with the run in it, if its audit passed and no blocking check failed."""
    from cluster.local import publications_dir
    from consumer.publish.publish import publish as publish_run
    from consumer.publish.snapshot import first_query
    from consumer.report import page_kept
    from consumer.sinks import place_named
    from streamproof.views.verdict import show_line

    place, folder = place_named(warehouse, topic), publications or publications_dir()
    with page_kept(place, topic, run_id, folder, wait_s=wait) as page:
        done = publish_run(place, topic, run_id, folder, wait_s=wait)
        page.run_id = done.run_id
    output = Output(as_json)
    output.document(done.document())
    output.show(f"[bold green]published[/] {done.rows:,} events of {done.runs} run{'s' if done.runs != 1 else ''}")
    for sentence in (*done.renewed, *done.absent):
        output.show(Text(f"note  {sentence}", style="yellow"))
    show_line(output, "snapshot", done.path)
    show_line(output, "read it", query_command(done.database, first_query(done.database)))


def _end(output: Output, document: dict[str, Any], error: StreamproofError | None) -> int:
    """End with the result on stdout, and with what is wrong in it on stderr and in the exit code.

    A verdict is a result: the one JSON document carries both, so that nothing is raised.
    """
    if error is None:
        output.document(document)
        return EXIT_OK
    output.document(document | {"error": error.document()})
    print_error(error, as_json=False)
    return error.exit_code
