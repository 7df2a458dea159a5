"""``streamproof produce``: generate events and deliver them, with one display and one verdict for all shards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from streamproof.console import Output, shown, warn
from streamproof.flags.columns import AskedWarehouseFlag, ColumnConflictsFlag, column_conflicts, table_at_hand
from streamproof.flags.common import JsonFlag
from streamproof.flags.connection import Addresses, takes_addresses
from streamproof.flags.faults import FaultFlag, IncidentFlag, NextVersionRampFlag, NextVersionShareFlag
from streamproof.flags.options import OptionFlag, ScenarioArgument, takes_options
from streamproof.flags.run import (
    CatchUpFlag,
    DeliveryTimeoutFlag,
    EventLogFlag,
    MtlsFlag,
    RequireRateFlag,
    RunIdFlag,
    ScenarioPathFlag,
    SecondsFlag,
    ShapeFlag,
    SslFlag,
    connect,
    new_run_id,
    rate_of,
)
from streamproof.logs import ready_worker

if TYPE_CHECKING:
    from producer.workers import RunResult


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(produce)


@takes_options
@takes_addresses
def produce(
    scenario: ScenarioArgument,
    topic: Annotated[str, typer.Option("--topic", help="Topic to write to; it must exist.")],
    *,
    events: Annotated[int | None, typer.Option("--events", help="End after this many events, over all shards.")] = None,
    seconds: SecondsFlag = None,
    endless: Annotated[bool, typer.Option("--endless", help="Go on until Ctrl-C or SIGTERM.")] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            help="Events a second, over all shards; 0 is as fast as possible. The scenario's own pace if not given.",
        ),
    ] = None,
    shape: ShapeFlag = None,
    catch_up: CatchUpFlag = "report",
    require_rate: RequireRateFlag = None,
    shards: Annotated[int, typer.Option("--shards", help="Split the run into this many shards.")] = 1,
    shard: Annotated[
        int | None, typer.Option("--shard", help="Run only this shard, from 0; without it all run, a process each.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same events.")] = 1,
    run_id: RunIdFlag = None,
    schema_version: Annotated[
        int | None, typer.Option("--schema-version", min=1, help="Version of the contract to write with.")
    ] = None,
    fault: FaultFlag = None,
    incident: IncidentFlag = None,
    next_version_share: NextVersionShareFlag = 0.0,
    next_version_ramp: NextVersionRampFlag = False,
    delivery_timeout: DeliveryTimeoutFlag = 30.0,
    option: OptionFlag = None,
    warehouse: AskedWarehouseFlag = None,
    conflicts: ColumnConflictsFlag = None,
    event_log: EventLogFlag = None,
    scenario_path: ScenarioPathFlag = None,
    ssl: SslFlag = False,
    mtls: MtlsFlag = False,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> None:
    """Generate events and deliver them to a topic; the manifest says what was acknowledged.

    Give --events, --seconds or a --shape that ends: whichever comes first ends the run. With --rate or --shape, events
    are sent when they are due, whether or not earlier ones were acknowledged. Ctrl-C ends cleanly; the same command
    with the same --run-id continues, and sends nothing twice.
    """
    from producer import ProduceRequest, produce_run
    from producer.scenarios.find import locate, scenario_folders
    from producer.scenarios.options import pairs
    from schemas.rates import share_of
    from streamproof.signals import stop_on_signals
    from streamproof.views.produce_progress import shown_progress

    located = locate(scenario, scenario_folders(scenario_path))
    connection = connect(addresses, located, ssl=ssl, mtls=mtls)
    options = pairs(option or ())
    request = ProduceRequest(
        topic=topic,
        run_id=run_id or new_run_id(),
        new_run_id=not run_id,
        scenario=located,
        shard=shard or 0,
        shards=shards,
        seed=seed,
        events=events,
        seconds=seconds,
        rate=rate_of(located, connection, rate=rate, shape=shape, options=options, shards=shards),
        shape=shape,
        catch_up=catch_up,
        require_rate=None if require_rate is None else share_of(require_rate),
        endless=endless,
        options=options,
        event_log=event_log,
        schema_version=schema_version,
        faults=tuple(fault or ()),
        incidents=tuple(incident or ()),
        next_version_share=next_version_share,
        next_version_ramp=next_version_ramp,
        delivery_timeout_s=delivery_timeout,
        table=table_at_hand(warehouse, topic),
        column_conflicts=column_conflicts(conflicts),
    )
    chosen = tuple(range(shards)) if shard is None else (shard,)
    with stop_on_signals() as stop, shown_progress(request, chosen) as progress:
        result = produce_run(connection, request, shards=chosen, stop=stop, progress=progress, at_start=ready_worker)
    output = Output(as_json)
    document = result.document()
    if result.error is None:
        output.document(document)
    if result.manifests:
        output.show(_summary(result))
    if result.rate is not None and result.rate.missed and result.error is None:
        warn(result.rate.warning())
    if result.error is not None:
        result.error.details = {"run": document}
        raise result.error


def _summary(result: RunResult) -> Text:
    document = result.document()
    names = ("acknowledged", "failed", "unknown", *(("skipped",) if document["skipped"] else ()))
    counts = "  ".join(f"{name} {document[name]:,}" for name in names)
    faults = f"  injected {document['injected']:,}" if document["injected"] else ""
    rate = "" if result.rate is None or not result.rate.reached else f"  at {result.rate}  in {result.sending_s:.1f} s"
    return Text.assemble(
        "run ", (shown(document["run_id"]), "bold"), f" on {document['topic']}: {counts}{faults}{rate}"
    )
