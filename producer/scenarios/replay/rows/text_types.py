"""Values out of text, by the type of their field: what a text does not say exactly is no value of it.

=============  =====================================================================================================
long, int      decimal digits without a leading zero or plus: ``007`` is none, nor is what has more bits
double, float  a decimal number, with or without an exponent, that the double says again in as many digits
boolean        ``true`` and ``false``, in small letters, capitals, or with one capital
timestamp-*    ``2026-01-31T12:00:00Z`` (or a blank for the T, up to six digits of a second, +00:00), or the number of
               milliseconds or microseconds since 1970
local-*        the same without a zone
date           ``2026-01-31``, of the years 1 to 9999 as all times
decimal        a decimal number of no more digits than precision and scale hold
enum           one of its symbols
string         any text
=============  =====================================================================================================

An empty field is null where its type allows that, and else empty text, or no value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from schemas.types.arrow import typed_type
from schemas.types.tree import Node

Mask = NDArray[np.bool_]

# The stubs know functions of arrays whose type is known while checking; here it is known while running.
pc: Any = pyarrow.compute

_LONG = r"^-?(0|[1-9][0-9]{0,18})$"
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,4})?$"
_ZONED = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|\+00:00)$"
_LOCAL = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_DECIMAL = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
_TRUTHS = ("true", "false", "True", "False", "TRUE", "FALSE")
_YEARS_S = (-62_135_596_800, 253_402_300_799)
# As many digits of any decimal number come out of a double again, and of a float; with more it depends.
_SURE, _MOST = {"double": 15, "float": 6}, {"double": 17, "float": 9}
# Numbers that are smaller have fewer digits, down to none.
_SMALLEST = {"double": 2.0**-1022, "float": 2.0**-126}


@dataclass(frozen=True, slots=True)
class Typed:
    """A column in the type of its field: null where a text is no value of it, which ``bad`` marks."""

    values: Any
    bad: Mask | None


def refused_kind(node: Node) -> str | None:
    """Return what a field's type is called if no text says its values."""
    known = _LOGICAL if node.logical else _KINDS
    if (node.logical or node.kind) in known or node.logical.rpartition("-")[0] in _LOGICAL:
        return None
    return node.logical or node.kind


def typed(texts: Any, node: Node) -> Typed:
    """Return texts as values of a type.

    :param texts: strings without nulls.
    """
    convert = _converter(node)
    if node.kind == "string":
        return Typed(_null_if(texts, pc.equal(texts, "")) if node.nullable else texts, None)
    empty = pc.equal(texts, "")
    some_empty = bool(pc.any(empty).as_py())
    there = _null_if(texts, empty) if some_empty else texts
    values, bad = convert(there, node)
    if some_empty and not node.nullable:
        blanks: Mask = empty.to_numpy(zero_copy_only=False)
        bad = blanks if bad is None else bad | blanks
    return Typed(values, bad if bad is not None and bad.any() else None)


def _converter(node: Node) -> Callable[[Any, Node], tuple[Any, Mask | None]]:
    if node.logical:
        return _LOGICAL.get(node.logical) or _LOGICAL[node.logical.rpartition("-")[0]]
    return _KINDS[node.kind]


def _null_if(values: Any, mask: Any) -> Any:
    return pc.if_else(mask, pa.scalar(None, values.type), values)


def _mask(found: Any) -> Mask:
    """Return a column of truths as a mask; null is false."""
    mask: Mask = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return mask


def _matching(texts: Any, pattern: str) -> tuple[Any, Mask | None]:
    """Return texts with null for those that are not of a form, and which those are."""
    fits = pc.match_substring_regex(texts, pattern)
    bad = _mask(pc.invert(fits))
    return (texts, None) if not bad.any() else (_null_if(texts, pc.fill_null(pc.invert(fits), False)), bad)


def _cast(values: Any, kind: pa.DataType) -> tuple[Any, Mask | None]:
    """Return values in another type, null where Arrow refuses one, and where that was."""
    try:
        return values.cast(kind), None
    except pa.ArrowException:
        if len(values) == 1:
            return pa.array([None], kind), np.ones(1, dtype=np.bool_)
    half = len(values) // 2
    parts = [_cast(values.slice(0, half), kind), _cast(values.slice(half), kind)]
    masks = [np.zeros(len(part), dtype=np.bool_) if bad is None else bad for part, bad in parts]
    return pa.concat_arrays([part for part, _ in parts]), np.concatenate(masks)


def _either(first: Mask | None, second: Mask | None) -> Mask | None:
    return second if first is None else first if second is None else first | second


def _whole(texts: Any, node: Node) -> tuple[Any, Mask | None]:
    kind = pa.int32() if node.kind == "int" else pa.int64()
    try:
        values = texts.cast(kind)
    except pa.ArrowException:
        pass
    else:
        same = pc.equal(values.cast(pa.string()), texts)
        if pc.all(same, skip_nulls=True).as_py() is not False:
            return values, None
    fitting, bad = _matching(texts, _LONG)
    values, beyond = _cast(fitting, kind)
    bad = _either(bad, beyond)
    return _without(values, bad, pc.equal(texts, "-0"))


