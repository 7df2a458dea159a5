"""``streamproof ledger``: write down what Kafka holds of a topic that somebody else filled."""

from __future__ import annotations

from typing import Annotated

import typer

from streamproof.console import Output
from streamproof.flags.common import JsonFlag
from streamproof.flags.connection import Addresses, takes_addresses

_STOPPED = "stopped; nothing was written. The same command starts anew"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(ledger)


@takes_addresses
def ledger(
    topic: Annotated[str, typer.Argument(help="Topic that somebody else filled.")],
    *,
    field: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="FIELD",
            help="Field of the values that tells records apart, such as order_id. Partition and offset if not given.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What the ledger is called; the time if not given.")
    ] = None,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> None:
    """Write manifests for a topic that somebody else filled, from what Kafka holds of it now.

    Whoever reads the topic can then be audited against it, by partition and offset, or by a field that their store
    keeps. The topic is read to its end, and not changed; the manifests go to <topic>.manifests, which is made if it is
    not there.
    """
    from consumer.pipeline.ledger.take import take_ledger
    from streamproof.signals import ended_in_time, stop_on_signals
    from streamproof.views.ledger import show_ledger, shown_ledger

    connection = addresses.connect(uses=("kafka",))
    with stop_on_signals() as stop, ended_in_time(stop, _STOPPED), shown_ledger(topic) as progress:
        result = take_ledger(connection, topic, name=name, field=field, stop=stop, progress=progress)
    output = Output(as_json)
    output.document(result.document())
    show_ledger(output, result)
