"""``streamproof preview``: what a run would send, without a broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from streamproof.console import JsonFlag, Output

if TYPE_CHECKING:
    from rich.table import Table

    from producer import Preview


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(preview)


def preview(  # noqa: PLR0917 - typer reads them by name
    scenario: Annotated[str, typer.Argument(help="What to generate, such as customer_events.")],
    events: Annotated[int, typer.Option("--events", help="How many events to generate for the figures.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same events.")] = 1,
    partitions: Annotated[int, typer.Option("--partitions", help="Partitions of the topic.")] = 3,
    schema_version: Annotated[
        int | None, typer.Option("--schema-version", help="Version of the contract to write with.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show sample events, the mix, value sizes and the spread of keys. Needs no broker."""
    from producer import preview as look

    found = look(scenario, events=events, seed=seed, partitions=partitions, schema_version=schema_version)
    output = Output(as_json)
    output.document(found.document())
    if not as_json:
        from rich.json import JSON

        for sample in found.samples:
            output.show(JSON(json.dumps(sample, ensure_ascii=False)))
        output.show(_figures(found))


def _figures(found: Preview) -> Table:
    from rich.table import Table

    table = Table(title=f"{found.scenario}, {found.events:,} events, seed {found.seed}", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, share in found.mix.items():
        table.add_row(f"share of {name}", f"{share:.1%}")
    for name, size in found.value_bytes.items():
        table.add_row(f"value bytes, {name}", f"{size:,.0f}")
    table.add_row("distinct keys", f"{found.keys:,}")
    table.add_row("share of the busiest key", f"{found.busiest_key_share:.3%}")
    for partition, share in enumerate(found.partition_shares):
        table.add_row(f"share of partition {partition}", f"{share:.1%}")
    if found.event_time is not None:
        table.add_row("event time from", found.event_time[0])
        table.add_row("event time to", found.event_time[1])
    return table
