"""Values of Parquet in the types of a schema: a value is one of its type only where that says it again.

A value is put into the other type and back: where something else comes out, it is none. Numbers stand for numbers of
any kind, and for times in the unit of their type; a text is no number, and a moment without a zone is none with one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from producer.scenarios.replay.rows.csv_strict import ENCODING, NUL
from schemas.types.arrow import typed_type
from schemas.types.node import Node, member_names

EMPTY, WRONG_TYPE = "empty_field", "wrong_type"

Mask = NDArray[np.bool_]
# The stubs know functions of arrays whose type is known while checking; here it is known while running.
pc: Any = pyarrow.compute
types: Any = pa.types

_SECONDS = (-62_135_596_800, 253_402_300_800)  # years 1 to 9999
_DAY_S = 86_400
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
# Holds every number of 64 bits.
_WHOLE_64 = pa.decimal128(20, 0)
# Every whole number up to here is one of the type.
_WHOLE = {"float": 1 << 24, "double": 1 << 53}


@dataclass(slots=True)
class Fitted:
    """A column in the type of its field; of each fault the reason, the detail, and the rows that have it."""

    values: Any
    faults: list[tuple[str, str, Mask]] = field(default_factory=list)


def fitted(column: Any, node: Node, path: str, *, instants: bool = False) -> Fitted:
    """Return a column in the type of a field.

    :param column: an Arrow array, as Parquet gives it.
    :param path: of the field, for what is said of a fault.
    :param instants: its times without a zone are moments of UTC all the same, as ``INT96`` has them.
    """
    column = plainly(column)
    fit = _NESTED.get(node.kind) if node.kind != "record" or node.fields else None
    if types.is_null(column.type):
        found = Fitted(_nulls(len(column), typed_type(node)))
    elif fit is not None:
        found = fit(column, node, path)
    else:
        found = _leaf(column, node, path, instants)
    if not node.nullable and column.null_count:
        found.faults.append((EMPTY, f"{path} is null", _mask(column.is_null())))
    return found


def plainly(column: Any) -> Any:
    """Return a column without what is only another way to keep the same values."""
    if isinstance(column.type, pa.BaseExtensionType):
        return plainly(column.storage)
    if types.is_dictionary(column.type):
        return plainly(column.dictionary_decode())
    # A float of 32 bits has all of 16 bits, and more functions.
    return column.cast(pa.float32()) if types.is_float16(column.type) else column


def _nulls(many: int, kind: Any) -> Any:
    return pa.nulls(many, kind)


def _mask(found: Any) -> Mask:
    """Return a column of truths as a mask; null is false."""
    mask: Mask = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return mask


def _no_value(column: Any, node: Node, path: str, more: str = "") -> Fitted:
    detail = f"{path} is no {node.logical or node.kind}: it is {column.type}{more}"
    return Fitted(_nulls(len(column), typed_type(node)), [(WRONG_TYPE, detail, _mask(column.is_valid()))])


def _leaf(column: Any, node: Node, path: str, instants: bool) -> Fitted:
    given, kind = family(column.type), family(typed_type(node))
    if given == "local" and kind == "moment" and instants:
        column, given = column.cast(pa.timestamp(column.type.unit, "UTC")), "moment"
    if kind not in _FROM.get(given, ()):
        return _no_value(column, node, path, ", without a zone" if (given, kind) == ("local", "moment") else "")
    if given == "text":
        return _text(column, node, path)
    if types.is_unsigned_integer(column.type):
        # Cut to as many bits with a sign and back, a number would be itself again.
        column = column.cast(_WHOLE_64 if column.type == pa.uint64() else pa.int64())
    values, bad = _exactly(column, typed_type(node))
    bad |= _beyond(column, values, node)
    return Fitted(values, [(WRONG_TYPE, f"{path} is no {node.logical or node.kind}", bad)] if bad.any() else [])


def family(kind: Any) -> str:
    """Return what sort of value a type of Arrow has."""
    return next((name for name, is_one in _FAMILIES if is_one(kind)), "other")


_FAMILIES: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("text", lambda kind: types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)),
    ("bytes", lambda kind: types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)),
    ("bytes", types.is_fixed_size_binary),
    ("truth", types.is_boolean),
    ("whole", types.is_integer),
    ("number", lambda kind: types.is_floating(kind) or types.is_decimal(kind)),
    ("moment", lambda kind: types.is_timestamp(kind) and kind.tz is not None),
    ("local", types.is_timestamp),
    ("day", types.is_date),
    ("clock", types.is_time),
)
# What a value of a family may be taken as.
_FROM = {
    "text": ("text",),
    "bytes": ("bytes",),
    "truth": ("truth",),
    "whole": ("whole", "number", "moment", "local", "day", "clock"),
    "number": ("whole", "number"),
    "moment": ("moment",),
    "local": ("local", "day"),
    "day": ("day", "local"),
    "clock": ("clock",),
}


def _exactly(column: Any, wanted: Any) -> tuple[Any, Mask]:
    """Return values in another type, and which of them do not come back from it."""
    if column.type == wanted:
        return column, np.zeros(len(column), dtype=np.bool_)
    if types.is_integer(column.type) and types.is_decimal(wanted):
        # Arrow refuses a type that does not hold every number of 64 bits, whichever are there.
        return _exactly(column.cast(_WHOLE_64), wanted)
    numbers = wanted
    if types.is_integer(column.type) and family(wanted) in ("moment", "local", "day", "clock"):
        # A number is one of the unit of the type.
        numbers = pa.int32() if wanted.bit_width == 32 else pa.int64()
    try:
        through = column.cast(numbers, safe=False)
        back = through.cast(column.type, safe=False)
        found = through.cast(wanted, safe=False)
    except (pa.ArrowException, NotImplementedError):
        if len(column) <= 1:
            return _nulls(len(column), wanted), _mask(column.is_valid())
        half = len(column) // 2
        parts = [_exactly(column.slice(0, half), wanted), _exactly(column.slice(half), wanted)]
        return pa.concat_arrays([part for part, _ in parts]), np.concatenate([bad for _, bad in parts])
    same = pc.equal(back, column)
    if types.is_floating(column.type):
        same = pc.or_kleene(same, pc.and_(pc.is_nan(column), pc.is_nan(back)))
    return found, _mask(column.is_valid()) & ~_mask(same)


def _beyond(column: Any, values: Any, node: Node) -> Mask:
    """Return which values lie where a type has no exact ones, or beyond the years 1 to 9999."""
    wanted: Any = typed_type(node)
    bad = np.zeros(len(column), dtype=np.bool_)
    if types.is_integer(column.type) and node.kind in _WHOLE and not node.logical:
        bad |= _outside(column.cast(pa.int64()), -_WHOLE[node.kind], _WHOLE[node.kind] + 1)
    elif types.is_floating(column.type) and types.is_integer(wanted):
        bad |= _mask(pc.greater_equal(pc.abs(column.cast(pa.float64())), 2.0 ** (wanted.bit_width - 1)))
    elif types.is_date32(wanted):
        bad |= _outside(values.cast(pa.int32()), _SECONDS[0] // _DAY_S, _SECONDS[1] // _DAY_S)
    elif types.is_timestamp(wanted):
        bad |= _outside(values.cast(pa.int64()), *(second * _PER_SECOND[wanted.unit] for second in _SECONDS))
    elif types.is_time(wanted):
        whole = values.cast(pa.int32() if wanted.bit_width == 32 else pa.int64())
        bad |= _outside(whole, 0, _DAY_S * _PER_SECOND[wanted.unit])
    elif types.is_fixed_size_binary(wanted) and types.is_fixed_size_binary(column.type):
        bad |= wanted.byte_width != column.type.byte_width
    return bad


def _outside(numbers: Any, least: int, end: int) -> Mask:
    return _mask(pc.or_(pc.less(numbers, least), pc.greater_equal(numbers, end)))


def _text(column: Any, node: Node, path: str) -> Fitted:
    """Return texts; what is no UTF-8, or holds a NUL, or is no symbol, is none. Parquet itself does not look."""
    faults: list[tuple[str, str, Mask]] = []
    raw = column.cast(pa.large_binary())
    try:
        raw.cast(pa.large_string())
    except pa.ArrowInvalid:
        told: Iterator[bytes | None] = iter(raw.to_pylist())
        wrong: Mask = np.array([each is not None and not _is_utf8(each) for each in told], dtype=np.bool_)
        faults.append((ENCODING, f"{path} is not utf-8", wrong))
        raw = pc.if_else(pa.array(wrong), pa.scalar(None, raw.type), raw)
    values = raw.cast(pa.large_string()).cast(pa.string())
    nul = _mask(pc.match_substring(raw, b"\0"))
    if nul.any():
        faults.append((NUL, f"{path} holds a NUL", nul))
    if node.kind == "enum":
        unknown = _mask(pc.invert(pc.is_in(values, value_set=pa.array(node.symbols, pa.string())))) & _mask(
            values.is_valid()
        )
        if unknown.any():
            faults.append((WRONG_TYPE, f"{path} is no enum", unknown))
    return Fitted(values, faults)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _record(column: Any, node: Node, path: str) -> Fitted:
    if not types.is_struct(column.type):
        return _no_value(column, node, path)
    there = [each.name for each in column.type]
    known = [name for name, _ in node.fields]
    if sorted(there) != sorted(known):
        return _no_value(column, node, path)
    absent, parts = column.is_null(), column.flatten()
    valid = ~_mask(absent)
    found = Fitted(None)
    columns = []
    for name, child in node.fields:
        part = fitted(parts[there.index(name)], child, f"{path}.{name}")
        columns.append(part.values)
        found.faults += [(reason, detail, mask & valid) for reason, detail, mask in part.faults]
    members = zip(member_names(node), columns, strict=True)
    fields = [pa.field(name, values.type) for name, values in members]
    found.values = pa.StructArray.from_arrays(columns, fields=fields, mask=absent)
    return found


def _array(column: Any, node: Node, path: str) -> Fitted:
    if types.is_fixed_size_list(column.type):
        column = column.cast(pa.list_(column.type.value_type))
    if not types.is_list(column.type) and not types.is_large_list(column.type):
        return _no_value(column, node, path)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    items = fitted(column.flatten(), node.element(), f"{path}[]")
    values = pa.ListArray.from_arrays(
        _offsets(lengths), items.values, type=pa.list_(items.values.type), mask=column.is_null()
    )
    return Fitted(values, _of_rows(items.faults, lengths))


def _map(column: Any, node: Node, path: str) -> Fitted:
    if not types.is_map(column.type):
        return _no_value(column, node, path)
    ends = column.offsets.to_numpy().astype(np.int64)
    first, many = int(ends[0]), int(ends[-1] - ends[0])
    lengths = np.diff(ends)
    keys = fitted(column.keys.slice(first, many), Node("string"), f"{path}{{}}")
    items = fitted(column.items.slice(first, many), node.element(), f"{path}{{}}")
    valid = _mask(column.is_valid())
    faults = [(reason, detail, mask & valid) for reason, detail, mask in _of_rows(keys.faults + items.faults, lengths)]
    twice = _twice(keys.values, lengths) & valid
    if twice.any():
        faults.append((WRONG_TYPE, f"{path} has a key twice", twice))
    maker: Any = pa.MapArray  # the stubs miss this form
    kept = pc.fill_null(keys.values, "")  # a key that is none is in a row that is not taken
    kind = pa.map_(pa.string(), items.values.type)
    values = maker.from_arrays(_offsets(lengths), kept, items.values, type=kind, mask=column.is_null())
    return Fitted(values, faults)


def _offsets(lengths: NDArray[np.int64]) -> Any:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())


def _of_rows(faults: list[tuple[str, str, Mask]], lengths: NDArray[np.int64]) -> list[tuple[str, str, Mask]]:
    """Return faults of items as faults of the rows that hold them."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return [(reason, detail, np.bincount(owner[mask], minlength=len(lengths)) > 0) for reason, detail, mask in faults]


def _twice(keys: Any, lengths: NDArray[np.int64]) -> Mask:
    """Return which rows have a key more than once."""
    if not len(keys):
        return np.zeros(len(lengths), dtype=np.bool_)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    numbers = keys.dictionary_encode().indices
    pairs = owner * (len(keys) + 1) + pc.fill_null(numbers, len(keys)).to_numpy().astype(np.int64)
    _, places, counts = np.unique(pairs, return_index=True, return_counts=True)
    return np.bincount(owner[places[counts > 1]], minlength=len(lengths)) > 0


_NESTED: dict[str, Callable[[Any, Node, str], Fitted]] = {"record": _record, "array": _array, "map": _map}
