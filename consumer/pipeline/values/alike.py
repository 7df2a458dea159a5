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
time                    1970, or of a date the days
time / number           the same; the size of the number says what it counts
anything / text         the text; a UUID, a number, a boolean and a time also as what the text says
nested / nested         what is in it, each by this table; a map has no order
text (JSON) / nested    the same, of what stands in the text
anything else           each in the other's type
======================  ==============================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import duckdb

from consumer.pipeline.values.nested import has_a_map, inside
from consumer.pipeline.values.sides import NotComparable, Sides

_SIGNED = ("tinyint", "smallint", "integer", "bigint", "hugeint")
_INTEGERS = frozenset({*_SIGNED, *(f"u{name}" for name in _SIGNED)})
_SHORT = frozenset({"tinyint", "smallint", "integer", "utinyint", "usmallint", "uinteger"})  # a double holds them whole
_FLOATS = frozenset({"float", "double"})
_TIMES = frozenset({"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone", "date"})
NESTED = frozenset({"struct", "list", "map", "array", "union"})
# Digits that a double holds for certain.
_DOUBLE_DIGITS = 15
_CUT_TO = {"timestamp_s": "second", "timestamp_ms": "millisecond"}
_BYTES = {"hex": "unhex", "base64": "from_base64"}
_EPOCHS = {"epoch_s": 1_000_000_000, "epoch_ms": 1_000_000, "epoch_us": 1_000, "epoch_ns": 1}


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
    also: tuple[str, ...] = ()


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
        first, *others = _counted(sent, there, _EPOCHS[name])
        return Retyped(stored, None, first, "HUGEINT", tuple(others))
    kind: Any = type_of(re.sub(r"^timestamp\(([0369])\)$", _precise, name))
    if kind.id in _TIMES:
        moment = _time(sent, there)
        step = _CUT_TO.get(kind.id)
        cut = () if step is None else (f"TRY_CAST(date_trunc('{step}', {moment}) AS {kind})",)
        return Retyped(stored, None, f"TRY_CAST({moment} AS {kind})", str(kind), cut)
    also: tuple[str, ...] = ()
    if kind.id == "decimal" and there.id in {"decimal", *_FLOATS}:
        also = (f"TRY_CAST(round_even({sent}, {dict(kind.children)['scale']}) AS {kind})",)
    return Retyped(stored, None, f"TRY_CAST({sent} AS {kind})", str(kind), also)


def _time(value: str, kind: Any) -> str:
    """Return a moment, whatever it is told by."""
    return _moment_in_text(value) if kind.id == "varchar" else _moment(value, kind)


def _moment_in_text(text: str) -> str:
    return f"coalesce(said_moment({text}), moment_of(TRY_CAST({text} AS DECIMAL(38, 9))))"


def _counted(sent: str, there: Any, step_ns: int) -> tuple[str, str, str]:
    """Return how many steps a moment is from 1970: cut off towards it, towards the past, and rounded."""
    count = f"epoch_ns({sent})" if there.id == "timestamp_ns" else f"epoch_us({_time(sent, there)})::HUGEINT * 1000"
    count = f"CAST({count} AS HUGEINT)"
    return f"{count} // {step_ns}", f"floor_of({count}, {step_ns})", f"floor_of({count} + {step_ns // 2}, {step_ns})"


def _precise(found: re.Match[str]) -> str:
    return {"0": "timestamp_s", "3": "timestamp_ms", "6": "timestamp", "9": "timestamp_ns"}[found[1]]


def alike(stored: str, stored_type: str, sent: str, sent_type: str) -> Sides:
    """Return what is compared: see the table of the module.

    :raises NotComparable: nothing can be.
    """
    here: Any = duckdb.dtype(stored_type)
    there: Any = duckdb.dtype(sent_type)
    if there.id in NESTED and (stored_type != sent_type or has_a_map(there)):
        return inside(stored, here, sent, there, _alike_inside) or _each_in_the_others(
            stored, stored_type, sent, sent_type
        )
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


def _alike_inside(stored: str, stored_type: str, sent: str, sent_type: str) -> Sides:
    """Return what is compared of a value inside another: one form of each side, so a number counts by its size."""
    here: Any = duckdb.dtype(stored_type)
    there: Any = duckdb.dtype(sent_type)
    if there.id in _TIMES and here.id in {"varchar", "decimal", *_INTEGERS}:
        return Sides(_time(stored, here), _moment(sent, there))
    return alike(stored, stored_type, sent, sent_type)


