"""What a warehouse holds of a topic, for whoever asks before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.columns.column_type import SchemaConflict
from schemas.columns.held import Held
from schemas.columns.judge import NEW_COLUMN, StoreRules, judge
from schemas.types.tree import parse_with_remarks
from schemas.undecodable import UnsupportedSchema


@dataclass(frozen=True, slots=True)
class AtHand:
    """A table and the rules of its store.

    :ivar where: what messages call it; empty for a table that is yet to be made.
    :ivar known: the schema ids whose fields have their columns: nothing is decided of them again.
    """

    where: str = ""
    held: Held = field(default_factory=Held)
    rules: StoreRules = field(default_factory=StoreRules)
    known: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Told:
    """What a table says to one schema, each in a sentence behind the field's path.

    :ivar conflicts: fields that get a column of their own, since none holds them beside what it holds.
    :ivar remarks: what else is not as the schema has it: a wider type, another name, a logical type that is ignored.
    :ivar impossible: why no table can hold it at all; empty where one can.
    """

    conflicts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    impossible: str = ""


def told_in_turn(table: AtHand, schemas: Iterable[tuple[int | None, str]]) -> list[Told]:
    """Return what a table says to schemas that come one after the other, each as JSON text with its id, if it has one.

    A schema that no table can hold changes nothing for those behind it.
    """
    held, said = table.held, []
    for schema_id, text in schemas:
        if schema_id is not None and schema_id in table.known:
            said.append(Told())
            continue
        try:
            parsed = parse_with_remarks(text)
            judgement = judge(held, parsed.root, table.rules)
        except (UnsupportedSchema, SchemaConflict) as error:
            said.append(Told(impossible=error.message))
            continue
        held = judgement.held
        conflicts = tuple(str(remark) for remark in judgement.remarks if remark.kind == NEW_COLUMN)
        others = tuple(str(remark) for remark in judgement.remarks if remark.kind != NEW_COLUMN)
        said.append(Told(conflicts, (*map(str, parsed.remarks), *others)))
    return said
