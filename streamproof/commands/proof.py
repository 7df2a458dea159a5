"""``streamproof audit | check | publish``: prove a run, and show readers only what was proved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from cluster.errors import Misconfigured, StreamproofError, VerdictFailed, VerdictUnknown
from streamproof.console import Output, query_command
from streamproof.flags.common import (
    DurationFlag,
    JsonFlag,
    PublicationsFlag,
    RunFlag,
    TopicArgument,
    WaitFlag,
    WarehouseFlag,
)
from streamproof.flags.connection import Addresses, takes_addresses
from streamproof.flags.pipeline import (
    AllRunsFlag,
    AlsoFlag,
    AtFlag,
    ColumnFlag,
    ColumnsFlag,
    CompareFlag,
    ExpectationFlag,
    ExpectFlag,
    IdFlag,
    OrderFlag,
    PipelineFlags,
    PositionFlag,
    QueryFlag,
    ScenarioFlag,
    refuse_beside_at,
    refuse_without_at,
)
from streamproof.flags.run import ScenarioPathFlag

if TYPE_CHECKING:
    from cluster.connection import Connection
    from consumer.pipeline.result import PipelineResult
    from consumer.pipeline.truth import Truth
    from consumer.proof.result import AuditResult
    from schemas.manifest import Manifest


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
    wait: DurationFlag = None,
    at: AtFlag = None,
    query: QueryFlag = None,
    id_column: IdFlag = None,
    position: PositionFlag = None,
    compare: CompareFlag = False,
    column: ColumnFlag = None,
    columns: ColumnsFlag = None,
    expect: ExpectFlag = None,
    expectation: ExpectationFlag = None,
    order: OrderFlag = None,
    all_runs: AllRunsFlag = False,
    also: AlsoFlag = None,
    scenario: ScenarioFlag = None,
    scenario_path: ScenarioPathFlag = None,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> int:
    """Compare what the shards of a run say they delivered with what the warehouse holds, or another pipeline stored.

    PASSED: every event that Kafka acknowledged is in the warehouse, once, unaltered. FAILED (exit 65) names those
    that are not. UNKNOWN (exit 75): a manifest is missing, or the load is behind. A page of the run that `report`
    wrote is written again. With --at WHERE it judges what somebody else's pipeline stored (docs/any-pipeline.md);
    nothing is written there.
    """
    flags = PipelineFlags(
        id_column, position, column or (), columns, compare, expect, expectation or (), order, all_runs, also or ()
    )
    if all_runs and run_id is not None:
        raise Misconfigured("--all-runs and --run-id are given", hint="Give one of the two")
    if at is not None:
        refuse_beside_at({"--warehouse": warehouse, "--publications": publications})
        return _audit_at(
            addresses.connect(uses=("kafka",)),
            topic,
            run_id,
            place=(at, query),
            flags=flags,
            wait=wait,
            scenario=(scenario, scenario_path),
            as_json=as_json,
        )
    refuse_without_at(flags.given() | {"--query": query, "--scenario": scenario})
    return _audit(
        addresses.connect(uses=("kafka",)),
        topic,
        run_id,
        warehouse=warehouse,
        publications=publications,
        wait=wait,
        as_json=as_json,
    )


def _audit(
    connection: Connection,
    topic: str,
    run_id: str | None,
    *,
    warehouse: str | None,
    publications: Path | None,
    wait: str | None,
    as_json: bool,
) -> int:
    from cluster.local import publications_dir
    from cluster.text.durations import seconds_in
    from consumer.proof.audit import audit as audit_run
    from consumer.report import page_kept
    from consumer.sinks import DEFAULT_WAIT_S, place_named
    from streamproof.views.verdict import show_audit

    place, wait_s = place_named(warehouse, topic), DEFAULT_WAIT_S if wait is None else seconds_in(wait)
    with page_kept(place, topic, run_id, publications or publications_dir(), wait_s=wait_s) as page:
        result = audit_run(connection, place, topic, run_id, wait_s=wait_s)
        page.run_id = result.run_id
    output = Output(as_json)
    show_audit(output, result)
    return output.ended(result.document(), _error_of(result))


def _audit_at(
    connection: Connection,
    topic: str,
    run_id: str | None,
    *,
    place: tuple[str, str | None],
    flags: PipelineFlags,
    wait: str | None,
    scenario: tuple[str | None, str | None],
    as_json: bool,
) -> int:
    """Judge what somebody else's pipeline stored."""
    from cluster.text.durations import seconds_in
    from consumer.pipeline.audit import audit_pipeline
    from consumer.pipeline.stored.naming import stored_at
    from producer.regenerate import regenerated
    from producer.scenarios.find import scenario_folders
    from streamproof.signals import stop_on_signals
    from streamproof.views.pipeline import show_pipeline, shown_telling

    at, query = place
    named, folders = scenario
    stored = stored_at(at, query=query, connection=connection, topic=topic)

    def truth_of(manifests: Sequence[Manifest]) -> Truth:
        """Tell a run again; the scenario that was named is of the topic that is audited, and of no other."""
        given = named if manifests and manifests[0].topic == topic else None
        return regenerated(manifests, connection=connection, scenario=given, folders=scenario_folders(folders))

    with stop_on_signals() as stop, shown_telling(topic) as progress:
        result = audit_pipeline(
            connection,
            topic,
            stored,
            truth_of,
            run_id=run_id,
            asked=flags.asked(),
            wait_s=seconds_in(wait or "0"),
            stop=stop,
            progress=progress,
        )
    output = Output(as_json)
    show_pipeline(output, result)
    return output.ended(result.document(), _error_of(result))


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
    return output.ended(report.document(), error)


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


def _error_of(result: AuditResult | PipelineResult) -> StreamproofError | None:
    """Return the error that a verdict ends a command with; ``None`` for PASSED."""
    if result.verdict == "PASSED":
        return None
    kind = VerdictUnknown if result.verdict == "UNKNOWN" else VerdictFailed
    return kind(f"the verdict is {result.verdict}: {result.sentence}", where=result.run_id, hint=result.advice)
