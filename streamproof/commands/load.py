"""``streamproof load``: load a topic into its warehouse, exactly once."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.errors import EXIT_OK, Misconfigured
from streamproof.console import Output, plain, print_error
from streamproof.flags.common import JsonFlag, WaitFlag, WarehouseFlag
from streamproof.flags.connection import Addresses, takes_addresses
from streamproof.flags.values import FormatFlag, SchemaFlag, told_schema

_STOPPED = "stopped; the batch at hand was rolled back. The same command continues"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(load)


@takes_addresses
def load(
    topic: Annotated[str, typer.Argument(help="Topic to load.")],
    *,
    warehouse: WarehouseFlag = None,
    wait: WaitFlag = 10.0,
    max_quarantined: Annotated[
        str | None,
        typer.Option(
            "--max-quarantined",
            metavar="N|P%",
            help="Fail when the quarantine would hold more than this, in all. Without it: when more than half of what "
            "this load read went there. 100% switches both off.",
        ),
    ] = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="If the topic was recreated: rename the old warehouse, begin a new one.")
    ] = False,
    accept_gap: Annotated[
        bool, typer.Option("--accept-gap", help="If retention deleted unread records: note it in the ledger, go on.")
    ] = False,
    batch_rows: Annotated[
        int, typer.Option("--batch-rows", min=1, help="Records that one transaction stores, about.")
    ] = 122_880,
    partitions: Annotated[
        str | None,
        typer.Option(
            "--partitions",
            metavar="N,N",
            help="Load these alone. In PostgreSQL, loaders of others may be at work at the same time.",
        ),
    ] = None,
    written: FormatFlag = None,
    schema: SchemaFlag = None,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> int:
    """Load every record that is in a topic now into its warehouse, exactly once.

    It ends at the offsets that were the ends when it began. Stopped or killed at any moment, the same command
    continues where the last commit left it. Values that cannot be decoded go to the quarantine with all their bytes.
    """
    from consumer.load.load import load as load_topic
    from consumer.sinks import place_named
    from consumer.sinks.limit import Limit, share_in_words, unusual
    from schemas.formats import PLAIN
    from streamproof.signals import ended_in_time, stop_on_signals
    from streamproof.views.load_progress import shown_load

    limit = Limit.parse(max_quarantined) if max_quarantined is not None else Limit()
    plain_schema = told_schema(written, schema)
    connection = addresses.connect()
    if plain_schema is None and written not in PLAIN:
        connection.whole()
    with stop_on_signals() as stop, ended_in_time(stop, _STOPPED), shown_load(topic) as progress:
        result = load_topic(
            connection,
            topic,
            place_named(warehouse, topic),
            stop=stop,
            progress=progress,
            wait_s=wait,
            limit=limit,
            batch_rows=batch_rows,
            step_aside=set_aside,
            accept_gap=accept_gap,
            partitions=None if partitions is None else _numbers(partitions),
            written=written,
            plain=plain_schema,
        )
    output = Output(as_json)
    error = unusual(result.rows, result.quarantined, where=result.warehouse, topic=topic)
    error = error if max_quarantined is None else None
    output.document(result.document() | ({"error": error.document()} if error else {}))
    counts = f"{result.rows:,} rows  {result.quarantined:,} quarantined  {result.tombstones:,} tombstones"
    rate = f"  at {result.rate:,.0f} rows/s" if result.rows else ""
    output.show(f"loaded [bold]{topic}[/]: {counts}{rate}  in {result.seconds:.1f} s")
    output.show(plain(f"warehouse {result.warehouse}"))
    if result.set_aside is not None:
        output.show(plain(f"the warehouse of the former topic is now {result.set_aside}"))
    for schema_id, why in result.not_compared.items():
        output.show(plain(f"note  schema {schema_id} was not compared with the registry's: {why}"))
    if result.quarantined:
        colour = "red" if error else "yellow"
        output.show(f"[{colour}]{share_in_words(result.rows, result.quarantined)}[/]")
        output.show(f"[{colour}]see[/] streamproof quarantine list {topic}")
    if error is None:
        return EXIT_OK
    print_error(error, as_json=False)
    return error.exit_code


def _numbers(said: str) -> list[int]:
    """Read ``0,2``.

    :raises Misconfigured: it is not a list of partitions.
    """
    parts = [part.strip() for part in said.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise Misconfigured(f"{said!r} is not a list of partitions", where="--partitions", hint="Give it as 0,2")
    return [int(part) for part in parts]
