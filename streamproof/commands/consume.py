"""``streamproof consume``: Journey and Analytic, each a consumer group of any number of instances."""

from __future__ import annotations

from typing import Annotated

import typer

from cluster.errors import EXIT_OK, Misconfigured
from streamproof.console import Output, plain, print_error
from streamproof.flags.common import JsonFlag
from streamproof.flags.connection import Addresses, takes_addresses
from streamproof.flags.values import FormatFlag, SchemaFlag, told_schema

_STOPPED = "stopped; what was not stored is read again. The same command goes on where it was"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(consume)


@takes_addresses
def consume(
    application: Annotated[
        str,
        typer.Argument(
            metavar="journey|analytic",
            help="journey keeps every event of each user, in order; analytic counts the events of one type for each.",
        ),
    ],
    topic: Annotated[str, typer.Argument(help="Topic to read.")] = "journey",
    *,
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="Consumer group; journey or analytic by default.")
    ] = None,
    instances: Annotated[
        int, typer.Option("--instances", min=1, help="Processes; those beyond the partitions are idle.")
    ] = 1,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="ADDRESS|duckdb:FILE",
            help="postgresql://user@host/db, or duckdb:FILE for one instance. By default PostgreSQL of the local stack "
            "where it runs, else a file in the state folder.",
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol",
            metavar="consumer|classic",
            help="Kafka's newer group protocol, or the classic one with cooperative rebalancing.",
        ),
    ] = "consumer",
    user_field: Annotated[
        str,
        typer.Option("--user-field", metavar="FIELD", help="Field that names the user; details.user is one inside."),
    ] = "user_id",
    type_field: Annotated[
        str, typer.Option("--type-field", metavar="FIELD", help="Field that names the type of an event.")
    ] = "event_type",
    counted: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Type of event that analytic counts.")
    ] = "VideoPlayed",
    id_field: Annotated[
        str, typer.Option("--id-field", metavar="FIELD", help="Field with the identity of an event, if there is one.")
    ] = "event_id",
    batch_rows: Annotated[
        int, typer.Option("--batch-rows", min=1, help="Records that one transaction stores at most.")
    ] = 1000,
    commit_ms: Annotated[
        int, typer.Option("--commit-ms", min=1, help="Milliseconds after which what came is stored at the latest.")
    ] = 200,
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="End after so long, such as 60s. Without it: never.")
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End when what is in the topic now is stored.")
    ] = False,
    from_end: Annotated[
        bool, typer.Option("--from-end", help="Where the group has no position yet, begin at the end of the topic.")
    ] = False,
    wait: Annotated[
        str, typer.Option("--wait", metavar="DURATION", help="How long to wait for a store that does not answer.")
    ] = "60s",
    recreated: Annotated[
        bool, typer.Option("--recreated", help="If the topic was recreated: begin anew beside what is kept of it.")
    ] = False,
    accept_gap: Annotated[
        bool, typer.Option("--accept-gap", help="If retention deleted unread records: note it, and go on behind them.")
    ] = False,
    written: FormatFlag = None,
    schema: SchemaFlag = None,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> int:
    """Read a topic as a consumer group, and store what is made of it, each event once.

    Rows and positions are stored in one transaction, and a position only moves from where it was: an instance that is
    killed, or comes back from the dead, neither loses nor doubles anything. Another command with the same --group
    shares the work. What cannot be decoded is kept aside, with all its bytes.
    """
    from cluster.text.durations import seconds_in
    from cluster.text.nearest import meant
    from consumer.journey.consume import consume as consume_topic
    from consumer.journey.events import Application, Fields
    from consumer.journey.request import ConsumeRequest
    from consumer.journey.store.naming import store_at, usual_store
    from consumer.sinks.limit import unusual
    from streamproof.signals import ended_in_time, stop_on_signals
    from streamproof.views.consume import show_result, shown_group

    names = [each.value for each in Application]
    if application not in names:
        raise Misconfigured(
            f"there is no application {application}{meant(application, names)}", hint=f"Use {' or '.join(names)}"
        )
    if protocol not in ("consumer", "classic"):
        raise Misconfigured(f"there is no group protocol {protocol}", hint="Use consumer or classic")
    name = group or application
    request = ConsumeRequest(
        application=Application(application),
        topic=topic,
        group=name,
        instances=instances,
        store=store_at(to) if to is not None else usual_store(name, instances),
        protocol="classic" if protocol == "classic" else "consumer",
        fields=Fields(user=user_field, type=type_field, event_id=id_field, counted=counted),
        batch_rows=batch_rows,
        commit_ms=commit_ms,
        seconds=None if lasting is None else seconds_in(lasting),
        until_end=until_end,
        from_end=from_end,
        wait_s=seconds_in(wait),
        recreated=recreated,
        accept_gap=accept_gap,
        written=written,
        plain=told_schema(written, schema),
    )
    connection = addresses.connect(uses=("kafka",))
    with stop_on_signals() as stop, ended_in_time(stop, _STOPPED), shown_group(request) as progress:
        result = consume_topic(connection, request, stop=stop, progress=progress, at_start=_ready_instance)
    output = Output(as_json)
    error = unusual(result.events, result.aside, where=result.store, topic=topic)
    output.document(result.document() | ({"error": error.document()} if error else {}))
    show_result(output, result)
    if result.aside:
        output.show(plain(f"kept aside  {result.aside:,} records that cannot be read: table kept_aside of the store"))
    if error is None:
        return EXIT_OK
    print_error(error, as_json=False)
    return error.exit_code


def _ready_instance() -> None:
    """Set up the logs of an instance's process."""
    from streamproof.logs import configure_logs

    configure_logs()
