"""Columns that hold more than one schema says, as that schema has them: members of its own, in its order and types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# What Avro and Arrow call the branch of a union that holds nothing.
_NULL = "null"

# A pa.Array, whose type is known only while running.
Column = Any

_is = pa.types


def fitted(array: Column, target: pa.DataType) -> Column:
    """Return a column in the layout of ``target``; what Arrow casts rightly is left to the encoder.

    :raises ValueError: a row is in a member that the target does not have.
    """
    if not _is_rebuilt(target):
        return array
    if _is.is_null(target):
        return _cast(array, target)
    mask = array.is_null() if array.null_count else None
    if _is.is_struct(target):
        children = [_cast(fitted(_member(array, field.name), field.type), field.type) for field in target.fields]
        return pa.StructArray.from_arrays(children, fields=list(target.fields), mask=mask)
    if _is.is_map(target):
        maps: Any = pa.MapArray  # the stubs miss this form
        items = _cast(fitted(array.items, target.item_type), target.item_type)
        return maps.from_arrays(array.offsets, array.keys, items, type=target, mask=mask)
    if _is.is_list(target):
        values = _cast(fitted(array.values, target.value_type), target.value_type)
        return pa.ListArray.from_arrays(array.offsets, values, type=target, mask=mask)
    return _fitted_union(array, target)


def _fitted_union(array: Column, target: pa.DataType) -> Column:
    """Return a union in the layout of ``target``, with the rows that hold nothing in its branch ``null``.

    DuckDB has no tag for an empty union: it gives such a row away under the tag of the first member.
    """
    names, fields = [field.name for field in array.type], _fields(target)
    wanted = [field.name for field in fields]
    codes = array.type_codes.to_numpy(zero_copy_only=False)
    number = {array.type.type_codes[place]: name for place, name in enumerate(names)}
    holds = np.zeros(len(codes), np.bool_)
    for place, code in enumerate(array.type.type_codes):
        holds |= (codes == code) & _valid(array.field(place))
    foreign = {number[code] for code in np.unique(codes[holds]).tolist()} - set(wanted)
    if foreign:
        raise ValueError(f"rows are in {', '.join(sorted(foreign))}, which the schema does not have")
    new = np.zeros(128, np.int8)
    for code, name in number.items():
        new[code] = wanted.index(name) if name in wanted else 0
    tags = new[codes]
    if _NULL in wanted:
        tags[~holds] = wanted.index(_NULL)
    children = [
        _cast(fitted(array.field(names.index(field.name)), field.type), field.type)
        if field.name in names
        else pa.nulls(len(codes), field.type)
        for field in fields
    ]
    return pa.UnionArray.from_sparse(pa.array(tags, pa.int8()), children, wanted)


def _cast(array: Column, target: pa.DataType) -> Column:
    if array.type == target:
        return array
    if _is.is_null(target) and array.null_count == len(array):
        return pa.nulls(len(array))
    try:
        return array.cast(target)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None


def _member(array: Column, name: str) -> Column:
    return array.field(array.type.get_field_index(name))


def _fields(kind: Any) -> list[pa.Field[Any]]:
    return [kind.field(place) for place in range(kind.num_fields)]


def _is_rebuilt(kind: pa.DataType) -> bool:
    """True for what Arrow does not cast, or casts wrongly: items without values lose their number (PyArrow 26)."""
    if _is.is_union(kind) or _is.is_null(kind):
        return True
    return any(_is_rebuilt(kind.field(place).type) for place in range(kind.num_fields))


def _valid(array: Column) -> NDArray[np.bool_]:
    valid: NDArray[np.bool_] = array.is_valid().to_numpy(zero_copy_only=False).astype(np.bool_)
    return valid
