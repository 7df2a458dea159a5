"""What a warehouse at hand says of a schema, before the first byte: its flags, and where the answer comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from cluster.connection import ENV_PREFIX
from cluster.errors import Misconfigured, StreamproofError
from cluster.local import warehouse_path
from streamproof.console import warn

if TYPE_CHECKING:
    from schemas.columns.at_hand import AtHand

ColumnConflictsFlag = Annotated[
    str | None,
    typer.Option(
        "--column-conflicts",
        metavar="refuse|warn",
        help="What to do about a field that no column holds beside what it holds already, such as a long that became "
        "a double: refuse it, or let it have a column of its own. The setting column_conflicts by default, or refuse.",
    ),
]
AskedWarehouseFlag = Annotated[
    str | None,
    typer.Option(
        "--warehouse",
        metavar="FILE|ADDRESS",
        help="Warehouse that is asked what it holds of the topic, and not changed. By default STREAMPROOF_WAREHOUSE, "
        "or <topic>.duckdb in the state folder, if it is there.",
    ),
]


def column_conflicts(said: str | None) -> Literal["refuse", "warn"] | None:
    """Return what a flag says of columns that conflict, ``None`` where it says nothing.

    :raises Misconfigured: it says something else.
    """
    if said not in (None, "refuse", "warn"):
        raise Misconfigured(f"--column-conflicts is {said}, and takes refuse or warn")
    return cast('Literal["refuse", "warn"] | None', said)


def table_at_hand(warehouse: str | None, topic: str) -> AtHand | None:
    """Return what the warehouse of a topic holds, ``None`` where there is none yet. Nothing waits for it.

    One that somebody loads into at the moment is not asked, and neither is one that does not answer: a warning says so
    where the warehouse was named, by the flag or in the environment.

    :raises Misconfigured: the address of a warehouse cannot be read.
    """
    named = bool(warehouse or os.environ.get(f"{ENV_PREFIX}WAREHOUSE"))
    if not (named or warehouse_path(topic).exists()):
        return None  # the usual case before a first load, for which no store has to be imported
    from consumer.sinks import place_named

    place = place_named(warehouse, topic)
    try:
        return place.at_hand(topic)
    except StreamproofError as error:
        if named:
            warn(f"{place.shown} was not asked what it holds: {error.message}")
        return None
