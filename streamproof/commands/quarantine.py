"""``streamproof quarantine``: what could not be decoded, and trying again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from streamproof.console import Output, plain
from streamproof.flags.common import JsonFlag, WaitFlag, WarehouseFlag
from streamproof.flags.connection import RegistryAddress, takes_addresses
from streamproof.flags.values import SchemaFlag, told_schema

if TYPE_CHECKING:
    from consumer.sinks.held import QuarantineClass

TopicArgument = Annotated[str, typer.Argument(help="Topic whose warehouse to look into.")]
quarantine = typer.Typer(help="Records that could not be decoded or stored.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(quarantine, name="quarantine")


@quarantine.command("list")
def list_command(
    topic: TopicArgument, warehouse: WarehouseFlag = None, wait: WaitFlag = 10.0, as_json: JsonFlag = False
) -> None:
    """Show what the quarantine holds, by phase and class, with the positions of the first records. No payload."""
    from consumer.load.quarantine import list_quarantine
    from consumer.sinks import place_named

    place = place_named(warehouse, topic)
    classes = list_quarantine(place, wait_s=wait)
    records = sum(found.records for found in classes)
    output = Output(as_json)
    output.document(
        {"topic": topic, "warehouse": place.shown, "records": records, "classes": [asdict(found) for found in classes]}
    )
    output.show(_table(classes) if classes else "the quarantine is empty")


@quarantine.command("replay")
@takes_addresses
def replay_command(
    topic: TopicArgument,
    *,
    warehouse: WarehouseFlag = None,
    wait: WaitFlag = 10.0,
    schema: SchemaFlag = None,
    addresses: RegistryAddress,
    as_json: JsonFlag = False,
) -> None:
    """Decode the quarantined records again, with today's code and registry, and move those that succeed."""
    from consumer.load.quarantine import replay
    from consumer.sinks import place_named
    from streamproof.signals import stop_on_signals

    connection = addresses.connect()
    with stop_on_signals() as stop:
        result = replay(
            connection, place_named(warehouse, topic), stop=stop, wait_s=wait, plain=told_schema(None, schema)
        )
    output = Output(as_json)
    output.document(result.document())
    output.show(f"{result.replayed:,} records moved to the events, {result.remaining:,} remain in quarantine")


def _table(classes: list[QuarantineClass]) -> Table:
    table = Table("phase", "class", "records", "schema ids", "first at partition/offset", "for example")
    for found in classes:
        table.add_row(
            found.phase,
            plain(found.error_class),
            f"{found.records:,}",
            ", ".join(str(schema_id) for schema_id in found.schema_ids if schema_id is not None),
            ", ".join(f"{at['partition']}/{at['offset']}" for at in found.examples),
            plain(found.error),
        )
    return table
