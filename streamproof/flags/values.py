"""Flags that say how the values of a topic are written, where neither they nor the manifests do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.errors import Misconfigured
from schemas.formats import FRAMED, NAMES, PLAIN

if TYPE_CHECKING:
    from schemas.formats import WrittenSchema

FormatFlag = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="|".join(NAMES),
        help="How values are written. Found out unless given: by the schema id of each value, or by the manifests.",
    ),
]
SchemaFlag = Annotated[
    Path | None,
    typer.Option("--schema", metavar="FILE", help="Contract (.avsc) of values without a frame; they are plain JSON."),
]


def told_schema(written: str | None, schema: Path | None) -> WrittenSchema | None:
    """Return the schema of values without a frame that the flags name.

    :raises Misconfigured: an unknown format, one whose values name their schemas, or a file that is not a contract.
    """
    from schemas.formats import WrittenSchema
    from schemas.registry.contract import load_contract

    if written is not None and written not in NAMES:
        raise Misconfigured(f"there is no format {written}", hint=f"Use one of {', '.join(NAMES)}")
    if schema is None:
        return None
    if written in FRAMED:
        raise Misconfigured(
            f"values of format {written} name their schemas themselves",
            hint="Leave --schema out; a registry knows the schemas",
        )
    if schema.suffix != ".avsc":
        raise Misconfigured("the schema is not a contract", where=str(schema), hint="Give the path of an .avsc file")
    return WrittenSchema(load_contract(str(schema)).latest().text, written or PLAIN[0])
