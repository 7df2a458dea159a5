"""When a stored value is the value that was sent, whatever its type: two expressions that are equal exactly then.

Types change on the way into a store, and values should not. So both sides are brought to one form, in which a loss on
the way shows: an integer in a text, a time in a number of milliseconds and a decimal in a text are the same value; a
rounded time, a decimal in a column of fewer digits and a long number in a double are not.

======================  ==============================================================================================
stored / sent           compared as
======================  ==============================================================================================
the same type           the values
text / number           the number in its shortest decimal form; a ``double`` as a ``double``
number / number         each in the other's type, where either may lose something; a decimal that was a ``double`` as
                        one
text, date, number /    the moment, in UTC; a number counts seconds, milliseconds, microseconds or nanoseconds since
time                    1970, by its size
anything / text         the text; a UUID, a number, a boolean and a time also as what the text says
text (JSON) / nested    the text read as the nested type
anything else           each in the other's type
======================  ==============================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import duckdb

# Laid into the session once. plain_number: one text for each number, "1.50" and "01.5" alike; other texts stay others.
# moment_of: by the size of a number, the unit in which it counts.
MACROS = r"""
    CREATE OR REPLACE TEMP MACRO plain_number(x) AS
        CASE WHEN regexp_full_match(trim(x), '[+-]?[0-9]+(\.[0-9]*)?') THEN
            CASE WHEN starts_with(trim(x), '-') AND regexp_matches(x, '[1-9]') THEN '-' ELSE '' END
            || coalesce(nullif(ltrim(split_part(ltrim(trim(x), '+-'), '.', 1), '0'), ''), '0')
            || CASE WHEN rtrim(split_part(x, '.', 2), '0 ') = '' THEN ''
                    ELSE '.' || rtrim(split_part(x, '.', 2), '0 ') END
        ELSE coalesce(rtrim(rtrim(CAST(TRY_CAST(x AS DECIMAL(38, 15)) AS VARCHAR), '0'), '.'), '?' || x) END;
    CREATE OR REPLACE TEMP MACRO moment_of(x) AS
        CASE WHEN abs(x) < 100000000000 THEN TRY(make_timestamp(CAST(x AS BIGINT) * 1000000))
             WHEN abs(x) < 100000000000000 THEN TRY(make_timestamp(CAST(x AS BIGINT) * 1000))
             WHEN abs(x) < 100000000000000000 THEN TRY(make_timestamp(CAST(x AS BIGINT)))
             WHEN x % 1000 = 0 THEN TRY(make_timestamp(CAST(x // 1000 AS BIGINT))) END;
"""
_SIGNED = ("tinyint", "smallint", "integer", "bigint", "hugeint")
_INTEGERS = frozenset({*_SIGNED, *(f"u{name}" for name in _SIGNED)})
_FLOATS = frozenset({"float", "double"})
_TIMES = frozenset({"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone", "date"})
NESTED = frozenset({"struct", "list", "map", "array", "union"})
# Digits that a double holds for certain.
_DOUBLE_DIGITS = 15
_CUT_TO = {"timestamp_s": "second", "timestamp_ms": "millisecond"}
_BYTES = {"hex": "unhex", "base64": "from_base64"}
_EPOCHS = {"epoch_s": 1_000_000_000, "epoch_ms": 1_000_000, "epoch_us": 1_000, "epoch_ns": 1}


class NotComparable(Exception):
    """Two types have nothing in common that could be compared; the words say why."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a comparison, as expressions: where neither is NULL, they are equal exactly where the values are.

    An expression is NULL where a value cannot be brought to the form; then the values differ (:func:`digests`).

    :ivar also: the sent side once more, where there are two right ways of rounding it.
    """

    stored: str
    sent: str
    also: str = ""


def digests(stored: str, sent: str, sides: Sides) -> Sides:
    """Return 64 bits for each side (UBIGINT), of the value and of whether there is one.

    :param stored: the value itself, as an expression; ``sent`` likewise.
    """
    here = f"CASE WHEN {stored} IS NULL THEN 0 WHEN {sides.stored} IS NULL THEN 1 ELSE 2 END"
    there = f"CASE WHEN {sent} IS NULL THEN 0 WHEN {sides.sent} IS NULL THEN 3 ELSE 2 END"
    also = f"hash({sides.also}, {there})" if sides.also else ""
    return Sides(f"hash({sides.stored}, {here})", f"hash({sides.sent}, {there})", also)


def type_of(text: str) -> Any:
    """Return a type of DuckDB by its name.

    :raises ValueError: there is none.
    """
    try:
        return duckdb.dtype(text)
    except duckdb.Error:
        raise ValueError(text) from None


@dataclass(frozen=True, slots=True)
class Retyped:
    """Both sides where a mapping names a type; ``None`` where a type stays as it is."""

    stored: str
    stored_type: str | None
    sent: str
    sent_type: str | None
    also: str = ""


def retyped(stored: str, sent: str, sent_type: str, asked: str) -> Retyped:
    """Return both sides where a mapping names the type in which a pipeline stores a value.

    The value that was sent is brought into that type: what is lost by it is meant to be. A half may be rounded up or to
    the even digit, and a time be rounded or cut off.

    :raises ValueError: there is no such type.
    :raises NotComparable: it is one of times, and what was sent is none.
    """
    name = asked.strip().lower()
    there: Any = duckdb.dtype(sent_type)
    if name in _BYTES:
        return Retyped(f"TRY({_BYTES[name]}(CAST({stored} AS VARCHAR)))", "BLOB", sent, None)
    if name in _EPOCHS:
        counted = f"epoch_ns(CAST({_time(sent, there)} AS TIMESTAMP_NS)) // {_EPOCHS[name]}"
        return Retyped(stored, None, counted, "BIGINT")
    kind: Any = type_of(re.sub(r"^timestamp\(([0369])\)$", _precise, name))
    if kind.id in _TIMES:
        moment = _time(sent, there)
        step = _CUT_TO.get(kind.id)
        also = "" if step is None else f"TRY_CAST(date_trunc('{step}', {moment}) AS {kind})"
        return Retyped(stored, None, f"TRY_CAST({moment} AS {kind})", str(kind), also)
    also = ""
    if kind.id == "decimal" and there.id in {"decimal", *_FLOATS}:
        also = f"TRY_CAST(round_even({sent}, {dict(kind.children)['scale']}) AS {kind})"
    return Retyped(stored, None, f"TRY_CAST({sent} AS {kind})", str(kind), also)


def _time(value: str, kind: Any) -> str:
    """Return a moment, whatever it is told by."""
    return (
        f"coalesce({_said(value)}, moment_of(TRY_CAST({value} AS HUGEINT)))"
        if kind.id == "varchar"
        else _moment(value, kind)
    )


def _precise(found: re.Match[str]) -> str:
    return {"0": "timestamp_s", "3": "timestamp_ms", "6": "timestamp", "9": "timestamp_ns"}[found[1]]


def alike(stored: str, stored_type: str, sent: str, sent_type: str) -> Sides:
    """Return what is compared: see the table of the module.

    :raises NotComparable: nothing can be.
    """
    here: Any = duckdb.dtype(stored_type)
    there: Any = duckdb.dtype(sent_type)
    if stored_type == sent_type:
        return Sides(stored, sent)
    if here.id == "varchar":
        return _from_text(stored, sent, there, sent_type)
    if there.id == "varchar":
        return _to_text(stored, here, stored_type, sent)
    if "blob" in {here.id, there.id}:
        raise NotComparable(f"{sent_type} as {stored_type}")
    if here.id in _TIMES or there.id in _TIMES:
        return _times(stored, here, sent, there)
    simple = _numbers(stored, here, sent, there)
    return simple or _each_in_the_others(stored, stored_type, sent, sent_type)


def _times(stored: str, here: Any, sent: str, there: Any) -> Sides:
    if {here.id, there.id} <= _TIMES and "timestamp_ns" in {here.id, there.id}:
        return Sides(f"TRY_CAST({stored} AS TIMESTAMP_NS)", f"TRY_CAST({sent} AS TIMESTAMP_NS)")
    return Sides(_moment(stored, here), _moment(sent, there))


def _numbers(stored: str, here: Any, sent: str, there: Any) -> Sides | None:
    """Return how two numbers are compared where one type holds both; ``None`` where either may lose something."""
    if {here.id, there.id} <= _INTEGERS:
        return Sides(f"CAST({stored} AS HUGEINT)", f"CAST({sent} AS HUGEINT)")
    if there.id == "float" and here.id == "double":
        return Sides(f"CAST({stored} AS FLOAT)", sent)
    if there.id in _FLOATS and here.id in {"decimal", "float", *_INTEGERS}:
        # What a double became in decimal digits is that double again.
        return Sides(f"CAST({stored} AS DOUBLE)", f"CAST({sent} AS DOUBLE)")
    if there.id == "decimal" and here.id == "double" and dict(there.children)["precision"] <= _DOUBLE_DIGITS:
        return Sides(stored, f"CAST({sent} AS DOUBLE)")
    return None


def _from_text(text: str, sent: str, there: Any, sent_type: str) -> Sides:
    if there.id in _INTEGERS or there.id == "decimal":
        return Sides(f"plain_number({text})", f"plain_number(CAST({sent} AS VARCHAR))")
    if there.id in _TIMES:
        return Sides(_time(text, duckdb.dtype("VARCHAR")), _moment(sent, there))
    if there.id in NESTED:
        return Sides(f"TRY_CAST(TRY_CAST({text} AS JSON) AS {sent_type})", sent)
    if there.id == "blob":
        raise NotComparable("bytes as text: say `:hex` or `:base64`")
    return Sides(f"TRY_CAST(trim({text}) AS {sent_type})", sent)


def _to_text(stored: str, here: Any, stored_type: str, sent: str) -> Sides:
    if here.id in _TIMES:
        return Sides(_moment(stored, here), _said(sent))
    if here.id in {"uuid", "boolean", *_FLOATS}:
        return Sides(stored, f"TRY_CAST({sent} AS {stored_type})")
    if here.id in _INTEGERS or here.id == "decimal":
        return _each_in_the_others(stored, stored_type, sent, "VARCHAR")
    return Sides(f"TRY(decode({stored}))" if here.id == "blob" else f"CAST({stored} AS VARCHAR)", sent)


def _moment(value: str, kind: Any) -> str:
    if kind.id in _INTEGERS or kind.id == "decimal":
        return f"moment_of({value})"
    if kind.id in _FLOATS:
        return f"moment_of(CAST({value} AS HUGEINT))"
    if kind.id in _TIMES:
        return f"TRY_CAST({value} AS TIMESTAMP)"
    raise NotComparable(f"{kind} is no time")


def _said(text: str) -> str:
    """Return the moment that a text says; where it names no zone, UTC is meant."""
    return f"CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS TIMESTAMP)"


def _each_in_the_others(stored: str, stored_type: str, sent: str, sent_type: str) -> Sides:
    """Compare each side in its own type and in the other's: what one of them cannot hold makes the pairs differ."""
    return Sides(
        f"{{'a': TRY_CAST({stored} AS {sent_type}), 'b': {stored}}}",
        f"{{'a': {sent}, 'b': TRY_CAST({sent} AS {stored_type})}}",
    )
