"""``streamproof load``: load a topic into its warehouse, exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from cluster.errors import EXIT_OK, Misconfigured
from streamproof.console import Output, plain, print_error
from streamproof.flags.common import JsonFlag, PublicationsFlag, WaitFlag, WarehouseFlag
from streamproof.flags.connection import Addresses, takes_addresses
from streamproof.flags.follow import CommitEveryFlag, FollowFlag, FollowFlags, ForFlag, PublishEveryFlag
from streamproof.flags.values import FormatFlag, SchemaFlag, told_schema

if TYPE_CHECKING:
    from cluster.connection import Connection
    from consumer.sinks import Place
    from consumer.sinks.limit import Limit
    from schemas.formats import WrittenSchema

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
    follow: FollowFlag = False,
    for_: ForFlag = None,
    commit_every: CommitEveryFlag = None,
    publish_every: PublishEveryFlag = None,
    publications: PublicationsFlag = None,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> int:
    """Load every record that is in a topic now into its warehouse, exactly once.

    It ends at the offsets that were the ends when it began; with --follow it goes on with what comes. Stopped or killed
    at any moment, the same command continues where the last commit left it. Values that cannot be decoded go to the
    quarantine with all their bytes.
    """
    from consumer.sinks import place_named
    from consumer.sinks.limit import Limit
    from schemas.formats import PLAIN

    pace = FollowFlags.read(follows=follow, for_=for_, commit_every=commit_every, publish_every=publish_every)
    if publications is not None and pace.publish_s is None:
        raise Misconfigured("--publications is for --publish-every", hint="Give --publish-every too, or leave it out")
    limit = Limit.parse(max_quarantined) if max_quarantined is not None else None
    plain_schema = told_schema(written, schema)
    connection = addresses.connect()
    if plain_schema is None and written not in PLAIN:
        connection.whole()
    settings = _Settings(
        wait_s=wait,
        batch_rows=batch_rows,
        limit=limit or Limit(),
        step_aside=set_aside,
        accept_gap=accept_gap,
        partitions=None if partitions is None else _numbers(partitions),
        written=written,
        plain=plain_schema,
    )
    place, output = place_named(warehouse, topic), Output(as_json)
    if follow:
        return _follow(connection, topic, place, settings, output=output, pace=pace, publications=publications)
    return _load_once(connection, topic, place, settings, output=output, limited=limit is not None)


class _Settings(TypedDict):
    """What both ways of loading are told."""

    wait_s: float
    batch_rows: int
    limit: Limit
    step_aside: bool
    accept_gap: bool
    partitions: list[int] | None
    written: str | None
    plain: WrittenSchema | None


def _load_once(
    connection: Connection,
    topic: str,
    place: Place,
    settings: _Settings,
    *,
    output: Output,
    limited: bool,
) -> int:
    """Load what is there now."""
    from consumer.load.load import load as load_topic
    from consumer.sinks.limit import share_in_words, unusual
    from streamproof.signals import ended_in_time, stop_on_signals
    from streamproof.views.load_progress import shown_load

    with stop_on_signals() as stop, ended_in_time(stop, _STOPPED), shown_load(topic) as progress:
        result = load_topic(connection, topic, place, stop=stop, progress=progress, **settings)
    error = None if limited else unusual(result.rows, result.quarantined, where=result.warehouse, topic=topic)
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


def _follow(
    connection: Connection,
    topic: str,
    place: Place,
    settings: _Settings,
    *,
    output: Output,
    pace: FollowFlags,
    publications: Path | None,
) -> int:
    """Load what is there and what comes."""
    from cluster.local import publications_dir
    from consumer.load.follow import COMMIT_S
    from consumer.load.follow import follow as follow_topic
    from consumer.publish.finished import FinishedRuns
    from streamproof.signals import ended_in_time, stop_on_signals
    from streamproof.views.follow import show_followed, show_published, shown_following

    folder = publications or publications_dir()
    aside = None
    if pace.publish_s is not None:
        aside = FinishedRuns(connection, topic, place, folder, every_s=pace.publish_s, told=show_published)
    with stop_on_signals() as stop, ended_in_time(stop, _STOPPED), shown_following(topic) as progress:
        result = follow_topic(
            connection,
            topic,
            place,
            stop=stop,
            for_s=pace.for_s,
            commit_s=pace.commit_s or COMMIT_S,
            progress=progress,
            aside=aside,
            **settings,
        )
    output.document(result.document())
    show_followed(output, result)
    return EXIT_OK


def _numbers(said: str) -> list[int]:
    """Read ``0,2``.

    :raises Misconfigured: it is not a list of partitions.
    """
    parts = [part.strip() for part in said.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise Misconfigured(f"{said!r} is not a list of partitions", where="--partitions", hint="Give it as 0,2")
    return [int(part) for part in parts]