def _floating(texts: Any, node: Node) -> tuple[Any, Mask | None]:
    kind = pa.float64() if node.kind == "double" else pa.float32()
    fitting, bad = _matching(texts, _NUMBER)
    values, refused = _cast(fitting, kind)
    bad = _either(bad, refused)
    mantissa = pc.replace_substring_regex(fitting, r"[eE].*$", "")
    digits = pc.replace_substring_regex(mantissa, r"[-.]", "")
    digits = pc.replace_substring_regex(digits, r"^0+", "")
    lost = pc.or_(pc.invert(pc.is_finite(values)), pc.and_(pc.equal(values, 0), pc.greater(pc.utf8_length(digits), 0)))
    many = pc.or_(
        pc.greater(pc.utf8_length(digits), _SURE[node.kind]),
        pc.and_(pc.less(pc.abs(values), _SMALLEST[node.kind]), pc.not_equal(values, 0)),
    )
    inexact = _mask(lost)
    for row in np.flatnonzero(_mask(many) & ~inexact).tolist():
        inexact[row] = not says_again(fitting[row].as_py(), values[row].as_py(), _MOST[node.kind])
    if inexact.any():
        bad = _either(bad, inexact)
        values = _null_if(values, pa.array(inexact))
    return values, bad


# Digits of a double that is written out, and of a text that is compared with it.
_EXACT = 1_200


def says_again(text: str, value: float, most: int = _MOST["double"]) -> bool:
    """Tell whether a number, written with as many digits as a text, is the number that the text says.

    A number that lies in the middle between two such texts is said by both: Python writes the one that is read back to
    it, and rounding to even gives the other (``5.960464477539063e-08`` is 2 to the power of -24).

    :param most: digits that say every value of the type apart from any other.
    """
    if not math.isfinite(value):
        return False
    try:
        said = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return False
    if not value or not said:
        return not value and not said
    digits = len(said.as_tuple().digits)
    if digits > most:
        said = said.normalize()  # zeros at the end say nothing more
        digits = len(said.as_tuple().digits)
    if digits > most:
        return False
    with localcontext(prec=_EXACT):
        return 2 * abs(Decimal(value) - said) <= Decimal(1).scaleb(int(said.as_tuple().exponent))


def _boolean(texts: Any, _: Node) -> tuple[Any, Mask | None]:
    known = pc.is_in(texts, value_set=pa.array(_TRUTHS))
    values = pc.equal(pc.utf8_lower(texts), "true")
    bad = _mask(pc.and_(pc.invert(known), pc.is_valid(texts)))
    return (values, None) if not bad.any() else (_null_if(values, pa.array(bad)), bad)


def _moment(texts: Any, node: Node) -> tuple[Any, Mask | None]:
    """Return points in time, from texts of ISO 8601 or from numbers in the unit of the type."""
    kind: Any = typed_type(node)
    numbers, no_number = _whole(texts, Node("long"))
    values = numbers.cast(kind)
    if no_number is not None:
        others = _null_if(texts, pa.array(~no_number))
        fitting, bad = _matching(others, _LOCAL if kind.tz is None else _ZONED)
        exact: Any = pa.timestamp("us", tz=kind.tz)
        moments, refused = _cast(fitting, exact)
        moments, finer = _cast(moments, kind)
        bad = _either(_either(bad, refused), finer)
        values = pc.coalesce(values, moments)
    else:
        bad = None
    per_second = {"ms": 1_000, "us": 1_000_000}[kind.unit]
    raw = values.cast(pa.int64())
    least, most = _YEARS_S[0] * per_second, (_YEARS_S[1] + 1) * per_second - 1
    return _without(values, bad, pc.or_(pc.less(raw, least), pc.greater(raw, most)))


def _day(texts: Any, _: Node) -> tuple[Any, Mask | None]:
    fitting, bad = _matching(texts, _DATE)
    values, refused = _cast(fitting, pa.date32())
    bad = _either(bad, refused)
    return _without(values, bad, pc.less(values.cast(pa.int32()), _YEARS_S[0] // 86_400))  # the year 0


def _decimal(texts: Any, node: Node) -> tuple[Any, Mask | None]:
    fitting, bad = _matching(texts, _DECIMAL)
    values, refused = _cast(fitting, typed_type(node))
    # No decimal is a minus zero.
    return _without(values, _either(bad, refused), pc.match_substring_regex(fitting, r"^-0(\.0+)?$"))


def _without(values: Any, bad: Mask | None, more: Any) -> tuple[Any, Mask | None]:
    """Return values with null for some more that are none, and which are none."""
    found = _mask(more)
    return (_null_if(values, pa.array(found)), _either(bad, found)) if found.any() else (values, bad)


def _symbol(texts: Any, node: Node) -> tuple[Any, Mask | None]:
    bad = _mask(pc.and_(pc.invert(pc.is_in(texts, value_set=pa.array(node.symbols))), pc.is_valid(texts)))
    return (texts, None) if not bad.any() else (_null_if(texts, pa.array(bad)), bad)


def _text(texts: Any, _: Node) -> tuple[Any, Mask | None]:
    return texts, None


_KINDS: dict[str, Callable[[Any, Node], tuple[Any, Mask | None]]] = {
    "int": _whole,
    "long": _whole,
    "double": _floating,
    "float": _floating,
    "boolean": _boolean,
    "string": _text,
    "enum": _symbol,
}
_LOGICAL: dict[str, Callable[[Any, Node], tuple[Any, Mask | None]]] = {
    "timestamp": _moment,
    "local-timestamp": _moment,
    "date": _day,
    "decimal": _decimal,
}
