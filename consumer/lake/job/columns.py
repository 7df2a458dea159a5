"""The columns of a lake's files: the types that Parquet, Spark, DuckDB and Polars all hold, and rows made to fit them.

=======================  ==============================================
loader's Arrow type      in the files
=======================  ==============================================
timestamp, any unit      timestamp[us], with UTC where it had it
time                     text, ``HH:MM:SS.ffffff``: Spark has no type for it
sparse union             struct: one nullable member for each branch
fixed-size binary        binary
null at the top          no column, until a schema gives it a type
all others               the same
=======================  ==============================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from consumer.sinks.batch import has_identity
from schemas.columns.column_type import NULL, ColumnType, SchemaConflict
from schemas.columns.merging import column_names, merge
from schemas.identity import IDENTITY_FIELD

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
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": UTC_US,
}
_NAMES = {kind: name for name, kind in _SCALARS.items()}


@dataclass(frozen=True, slots=True)
class LakeColumns:
    """The columns that the schemas of a topic have needed so far. They only grow.

    :ivar types: of each column of the value, in order of their coming.
    :ivar fields: the column of each field; an identity of ours has the column ``event_id`` and is not among them.
    """

    types: Mapping[str, ColumnType]
    fields: Mapping[str, str]

    def grown(self, schema: pa.Schema, *, widen: bool = True) -> tuple[LakeColumns, list[str]]:
        """Return the columns that hold this schema too, and the column of each of its fields.

        :param widen: a column may get a wider type; Delta's tables keep theirs, and take members that are new.
        :raises SchemaConflict: no columns hold all, or Parquet cannot hold it.
        """
        if not schema.names:
            raise SchemaConflict("the record has no fields, so there is nothing to put into columns")
        identity = [IDENTITY_FIELD] if has_identity(schema) else []
        others = [name for name in schema.names if name not in identity]
        names = column_names(others, self.fields, RESERVED)
        types = dict(self.types)
        for field, name in names.items():
            kind = column_type(schema.field(field).type, field)
            kind.refuse_twins()
            before = types.get(name, ColumnType(NULL))
            types[name] = merge(before, kind, name)
            if not widen and before != ColumnType(NULL) and not _only_added(before, types[name]):
                raise SchemaConflict(f"{name} is {before} in the Delta table, whose types stay, and {kind} here")
        placed = names | dict.fromkeys(identity, IDENTITY_FIELD)
        return replace(self, types=types, fields={**self.fields, **names}), [placed[field] for field in schema.names]

    def arrow_schema(self) -> pa.Schema:
        """Return the columns of a file of events."""
        value = [(name, arrow_type(kind)) for name, kind in self.types.items() if kind != ColumnType(NULL)]
        return pa.schema([*METADATA, *(pa.field(name, kind) for name, kind in value)])


def _only_added(before: ColumnType, after: ColumnType) -> bool:
    """Return whether a type is the one before with nothing but more members of records."""
    if not before.members or before.name != after.name:
        return before == after
    there = dict(after.members)
    return all(name in there and _only_added(kind, there[name]) for name, kind in before.members)


def column_type(kind: pa.DataType, where: str) -> ColumnType:  # noqa: PLR0911 - one for each row of the table
    """Return what a type of the loader's is in a lake.

    :raises SchemaConflict: Parquet cannot hold it.
    """
    any_kind: Any = kind
    if pa.types.is_timestamp(kind):
        return ColumnType("TIMESTAMP WITH TIME ZONE" if any_kind.tz else "TIMESTAMP")
    if pa.types.is_time(kind):
        return ColumnType("VARCHAR")
    if pa.types.is_decimal(kind):
        return ColumnType(f"DECIMAL({any_kind.precision},{any_kind.scale})")
    if pa.types.is_fixed_size_binary(kind):
        return ColumnType("BLOB")
    if pa.types.is_null(kind):
        return ColumnType(NULL)
    if pa.types.is_list(kind):
        return ColumnType("LIST", (("child", _inner(any_kind.value_type, f"{where}[]")),))
    if pa.types.is_map(kind):
        value = _inner(any_kind.item_type, f"{where}{{}}")
        return ColumnType("MAP", (("key", ColumnType("VARCHAR")), ("value", value)))
    if pa.types.is_struct(kind) or pa.types.is_union(kind):
        fields = [any_kind.field(index) for index in range(any_kind.num_fields)]
        kept = [field for field in fields if not (pa.types.is_union(kind) and pa.types.is_null(field.type))]
        if not kept:
            raise SchemaConflict(f"{where} is a record without fields, which Parquet cannot hold")
        return ColumnType("STRUCT", tuple((one.name, _inner(one.type, f"{where}.{one.name}")) for one in kept))
    return ColumnType(_NAMES[kind])


def _inner(kind: pa.DataType, where: str) -> ColumnType:
    """Return the type of what is inside another: nothing but nulls is text there, as it needs some type."""
    found = column_type(kind, where)
    return ColumnType("VARCHAR") if found == ColumnType(NULL) else found


def arrow_type(kind: ColumnType) -> pa.DataType:
    """Return the Arrow type of a column of a file."""
    members = [(name, arrow_type(child)) for name, child in kind.members]
    match kind.name:
        case "STRUCT":
            return pa.struct([pa.field(name, child) for name, child in members])
        case "LIST":
            return pa.list_(members[0][1])
        case "MAP":
            return pa.map_(members[0][1], members[1][1])
    if kind.name.startswith("DECIMAL("):
        precision, scale = kind.name[8:-1].split(",")
        return pa.decimal128(int(precision), int(scale))
    return _SCALARS[kind.name]


def fitted(array: Column, target: pa.DataType) -> Column:  # noqa: PLR0911 - one for each row of the table
    """Return a column of the loader's as the files hold it; nothing is lost."""
    kind: Any = array.type
    if kind == target:
        return array
    if pa.types.is_null(kind):
        return _nulls(len(array), target)
    if pa.types.is_nested(kind) and array.offset:
        array = pa.concat_arrays([array, array.slice(0, 0)])  # whole: what is built from parts knows no slices
    if pa.types.is_union(kind):
        return _as_struct(array, target)
    if pa.types.is_struct(kind):
        mask = array.is_null() if array.null_count else None
        return _struct({field.name: array.field(index) for index, field in enumerate(kind)}, target, len(array), mask)
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return _nested(array, target)
    if pa.types.is_time(kind):
        return array.cast(pa.time64("us")).cast(pa.string())
    return array.cast(target)


