"""What a table makes of a subject's whole history: the versions that were registered, and those that are to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from cluster.errors import SchemaIncompatible
from schemas.columns.at_hand import AtHand, Told, told_in_turn
from schemas.formats import AVRO_NAME, value_format
from schemas.registry.client import Registered, Registry
from schemas.registry.contract import Contract
from schemas.registry.normal import normal_text
from schemas.types.schema_text import load
from schemas.undecodable import UnsupportedSchema

# What to do about a field that no column holds beside what it holds already.
ColumnConflicts = Literal["refuse", "warn"]
_MOST_TOLD = 5
_ALLOWING = "--column-conflicts warn, or the setting column_conflicts: warn"


def told_of_history(
    table: AtHand, held: Sequence[Registered], new: Sequence[str], written: str
) -> tuple[Mapping[int, Told], list[Told]]:
    """Return what a table says of each registered version, by its id, and of the contracts that come behind them."""
    steps = [(version.id, _contract_of(version, written)) for version in held]
    said = told_in_turn(table, [*steps, *((None, text) for text in new)])
    of_id = {version.id: told for version, told in zip(held, said, strict=False)}
    return of_id, said[len(held) :]


def refuse_conflicts(
    registry: Registry | None,
    subject: str,
    texts: Sequence[str],
    *,
    table: AtHand | None = None,
    column_conflicts: ColumnConflicts | None = None,
    written: str = AVRO_NAME,
) -> list[str]:
    """Return which fields get a column of their own behind all that the subject holds, each in a sentence.

    :param registry: ``None`` where values name no schema.
    :param texts: the contracts that values are to be written with, in the order in which they come.
    :raises SchemaIncompatible: a field gets a column of its own, and ``column_conflicts`` is ``refuse``; or no table
        can hold a contract.
    """
    table = table or AtHand()
    held = registry.versions(subject) if registry is not None else []
    there = {_normal(_contract_of(version, written)): version.id for version in held}
    new = [text for text in texts if _normal(text) not in there]
    of_id, of_new = told_of_history(table, held, new, written)
    said = [*(of_id[there[_normal(text)]] for text in texts if _normal(text) in there), *of_new]
    conflicts = [one for told in said for one in told.conflicts]
    impossible = [told.impossible for told in said if told.impossible]
    chosen = column_conflicts or (registry.column_conflicts if registry is not None else "refuse")
    if impossible or (conflicts and chosen == "refuse"):
        found = [*impossible, *conflicts]
        more = [f"and {len(found) - _MOST_TOLD} more"] if len(found) > _MOST_TOLD else []
        raise SchemaIncompatible(
            "the schema does not fit the table: " + "; ".join([*found[:_MOST_TOLD], *more]),
            where=table.where or f"subject {subject}",
            hint="" if impossible else f"{_ALLOWING}, lets such fields have columns of their own",
        )
    return conflicts


def told_of_contract(contract: Contract, number: int) -> list[str]:
    """Return what a new table says of one version of a contract that comes behind the ones before it."""
    versions = contract.versions[:number]
    told = told_in_turn(AtHand(), [(None, version.text) for version in versions])[-1]
    return [*([told.impossible] if told.impossible else []), *told.conflicts, *told.remarks]


def _contract_of(version: Registered, written: str) -> str:
    """Return the contract of a registered version; for one that has none, what is no schema."""
    if version.kind != value_format(written).schema_type:
        return ""
    try:
        return value_format(written).contract(version.text)
    except UnsupportedSchema:
        return ""


def _normal(text: str) -> str:
    """Return the normal form of a contract; what is no schema has none."""
    try:
        return normal_text(load(text))
    except (UnsupportedSchema, ValueError):
        return ""
