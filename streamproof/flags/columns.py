"""What a warehouse at hand says of a schema, before the first byte: its flags, and where the answer comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from cluster.errors import Misconfigured
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

    One that somebody loads into at the moment is not asked, and neither is one that does not answer: a warning says so.

    :raises Misconfigured: the address of a warehouse cannot be read.
    """
    from consumer import sinks

    return sinks.table_at_hand(warehouse, topic, warn)