def _times(stored: str, here: Any, sent: str, there: Any) -> Sides:
    if {here.id, there.id} <= _TIMES and "timestamp_ns" in {here.id, there.id}:
        return Sides(f"TRY_CAST({stored} AS TIMESTAMP_NS)", f"TRY_CAST({sent} AS TIMESTAMP_NS)")
    if here.id in _INTEGERS or here.id == "decimal":
        return _counting(f"TRY_CAST({stored} AS DECIMAL(38, 9))", sent, there)
    return Sides(_moment(stored, here), _moment(sent, there))


def _counting(stored: str, sent: str, there: Any) -> Sides:
    """Hold a number against a moment: it is right in any unit, for what was sent says in which it would be.

    Near 1970 the size of a number says nothing of its unit.
    """
    if there.id == "timestamp_ns":
        nanos = f"CAST(epoch_ns({sent}) AS DECIMAL(19, 0))"
        nanos, micros, millis, seconds = (_times_ten_to(nanos, power) for power in (0, -3, -6, -9))
    else:
        count = f"CAST(epoch_us({sent}) AS DECIMAL(19, 0))"
        micros, millis, seconds, nanos = (_times_ten_to(count, power) for power in (0, -3, -6, 3))
    days = [f"CAST(date_diff('day', DATE '1970-01-01', {sent}) AS DECIMAL(38, 9))"] if there.id == "date" else []
    return Sides(stored, micros, (millis, seconds, nanos, *days))


def _times_ten_to(count: str, power: int) -> str:
    if power >= 0:
        return f"CAST({count} * {10**power} AS DECIMAL(38, 9))"
    return f"CAST({count} * CAST(1e{power} AS DECIMAL({1 - power}, {-power})) AS DECIMAL(38, 9))"


def _numbers(stored: str, here: Any, sent: str, there: Any) -> Sides | None:
    """Return how two numbers are compared where one type holds both; ``None`` where either may lose something."""
    if {here.id, there.id} <= _INTEGERS:
        return Sides(f"CAST({stored} AS HUGEINT)", f"CAST({sent} AS HUGEINT)")
    if there.id == "float" and here.id == "double":
        return Sides(f"CAST({stored} AS FLOAT)", sent)
    if there.id in _FLOATS and here.id in {"decimal", "float", *_INTEGERS}:
        # What a double became in decimal digits is that double again.
        return Sides(f"CAST({stored} AS DOUBLE)", f"CAST({sent} AS DOUBLE)")
    if there.id in _SHORT and here.id == "double":
        return Sides(stored, f"CAST({sent} AS DOUBLE)")
    if there.id == "decimal" and here.id == "double" and dict(there.children)["precision"] <= _DOUBLE_DIGITS:
        return Sides(stored, f"CAST({sent} AS DOUBLE)")
    return None


def _from_text(text: str, sent: str, there: Any, sent_type: str) -> Sides:
    if there.id in _INTEGERS or there.id == "decimal":
        return Sides(f"plain_number({text})", f"plain_number(CAST({sent} AS VARCHAR))")
    if there.id in _TIMES:
        return _counting(f"coalesce(micros_said({text}), TRY_CAST({text} AS DECIMAL(38, 9)))", sent, there)
    if there.id == "blob":
        raise NotComparable("bytes as text: say `:hex` or `:base64`")
    return Sides(f"TRY_CAST(trim({text}) AS {sent_type})", sent)


def _to_text(stored: str, here: Any, stored_type: str, sent: str) -> Sides:
    if here.id in _TIMES:
        return Sides(_moment(stored, here), f"said_moment({sent})")
    if here.id in {"uuid", "boolean", *_FLOATS}:
        return Sides(stored, f"TRY_CAST({sent} AS {stored_type})")
    if here.id in _INTEGERS or here.id == "decimal":
        return _each_in_the_others(stored, stored_type, sent, "VARCHAR")
    return Sides(f"TRY(decode({stored}))" if here.id == "blob" else f"CAST({stored} AS VARCHAR)", sent)


def _moment(value: str, kind: Any) -> str:
    if kind.id in {"decimal", *_INTEGERS, *_FLOATS}:
        return f"moment_of({value})"
    if kind.id in _TIMES:
        return f"TRY_CAST({value} AS TIMESTAMP)"
    raise NotComparable(f"{kind} is no time")


def _each_in_the_others(stored: str, stored_type: str, sent: str, sent_type: str) -> Sides:
    """Compare each side in its own type and in the other's: what one of them cannot hold makes the pairs differ."""
    return Sides(
        f"{{'a': TRY_CAST({stored} AS {sent_type}), 'b': {stored}}}",
        f"{{'a': {sent}, 'b': TRY_CAST({sent} AS {stored_type})}}",
    )