def _nulls(rows: int, kind: Any) -> Column:
    return pa.nulls(rows, kind)


def _nested(array: Column, target: Any) -> Column:
    mask = array.is_null() if array.null_count else None
    if pa.types.is_list(array.type):
        items = fitted(array.values, target.value_type)
        return pa.ListArray.from_arrays(array.offsets, items, type=target, mask=mask)
    maps: Any = pa.MapArray
    return maps.from_arrays(array.offsets, array.keys, fitted(array.items, target.item_type), type=target, mask=mask)


def _struct(members: Mapping[str, Column], target: Any, rows: int, mask: Column | None) -> Column:
    """Return a struct of a type: a member that a schema writes in other letters is the same, a missing one is null."""
    by_lower = {name.lower(): column for name, column in members.items()}
    fields = [target.field(index) for index in range(target.num_fields)]
    children = [
        fitted(by_lower[field.name.lower()], field.type) if field.name.lower() in by_lower else _nulls(rows, field.type)
        for field in fields
    ]
    return pa.StructArray.from_arrays(children, fields=fields, mask=mask)


def _as_struct(array: Column, target: Any) -> Column:
    """Return a union as a struct whose members are null but for the branch that a row takes."""
    tags, members, nothing = array.type_codes, {}, None
    for index in range(array.type.num_fields):
        branch = array.type.field(index)
        taken = pc.equal(tags, pa.scalar(index, pa.int8()))
        if pa.types.is_null(branch.type):
            nothing = taken
            continue
        kind = next(
            target.field(at).type
            for at in range(target.num_fields)
            if target.field(at).name.lower() == branch.name.lower()
        )
        whole = fitted(array.field(index), kind)
        members[branch.name] = _where(taken, whole)
    return _struct(members, target, len(array), nothing)


def _where(taken: Column, column: Column) -> Column:
    """Return a column with nulls where a row does not take it; ``take`` does it for every nested type."""
    rows = pc.if_else(taken, pa.array(range(len(column)), pa.int64()), pa.scalar(None, pa.int64()))
    return column.take(rows)
