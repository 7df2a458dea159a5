"""``streamproof verify``: prove a warehouse or a publication from itself, and against broker and registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from cluster.errors import EXIT_OK, Misconfigured, StreamproofError, VerdictFailed, VerdictUnknown
from cluster.text.names import check_topic_name
from streamproof.console import Output, print_error
from streamproof.flags.common import JsonFlag, WaitFlag, WarehouseFlag
from streamproof.flags.connection import Addresses, takes_addresses

if TYPE_CHECKING:
    from consumer.sinks import Place
    from consumer.verify import Verification

PlaceArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE|ADDRESS|FOLDER",
        help="A warehouse: a DuckDB file, or postgresql://user@host/db. Or a publication: a topic's folder, "
        "or a snapshot's. Or a topic's folder in a lake.",
    ),
]
TopicFlag = Annotated[
    str | None, typer.Option("--topic", help="Topic of the warehouse, where a database holds those of several.")
]
OfflineFlag = Annotated[bool, typer.Option("--offline", help="Ask no broker and no registry: the warehouse alone.")]
SampleFlag = Annotated[
    int, typer.Option("--sample", min=0, metavar="N", help="Records of each table to read again from Kafka, about.")
]
SeedFlag = Annotated[int, typer.Option("--seed", help="Draws which records are read again.")]

_ADVICE = {
    "warehouse": "Restore a copy, or load the topic into a new file",
    "publication": "Publish again",
    "lake": "Restore a copy, or take the topic into a new lake",
}
log = structlog.get_logger()


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(verify)


@takes_addresses
def verify(
    place: PlaceArgument,
    *,
    topic: TopicFlag = None,
    warehouse: WarehouseFlag = None,
    sample: SampleFlag = 200,
    seed: SeedFlag = 0,
    offline: OfflineFlag = False,
    wait: WaitFlag = 10.0,
    addresses: Addresses,
    as_json: JsonFlag = False,
) -> int:
    """Prove a warehouse, or a publication, from itself; nothing in it is believed that can be computed again.

    A warehouse is also held against the broker and the registry where they are known, and a sample of its records is
    read again from Kafka, value by value. A publication is held against its warehouse (--warehouse, or where the
    topic's is). A topic of a lake is held against its published list, and range by range of offsets against a
    warehouse of the same topic. Exit 0: every proof holds; 65: one does not, and the place is named; 75: not all could
    be looked at.
    """
    from consumer.sinks import place_to_verify
    from consumer.verify import verify_publication, verify_warehouse
    from consumer.verify.lake import is_lake, verify_lake
    from streamproof.views.verify import show_verification

    if is_lake(Path(place)):
        found = verify_lake(Path(place), _warehouse_beside(Path(place), warehouse), wait_s=wait)
    elif Path(place).is_dir():
        found = verify_publication(Path(place), _warehouse_of(Path(place), warehouse), wait_s=wait)
    else:
        connection = None
        if not offline:
            connection = addresses.connect()
            for half in connection.missing:
                log.info("proved without it", reason=half.message)
        found = verify_warehouse(place_to_verify(place, topic), connection, sample=sample, seed=seed, wait_s=wait)
    output = Output(as_json)
    show_verification(output, found)
    return _end(output, found)


def _warehouse_of(folder: Path, said: str | None) -> Place | None:
    """Return the warehouse of the topic whose publication lies in a folder: the one that is named, or the topic's."""
    from consumer.sinks import place_named

    folder = folder.resolve()
    for topic in (folder.name, folder.parent.parent.name):
        try:
            check_topic_name(topic)
            place = place_named(said, topic)
        except Misconfigured:
            continue
        if place.exists():
            return place
    if said is None:
        return None
    shown = place_named(said, folder.name).shown
    raise Misconfigured("there is no warehouse of the publication's topic", where=shown, hint="Check --warehouse")


def _warehouse_beside(folder: Path, said: str | None) -> Place | None:
    """Return the warehouse of a lake's topic: the one that is named, or the topic's if it is there.

    :raises Misconfigured: the one that is named is not there.
    """
    from consumer.lake.published import read_published
    from consumer.sinks import place_named

    place = place_named(said, read_published(folder).topic)
    if place.exists():
        return place
    if said is None:
        return None
    raise Misconfigured("there is no such warehouse", where=place.shown, hint="Check --warehouse")


def _end(output: Output, found: Verification) -> int:
    """End with the proofs on stdout, and with what does not hold on stderr and in the exit code."""
    error: StreamproofError | None = None
    if found.verdict == "FAILED":
        hint = _ADVICE[found.kind]
        error = VerdictFailed(found.reason.rstrip("."), where=found.path, hint=hint)
    elif found.verdict == "UNKNOWN":
        error = VerdictUnknown(found.reason.rstrip("."), where=found.path, hint="The table says what was not looked at")
    if error is None:
        output.document(found.document())
        return EXIT_OK
    output.document(found.document() | {"error": error.document()})
    print_error(error, as_json=False)
    return error.exit_code
