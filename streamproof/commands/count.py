"""``streamproof count``: running totals of a topic by a field, published to another topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streamproof.console import Output, plain, print_error
from streamproof.flags.common import JsonFlag
from streamproof.flags.connection import Addresses, takes_addresses
from streamproof.flags.values import FormatFlag, SchemaFlag, told_schema

if TYPE_CHECKING:
    from cluster.connection import Connection
    from consumer.counter.count import Counting

_STOPPED = "stopped; the transaction at hand is rolled back. The same command continues"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(count)


@takes_addresses
def count(
    topic: Annotated[str, typer.Argument(help="Topic to count.")],
    *,
    by: Annotated[
        str, typer.Option("--by", metavar="FIELD", help="Field whose texts are counted; a nested one as details.kind.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="TOPIC", help="Topic that the totals are published to.")],
    every: Annotated[
        str,
        typer.Option(
            "--every",
            metavar="event|DURATION",
            help="When totals are published: after every event, or after so long, such as 200ms, if anything came.",
        ),
    ] = "event",
    transaction_per_event: Annotated[
        bool,
        typer.Option(
            "--transaction-per-event",
            help="A transaction for each output, and not one for those of 100 ms: some hundred events/s at most.",
        ),
    ] = False,
    names: Annotated[
        str | None,
        typer.Option(
            "--names",
            metavar="A,B",
            help="Names that are there with 0 from the beginning; those of an enum always are.",
        ),
    ] = None,
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="End after so long, such as 30s. Without it: never.")
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End when what is in the topic now is counted.")
    ] = False,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove",
            help="Count nothing: hold every output that is committed against the records below its positions.",
        ),
    ] = False,
    written: FormatFlag = None,
    schema: SchemaFlag = None,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> int:
    """Keep running totals of a topic by the values of a field, and publish them, each event counted exactly once.

    The totals and the positions that they stand at are one record, sent in a Kafka transaction. Stopped or killed at
    any moment, the same command goes on at the last committed one. A second counter of the same topic and output takes
    over, and the first one ends with exit code 75.
    """
    from cluster.errors import EXIT_OK
    from cluster.text.durations import seconds_in
    from consumer.counter.bounds import Every, Until
    from consumer.counter.count import Counting
    from consumer.counter.count import count as count_topic
    from streamproof.signals import ended_in_time, stop_on_signals
    from streamproof.views.count import show_count, shown_count

    counting = Counting(
        topic=topic,
        by=by,
        to=to,
        every=Every.parse(every, alone=transaction_per_event),
        until=Until(None if lasting is None else seconds_in(lasting), end=until_end),
        names=() if names is None else [name.strip() for name in names.split(",") if name.strip()],
        written=written,
        plain=told_schema(written, schema),
    )
    connection = addresses.connect(uses=("kafka",))
    if prove:
        return _prove(connection, counting, as_json=as_json)
    with stop_on_signals() as stop, ended_in_time(stop, _STOPPED), shown_count(topic) as progress:
        result = count_topic(connection, counting, stop=stop, progress=progress)
    output = Output(as_json)
    output.document(result.document())
    show_count(output, result)
    for sentence in result.apart_in_words():
        output.show(plain(f"note  {sentence}: they are in no total"))
    return EXIT_OK


def _prove(connection: Connection, counting: Counting, *, as_json: bool) -> int:
    """Hold every committed output against the topic."""
    from cluster.errors import EXIT_OK, VerdictFailed
    from consumer.counter.examine import examine
    from streamproof.signals import stop_on_signals

    with stop_on_signals() as stop:
        found = examine(
            connection,
            counting.topic,
            counting.to,
            by=counting.by,
            stop=stop,
            written=counting.written,
            plain=counting.plain,
        )
    output = Output(as_json)
    if found.holds:
        output.document(found.document())
        said = f"{found.outputs:,} outputs in {counting.to}, each with the counts of the records below its positions"
        output.show(plain(f"proved {said}; the last one has {found.events:,} events"))
        if found.gone:
            output.show(plain(f"note  {found.gone}"))
        return EXIT_OK
    why = found.faults[0] if found.faults else "there is no output"
    error = VerdictFailed(f"the outputs are not proved: {why}", where=f"{counting.topic}, {counting.to}")
    output.document(found.document() | {"error": error.document()})
    for fault in found.faults:
        output.show(plain(fault))
    print_error(error, as_json=False)
    return error.exit_code
