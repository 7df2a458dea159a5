"""What JSON has no type for, as text: dates and times as ISO 8601, decimals as digits, bytes as base64.

Columns in, columns out. What we write is one form of each; these readers take that form alone and refuse the rest,
which ``strict.py`` then reads one by one.
"""

from __future__ import annotations

import binascii
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.types.arrow import Column, typed_type
from schemas.types.tree import Node

# A pc function. The stubs describe each by the types of its arguments, which are known only while running.
_c: Any = pc

_DATE = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-[0-9]{2}-[0-9]{2}"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_FRACTION = {"millis": r"\.[0-9]{3}", "micros": r"\.[0-9]{6}"}
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


class OtherForm(ValueError):
    """A text of a column is not in the form that we write."""


def is_text(node: Node) -> bool:
    """Return whether values of the type are texts in JSON, whatever they are in Avro."""
    return node.kind in ("string", "enum", "bytes", "fixed") or bool(node.logical)


def text_of(array: Column, node: Node) -> Column:
    """Return a typed column of dates, times, decimals or bytes as text, nulls kept."""
    if node.logical == "decimal":
        return _digits(array, node.scale)
    if node.kind in ("bytes", "fixed"):
        values = [None if raw is None else binascii.b2a_base64(raw, newline=False) for raw in array.to_pylist()]
        return pa.array(values, pa.binary()).cast(pa.string())
    text = array.cast(pa.string())
    if "timestamp" in node.logical:  # Arrow writes a space there
        return _c.binary_replace_slice(text, start=10, stop=11, replacement="T")
    return text


def column_of(text: Column, node: Node) -> Column:
    """Return the typed column that a column of texts says.

    :raises OtherForm: one of them is in another form, or no value of the type.
    """
    target = typed_type(node)
    try:
        if node.logical == "decimal":
            point = rf"\.[0-9]{{{node.scale}}}" if node.scale else ""
            return _matching(text, f"-?(?:0|[1-9][0-9]*){point}").cast(target)
        if node.kind in ("bytes", "fixed"):
            raw = [None if one is None else binascii.a2b_base64(one, strict_mode=True) for one in text.to_pylist()]
            return pa.array(raw, pa.binary()).cast(target)
        if node.logical == "date":
            return _matching(text, _DATE).cast(target)
        family, _, unit = node.logical.rpartition("-")
        if family == "time":
            counted: Any = pa.timestamp("ms" if unit == "millis" else "us")
            day = _c.binary_join_element_wise("1970-01-01T", _matching(text, _CLOCK + _FRACTION[unit]), "")
            return day.cast(counted).cast(pa.int64()).cast(pa.int32() if unit == "millis" else pa.int64()).view(target)
        zone = "Z" if family == "timestamp" else ""
        return _matching(text, f"{_DATE}T{_CLOCK}{_FRACTION[unit]}{zone}").cast(target)
    except (pa.ArrowException, binascii.Error) as error:
        raise OtherForm(str(error)) from None


def numbers_text(array: Column) -> Column:
    """Return floating-point numbers as JSON: the shortest digits that give them again; what is not finite is text."""
    text = array.cast(pa.string())
    finite = _c.is_finite(array)
    if _c.all(finite).as_py() is not False:
        return text
    for found, said in _NOT_FINITE.items():
        text = _c.if_else(_c.equal(text, found), f'"{said}"', text)
    return text


def _matching(text: Column, pattern: str) -> Column:
    if _c.all(_c.match_substring_regex(text, f"^(?:{pattern})$")).as_py() is False:
        raise OtherForm("a text is in another form")
    return text


def _digits(array: Column, scale: int) -> Column:
    """Return decimals with all digits behind the point, never with an exponent."""
    whole = array.view(pa.decimal128(38, 0)).cast(pa.string())
    if not scale:
        return whole
    negative = _c.starts_with(whole, "-")
    padded = _c.utf8_lpad(_c.utf8_ltrim(whole, "-"), scale + 1, "0")
    point = _c.binary_join_element_wise(
        _c.utf8_slice_codeunits(padded, 0, -scale), _c.utf8_slice_codeunits(padded, -scale), "."
    )
    return _c.if_else(negative, _c.binary_join_element_wise("-", point, ""), point)
