"""Avro types as Arrow types, and columns from one to the other.

==========================  =========================  =================
Avro                        Arrow                      DuckDB
==========================  =========================  =================
record                      struct                     STRUCT
record without fields       bool: true, it is there    BOOLEAN
array, map                  list, map                  T[], MAP
enum, string, uuid          string                     VARCHAR
null and one other          that one, nullable         that one
other unions                sparse union               UNION
date                        date32                     DATE
time-millis, -micros        time32[ms], time64[us]     TIME
timestamp-*                 timestamp[., UTC]          TIMESTAMPTZ
local-timestamp-*           timestamp[.]               TIMESTAMP
decimal, up to 38 digits    decimal128                 DECIMAL
bytes, fixed                binary                     BLOB
a type inside itself        string                     VARCHAR
==========================  =========================  =================

Values travel in two layouts: *raw*, as the readers give them (every integer 64 bits wide, logical types as the number
or the bytes beneath), and *typed*, as in the table. ``typed`` narrows the first into the second without losing
anything: what does not fit raises. It matters because pyruhvro cuts an ``int`` beyond 32 bits to its low half
without a word, so it is made to read a ``long``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.types.decimals import decimals
from schemas.types.node import RECURSION, Node, member_names
from schemas.undecodable import UndecodableValue

# A pa.Array. The stubs describe arrays whose type is known while checking; here it is known while running.
Column = Any

_SECONDS_MIN, _SECONDS_MAX = -62_135_596_800, 253_402_300_799  # 0001-01-01 .. 9999-12-31T23:59:59, UTC
_DAY_S = 86_400
_PER_SECOND = {"ms": 1_000, "us": 1_000_000}
_UNIT = {"millis": "ms", "micros": "us"}

_TYPED: dict[str, pa.DataType] = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
    "enum": pa.string(),
    RECURSION: pa.string(),
}


def arrow_schema(root: Node) -> pa.Schema:
    """Return the typed Arrow schema of a record. Only top-level columns are marked ``not null``."""
    return pa.schema([pa.field(name, typed_type(node), nullable=node.nullable) for name, node in root.fields])


def typed_type(node: Node) -> pa.DataType:
    """Return the type of the table above."""
    if node.logical:
        return _logical_type(node)
    return _TYPED[node.kind] if node.kind in _TYPED else _nested_type(node, typed_type)


def raw_type(node: Node) -> pa.DataType:
    """Return the layout that the readers give."""
    if node.kind == "int":
        return pa.int64()
    return _TYPED[node.kind] if node.kind in _TYPED else _nested_type(node, raw_type)


def _nested_type(node: Node, type_of: Any) -> pa.DataType:
    if node.kind == "fixed":
        return pa.binary(node.size) if node.size else pa.binary()  # DuckDB takes none of no bytes
    if node.kind == "array":
        return pa.list_(type_of(node.element()))
    if node.kind == "map":
        return pa.map_(pa.string(), type_of(node.element()))
    if _is_empty(node):
        return pa.bool_()  # true where it is there: no store has a struct without members
    members = [pa.field(name, type_of(child)) for name, child in zip(member_names(node), node.below(), strict=True)]
    return pa.struct(members) if node.kind == "record" else pa.sparse_union(members)


def _is_empty(node: Node) -> bool:
    return node.kind == "record" and not node.fields


def _is_unlike(node: Node) -> bool:
    """True for a type whose values Arrow cannot take as they are: members may have other names than fields."""
    if node.kind == "record":
        return not node.fields or member_names(node) != [name for name, _ in node.fields]
    return node.kind == "union"


def _fields(struct: Any) -> list[pa.Field[Any]]:
    return [struct.field(index) for index in range(struct.num_fields)]


def _logical_type(node: Node) -> pa.DataType:
    if node.logical == "decimal":
        return pa.decimal128(node.precision, node.scale)
    if node.logical == "date":
        return pa.date32()
    family, _, unit = node.logical.rpartition("-")
    if family == "time":
        return pa.time32("ms") if unit == "millis" else pa.time64("us")
    timestamp: Any = pa.timestamp  # its unit is a literal to the stubs
    local_or_utc: pa.DataType = timestamp(_UNIT[unit], tz="UTC" if family == "timestamp" else None)
    return local_or_utc


def raw_array(node: Node, values: list[Any]) -> Column:
    """Build a raw column from the strict reader's values. Unions are built by hand: Arrow has no converter."""
    if not any(map(_is_unlike, node.walk())):
        return pa.array(values, type=raw_type(node))
    missing = pa.array([value is None for value in values], pa.bool_())
    if node.kind == "record":
        if _is_empty(node):
            return pa.array([None if value is None else True for value in values], pa.bool_())
        rows = [value or {} for value in values]
        children = [raw_array(child, [row.get(name, _blank(child)) for row in rows]) for name, child in node.fields]
        return pa.StructArray.from_arrays(children, fields=_fields(raw_type(node)), mask=missing)
    if node.kind in ("array", "map"):
        lists = [value or [] for value in values]
        ends = [0]
        for one in lists:
            ends.append(ends[-1] + len(one))
        offsets, flat = pa.array(ends, pa.int32()), [item for one in lists for item in one]
        if node.kind == "array":
            items = raw_array(node.element(), flat)
            return pa.ListArray.from_arrays(offsets, items, type=raw_type(node), mask=missing)
        keys = pa.array([key for key, _ in flat], pa.string())
        items = raw_array(node.element(), [item for _, item in flat])
        return _map_array(offsets, keys, items, raw_type(node), missing)
    children = [
        raw_array(branch, [value if tag == index else _blank(branch) for tag, value in values])
        for index, branch in enumerate(node.branches)
    ]
    tags = pa.array([tag for tag, _ in values], pa.int8())
    return pa.UnionArray.from_sparse(tags, children, member_names(node))


