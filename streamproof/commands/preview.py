"""``streamproof preview``: what a run would send, without a broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.errors import Misconfigured
from streamproof.console import Output, plain
from streamproof.flags.common import JsonFlag
from streamproof.flags.connection import RegistryAddress, takes_addresses
from streamproof.flags.options import OptionFlag, ScenarioArgument, takes_options
from streamproof.flags.run import ScenarioPathFlag

if TYPE_CHECKING:
    from rich.table import Table

    from producer import ProduceRequest
    from producer.preview.preview import Preview
    from producer.shapes import Outline


_MOST_OF_MIX = 10  # rows; the document of --json has all
_ENDLESS = 100_000_000  # what a shard holds when nothing ends it is a bound nobody plans with


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(preview)


@takes_options
@takes_addresses
def preview(
    scenario: ScenarioArgument,
    *,
    events: Annotated[int, typer.Option("--events", help="How many events to generate for the figures.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same events.")] = 1,
    partitions: Annotated[int, typer.Option("--partitions", min=1, max=10_000, help="Partitions of the topic.")] = 3,
    schema_version: Annotated[
        int | None, typer.Option("--schema-version", min=1, help="Version of the contract to write with.")
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", help="Events a second, as `produce` takes it: shown as a plot.")
    ] = 0.0,
    shape: Annotated[
        str | None, typer.Option("--shape", help="Load shape, as `produce` takes it: shown as a plot.")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="How long the run is, for the plot.")] = None,
    option: OptionFlag = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Measure what this machine reaches, into a sink that keeps nothing.")
    ] = False,
    scenario_path: ScenarioPathFlag = None,
    addresses: RegistryAddress,
    as_json: JsonFlag = False,
) -> None:
    """Show sample events, the mix, value sizes, the spread of keys, and the load shape. Needs no broker.

    Notes say what a table makes of the contract's own versions. What the subject of a topic holds already is not asked:
    a preview has no topic. `schemas diff` asks.
    """
    from producer.preview.preview import preview as look
    from producer.scenarios.find import locate, scenario_folders
    from producer.scenarios.options import pairs

    load = _load(rate, shape, seed, seconds)
    found = look(
        locate(scenario, scenario_folders(scenario_path)),
        events=events,
        seed=seed,
        partitions=partitions,
        schema_version=schema_version,
        rate=load.plan.mean_rate,
        options=pairs(option or ()),
        registry=addresses.connect(uses=()).known_registry,
        calibrating=calibrate,
    )
    planned = _outline(load)
    output = Output(as_json)
    output.document(found.document() | ({} if planned is None else {"load": planned.document()}))
    if not as_json:
        from rich.json import JSON
        from rich.text import Text

        for sample in found.samples:
            output.show(JSON(json.dumps(sample, ensure_ascii=False)))
        output.show(_figures(found))
        for remark in found.remarks:
            output.show(Text(f"note: {remark}", style="yellow"))
        if planned is not None:
            from streamproof.views.shape_plot import shape_plot

            output.show(shape_plot(planned))


def _load(rate: float, shape: str | None, seed: int, seconds: float | None) -> ProduceRequest:
    """Return the request that `produce` would make of these flags, for its load alone."""
    from producer import ProduceRequest

    try:
        return ProduceRequest(
            topic="preview", run_id="preview", rate=rate, shape=shape, seed=seed, seconds=seconds, events=0
        )
    except Misconfigured as fault:
        said = fault.message.removeprefix("the request is not valid: ")
        raise Misconfigured(said, hint="See `streamproof preview --help`; docs/shapes.md has every shape") from None


def _outline(load: ProduceRequest) -> Outline | None:
    from producer.shapes import outline

    shape = load.plan.shape
    return None if shape is None else outline(shape, seed=load.seed, seconds=load.seconds)


def _figures(found: Preview) -> Table:
    from rich.table import Table

    table = Table(title=f"{found.scenario}, {found.events:,} events, seed {found.seed}", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    mix = list(found.mix.items())
    for name, share in mix[:_MOST_OF_MIX]:
        table.add_row(plain(f"share of {name}"), f"{share:.1%}")
    if others := mix[_MOST_OF_MIX:]:
        table.add_row(f"share of {len(others)} others", f"{sum(share for _, share in others):.1%}")
    for name, size in found.value_bytes.items():
        table.add_row(f"value bytes, {name}", f"{size:,.0f}")
    table.add_row("distinct keys", f"{found.keys:,}")
    table.add_row("share of the busiest key", f"{found.busiest_key_share:.3%}")
    for partition, share in enumerate(found.partition_shares):
        table.add_row(f"share of partition {partition}", f"{share:.1%}")
    if found.limit < _ENDLESS:
        table.add_row("events of such a run", f"{found.limit:,}")
    if found.calibration is not None:
        table.add_row("generated a second, one process", f"{found.calibration.generated_per_s:,.0f}")
        table.add_row("encoded a second, one process", f"{found.calibration.encoded_per_s:,.0f}")
        table.add_row("sent a second, one process, no broker", f"{found.calibration.delivered_per_s:,.0f}")
    if found.event_time is not None:
        table.add_row("event time from", found.event_time[0])
        table.add_row("event time to", found.event_time[1])
    return table
