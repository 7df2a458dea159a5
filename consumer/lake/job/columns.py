"""The columns of a lake's files: the types that Parquet, Spark, DuckDB and Polars all hold, and rows made to fit them.

=============================  ==============================================
type of a column               in the files
=============================  ==============================================
TIMESTAMP of any unit          timestamp[us], with UTC where it has it
TIME                           text, ``HH:MM:SS.ffffff``: Spark has no type for it
UNION                          struct: one nullable member for each branch
STRUCT without members         boolean, true where the record is there
nothing but nulls, at the top  no column, until a schema gives it a type
nothing but nulls, inside      text
all others                     the same
=============================  ==============================================

Files never change. So a column only gets a type in which readers have the older files as well, and keeps its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from consumer.sinks.batch import HEADERS, has_identity
from schemas.columns.column_type import NULL, ColumnType
from schemas.columns.held import Held, Place
from schemas.columns.judge import StoreRules, judge
from schemas.columns.widening import decimal_of, wider
from schemas.identity import IDENTITY_FIELD
from schemas.types.tree import Node

# A pa.Array, whose type is known only while running.
Column = Any

UTC_US: Any = pa.timestamp("us", tz="UTC")
METADATA = pa.schema(
    [
        ("kafka_partition", pa.int32()),
        ("kafka_offset", pa.int64()),
        ("kafka_timestamp", UTC_US),
        ("kafka_key", pa.binary()),
        ("schema_id", pa.int32()),
        ("event_id", pa.string()),
        ("value_crc", pa.int64()),
        ("kafka_headers", HEADERS),
        ("kafka_timestamp_ms", pa.int64()),
        ("kafka_key_json", pa.string()),
        ("kafka_record_name", pa.string()),
    ]
)
FOLDERS = ("date", "hour", "batch_id")
RESERVED = (*METADATA.names, *FOLDERS)

_SCALARS: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.string(),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP_MS": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": UTC_US,
    NULL: pa.string(),
}
_NUMBERS = frozenset({"INTEGER", "BIGINT", "FLOAT", "DOUBLE"})


@dataclass(frozen=True, slots=True)
class LakeColumns:
    """The columns that the schemas of a topic have needed so far. They only grow.

    :ivar held: an identity of ours has the column ``event_id``, and is not among them.
    """

    held: Held = field(default_factory=Held)

    def grown(self, root: Node, *, widen: bool = True) -> tuple[LakeColumns, tuple[Place | None, ...]]:
        """Return the columns that hold this schema too, and the place of each of its fields; ``None`` for an identity.

        :param widen: a column may get a wider type; Delta's tables keep theirs, and take members that are new.
        :raises SchemaConflict: no columns hold it.
        """
        identity = identity_of(root)
        rest = root if identity is None else replace(root, fields=tuple(f for f in root.fields if f[0] != identity))
        judgement = judge(self.held, rest, _RULES if widen else _RULES_OF_DELTA)
        places: Iterator[Place | None] = (each.place for each in judgement.columns)
        placed = tuple(None if name == identity else next(places) for name, _ in root.fields)
        return LakeColumns(judgement.held), placed

    def of(self, place: Place | None) -> str:
        """Return the column at a place."""
        return IDENTITY_FIELD if place is None else self.held.record.members[place.at][0]

    def arrow_schema(self) -> pa.Schema:
        """Return the columns of a file of events.

        A field that took the name of one of ours when there was none keeps it: ours is left out then.
        """
        taken = {name.lower() for name, _ in self.held.record.members}
        ours = [one for one in METADATA if one.name not in taken]
        value = [(name, arrow_type(kind)) for name, kind in self.held.record.members if not _holds_nothing(kind)]
        return pa.schema([*ours, *(pa.field(name, kind) for name, kind in value)])


def identity_of(root: Node) -> str | None:
    """Return the field that is the identity of ours, where a schema has it."""
    return IDENTITY_FIELD if has_identity(root) else None


def arrow_type(kind: ColumnType) -> pa.DataType:
    """Return the Arrow type of a column of a file."""
    if _holds_nothing(kind):
        return pa.string()
    match kind.name:
        case "STRUCT" | "UNION":
            members = [(name, arrow_type(child)) for _, name, child in _members(kind)]
            return pa.struct([pa.field(name, child) for name, child in members]) if members else pa.bool_()
        case "LIST":
            return pa.list_(arrow_type(kind.members[0][1]))
        case "MAP":
            return pa.map_(arrow_type(kind.members[0][1]), arrow_type(kind.members[1][1]))
    if (decimal := decimal_of(kind.name)) is not None:
        return pa.decimal128(*decimal)
    return _SCALARS[kind.name]


def _members(kind: ColumnType) -> Iterator[tuple[int, str, ColumnType]]:
    """Yield position, name and type of the members that a file has: a union's row of nothing is NULL by itself."""
    for at, (name, child) in enumerate(kind.members):
        if kind.name != "UNION" or not _holds_nothing(child):
            yield at, name, child


