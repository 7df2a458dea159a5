"""What a stored value looks like beside the one that was sent: rounded, cut, moved, emptied, or another one."""

from __future__ import annotations

import datetime as dt
import math
import struct
import uuid
from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

_UTC = dt.UTC
_STEPS = (
    (1_000, "milliseconds"),
    (1_000_000, "seconds"),
    (60_000_000, "minutes"),
    (3_600_000_000, "hours"),
    (86_400_000_000, "days"),
)
_QUARTER = dt.timedelta(minutes=15)
_FARTHEST_ZONE = dt.timedelta(hours=14)
ANOTHER = "another value"
# Beyond these a number is told by the precision of its type.
_MOST_DIGITS = 12


def likeness(sent: Any, stored: Any) -> str:
    """Return in words what became of a value; both are Python values, as Arrow gives them."""
    if stored is None:
        return "NULL"
    if sent is None:
        return "a value where there was none"
    judge = next((judge for kinds, judge in _JUDGES if isinstance(sent, kinds)), None)
    return ANOTHER if judge is None else judge(sent, stored)


def _moment(value: Any) -> dt.datetime | None:
    if isinstance(value, dt.datetime):
        return value.astimezone(_UTC) if value.tzinfo else value.replace(tzinfo=_UTC)
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(), _UTC)
    if isinstance(value, str):
        try:
            return _moment(dt.datetime.fromisoformat(value))
        except ValueError:
            return None
    return None


def _of_times(said: dt.date, value: Any) -> str:
    sent, stored = _moment(said), _moment(value)
    if sent is None or stored is None:
        return "no time can be read in it" if isinstance(value, str) else ANOTHER
    apart = stored - sent
    micros = (sent - dt.datetime(1970, 1, 1, tzinfo=_UTC)) // dt.timedelta(microseconds=1)
    here = (stored - dt.datetime(1970, 1, 1, tzinfo=_UTC)) // dt.timedelta(microseconds=1)
    for step, name in _STEPS:
        if here % step == 0 and abs(here - micros) < step:
            return f"rounded to {name}"
    if apart and not apart % _QUARTER and abs(apart) <= _FARTHEST_ZONE:
        hours = apart / dt.timedelta(hours=1)
        return f"moved by {hours:+g} h, as by a time zone"
    return ANOTHER


def likenesses(pairs: Sequence[tuple[Any, Any]]) -> list[str]:
    """Return what became of each of several values of a column, sent and stored.

    One number may have been rounded in several ways that give the same; the one that explains all is told.
    """
    numbers = [(_number(sent), _number(stored)) for sent, stored in pairs]
    whole = [(there, here) for there, here in numbers if there is not None and here is not None]
    common = _rounding(whole) if whole and len(whole) == len(pairs) else None
    return [common or likeness(sent, stored) for sent, stored in pairs]


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _of_numbers(sent: float | Decimal, stored: Any) -> str:
    there, here = _number(sent), _number(stored)
    if here is None:
        return "no number can be read in it"
    if there is None:
        return ANOTHER
    if (rounded := _rounding([(there, here)])) is not None:
        return rounded
    for bits, holds in ((64, float), (32, _single)):
        if holds(float(there)) == float(here):
            return f"of the precision of a {bits}-bit number"
    return "of the other sign" if here == -there else ANOTHER


def _rounding(pairs: Sequence[tuple[Decimal, Decimal]]) -> str | None:
    """Return to how many digits after the point numbers were brought, and how; the most digits that explain all."""
    most = min(_MOST_DIGITS, *(-int(sent.normalize().as_tuple().exponent) - 1 for sent, _ in pairs))
    for how, modes in (("rounded", (ROUND_HALF_UP, ROUND_HALF_EVEN)), ("cut off", (ROUND_DOWN,))):
        for digits in range(most, -1, -1):
            step = Decimal(1).scaleb(-digits)
            if any(all(sent.quantize(step, mode) == stored for sent, stored in pairs) for mode in modes):
                digit = "digit" if digits == 1 else "digits"
                return f"{how} to {digits} {digit} after the point" if digits else f"{how} to a whole number"
    return None


def _single(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.inf


def _of_texts(sent: str, stored: Any) -> str:
    if not isinstance(stored, str):
        return ANOTHER if isinstance(stored, uuid.UUID) else "of a type that does not keep the text"
    signs = (
        (not stored, "an empty text"),
        (sent.strip() == stored.strip(), "with other blanks around it"),
        (sent.startswith(stored), f"cut off after {len(stored):,} characters"),
        (sent.casefold() == stored.casefold(), "in another case"),
        (sent.encode("ascii", "replace").decode() == stored, "with letters that a character set lacks"),
    )
    return next((words for holds, words in signs if holds), ANOTHER)


def _of_bytes(sent: bytes, stored: Any) -> str:
    cut = isinstance(stored, bytes) and stored != b"" and sent.startswith(stored)
    return f"cut off after {len(stored):,} bytes" if cut else ANOTHER


def _of_booleans(sent: bool, stored: Any) -> str:  # noqa: ARG001 - there are two, and it is the other
    return ANOTHER


# The first that fits: a boolean is a number to Python.
_JUDGES: tuple[tuple[type | tuple[type, ...], Callable[[Any, Any], str]], ...] = (
    (bool, _of_booleans),
    ((dt.datetime, dt.date), _of_times),
    ((int, float, Decimal), _of_numbers),
    (str, _of_texts),
    (bytes, _of_bytes),
)