def _map_array(offsets: Column, keys: Column, items: Column, kind: pa.DataType, mask: Column | None) -> Column:
    maps: Any = pa.MapArray  # the stubs miss this form
    return maps.from_arrays(offsets, keys, items, type=kind, mask=mask)


def _blank(node: Node) -> Any:
    """Return what fills the slots of the branches that a union's row does not take."""
    return (0, _blank(node.branches[0])) if node.kind == "union" else None


def typed(array: Column, node: Node) -> Column:
    """Return a raw column in its typed layout; text and numbers are not copied where their layout is the same.

    :raises UndecodableValue: ``out_of_range``: an int beyond 32 bits, a date outside the years 1 to 9999 ...
    """
    if node.kind in _TYPED or node.kind == "fixed" or _is_empty(node):
        return _typed_leaf(array, node)
    mask = array.is_null() if array.null_count else None
    if node.kind == "record":
        children = [typed(array.field(index), child) for index, (_, child) in enumerate(node.fields)]
        return struct_of(node, children, mask)
    if node.kind == "array":
        values = typed(array.values, node.element())
        return pa.ListArray.from_arrays(array.offsets, values, type=pa.list_(values.type), mask=mask)
    if node.kind == "map":
        _refuse_duplicate_keys(array)
        items = typed(array.items, node.element())
        return _map_array(array.offsets, array.keys, items, pa.map_(pa.string(), items.type), mask)
    children = [typed(array.field(index), branch) for index, branch in enumerate(node.branches)]
    return pa.UnionArray.from_sparse(array.type_codes, children, member_names(node))


def struct_of(node: Node, children: list[Column], mask: Column | None) -> Column:
    """Return the columns of a record's fields as one, with the names of its members."""
    members = zip(member_names(node), children, strict=True)
    return pa.StructArray.from_arrays(children, fields=[pa.field(name, one.type) for name, one in members], mask=mask)


def _refuse_duplicate_keys(array: Column) -> None:
    """A map with one key twice: Avro's wire format allows it, a map does not."""
    if not len(array.keys):
        return
    keys = array.keys.dictionary_encode()
    owner = np.repeat(np.arange(len(array)), np.diff(array.offsets.to_numpy()))
    pairs = owner * len(keys.dictionary) + keys.indices.to_numpy()
    if len(np.unique(pairs)) < len(pairs):
        raise UndecodableValue("duplicate_key", "a map has one key twice")


def _typed_leaf(array: Column, node: Node) -> Column:
    target = typed_type(node)
    if node.logical == "decimal":
        return decimals(array, node.precision, target)
    low, high = _limits(node)
    if low is not None:
        bounds: Any = pc.min_max(array).as_py()
        if bounds["min"] is not None and not low <= bounds["min"] <= bounds["max"] <= high:
            raise UndecodableValue("out_of_range", f"a value of type {node.logical or node.kind} is out of range")
    if node.kind == "int":
        array = array.cast(pa.int32())
    return array.view(target) if array.type != target else array


def _limits(node: Node) -> tuple[int, int] | tuple[None, None]:
    """Return the least and greatest number that the type can hold (years 1 to 9999, one day), if it is bounded."""
    if node.logical == "date":
        return _SECONDS_MIN // _DAY_S, _SECONDS_MAX // _DAY_S
    family, _, unit = node.logical.rpartition("-")
    if family == "time":
        return 0, _DAY_S * _PER_SECOND[_UNIT[unit]] - 1
    if family:
        per_second = _PER_SECOND[_UNIT[unit]]
        return _SECONDS_MIN * per_second, (_SECONDS_MAX + 1) * per_second - 1
    return (-(1 << 31), (1 << 31) - 1) if node.kind == "int" else (None, None)


def missing_value(array: Column, node: Node, path: str, present: Column | None = None) -> str | None:
    """Return the path of the first null where the schema allows none. The fast encoder would write it as a blank.

    ``present`` marks the rows whose parent is not null itself; beneath a null parent anything may stand.
    """
    if array.null_count:
        valid = array.is_valid()
        if not node.nullable:
            absent = pc.invert(valid) if present is None else pc.and_not(present, valid)
            if pc.any(absent).as_py():
                return path
        present = valid if present is None else pc.and_(present, valid)
    if node.kind == "record":
        for index, (name, child) in enumerate(node.fields):
            found = missing_value(array.field(index), child, f"{path}.{name}", present)
            if found:
                return found
    elif node.kind == "array":
        return missing_value(array.flatten(), node.element(), f"{path}[]")
    elif node.kind == "map":
        ends = array.offsets
        items = array.items.slice(ends[0].as_py(), ends[-1].as_py() - ends[0].as_py())
        return missing_value(items, node.element(), f"{path}{{}}")
    return None