def _holds_nothing(kind: ColumnType) -> bool:
    return kind.name == NULL or (kind.name == "UNION" and all(_holds_nothing(child) for _, child in kind.members))


def are_read_together(old: ColumnType, new: ColumnType) -> bool:
    """Tell whether readers have files with the older type of a column in the newer one."""
    return _holds_nothing(old) or _grows(old, new, widen=True)


def only_adds(old: ColumnType, new: ColumnType) -> bool:
    """Tell whether a type is another one with nothing but more members of records and unions."""
    return _holds_nothing(old) or _grows(old, new, widen=False)


_RULES = StoreRules(reserved=RESERVED, may_become=are_read_together, renames=False)
_RULES_OF_DELTA = StoreRules(reserved=RESERVED, may_become=only_adds, renames=False)


def _grows(old: ColumnType, new: ColumnType, *, widen: bool) -> bool:
    if old.members and old.name == new.name:
        there = {name: child for _, name, child in _members(new)}
        return all(name in there and _grows(child, there[name], widen=widen) for _, name, child in _members(old))
    if old.members or new.members:
        return False
    if arrow_type(old) == arrow_type(new):
        return True
    one, other = decimal_of(old.name), decimal_of(new.name)
    # Polars reads no decimals of two scales together.
    counts = {old.name, new.name} <= _NUMBERS if one is None or other is None else one[1] == other[1]
    return widen and counts and wider(old.name, new.name) == new.name


def fitted(array: Column, place: Place, kind: ColumnType) -> Column:
    """Return a column of the loader's as the files hold it; nothing is lost.

    :param place: where its values are in ``kind``, the type of the column.
    """
    if pa.types.is_null(array.type):
        return _nulls(len(array), arrow_type(kind))
    if pa.types.is_nested(array.type) and array.offset:
        array = pa.concat_arrays([array, array.slice(0, 0)])  # whole: what is built from parts knows no slices
    if kind.name == "UNION":
        if pa.types.is_union(array.type):
            return _branches(array, place, kind)
        at = place.branch or 0
        mask = array.is_null() if array.null_count else None
        return _struct({at: fitted(array, Place(at, place.inside), kind.members[at][1])}, kind, len(array), mask)
    return _same_kind(array, place, kind)


def _same_kind(array: Column, place: Place, kind: ColumnType) -> Column:
    mask = array.is_null() if array.null_count else None
    if pa.types.is_struct(array.type):
        members = {
            inside.at: fitted(array.field(index), inside, kind.members[inside.at][1])
            for index, inside in enumerate(place.inside)
        }
        return _struct(members, kind, len(array), mask)
    if pa.types.is_list(array.type):
        items = fitted(array.values, place.inside[0], kind.members[0][1])
        return pa.ListArray.from_arrays(array.offsets, items, type=arrow_type(kind), mask=mask)
    if pa.types.is_map(array.type):
        maps: Any = pa.MapArray
        items = fitted(array.items, place.inside[1], kind.members[1][1])
        return maps.from_arrays(array.offsets, array.keys, items, type=arrow_type(kind), mask=mask)
    if pa.types.is_time(array.type):
        return array.cast(pa.time64("us")).cast(pa.string())
    target = arrow_type(kind)
    return array if array.type == target else array.cast(target)


def _nulls(rows: int, kind: Any) -> Column:
    return pa.nulls(rows, kind)


def _struct(members: Mapping[int, Column], kind: ColumnType, rows: int, mask: Column | None) -> Column:
    """Return a struct of a type; members that are not there are null.

    :param members: by their positions in ``kind``.
    """
    target: Any = arrow_type(kind)
    if not pa.types.is_struct(target):
        return _nulls(rows, target)
    fields = [target.field(index) for index in range(target.num_fields)]
    kept = [at for at, _, _ in _members(kind)]
    children = [members[at] if at in members else _nulls(rows, one.type) for at, one in zip(kept, fields, strict=True)]
    return pa.StructArray.from_arrays(children, fields=fields, mask=mask)


def _branches(array: Column, place: Place, kind: ColumnType) -> Column:
    """Return a union as a struct whose members are null but for the branch that a row takes."""
    members: dict[int, Column] = {}
    nothing = None
    for index, inside in enumerate(place.inside):
        taken = pc.equal(array.type_codes, pa.scalar(index, pa.int8()))
        if pa.types.is_null(array.field(index).type):
            nothing = taken
            continue
        members[inside.at] = _where(taken, fitted(array.field(index), inside, kind.members[inside.at][1]))
    return _struct(members, kind, len(array), nothing)


def _where(taken: Column, column: Column) -> Column:
    """Return a column with nulls where a row does not take it; ``take`` does it for every nested type."""
    rows = pc.if_else(taken, pa.array(range(len(column)), pa.int64()), pa.scalar(None, pa.int64()))
    return column.take(rows)
