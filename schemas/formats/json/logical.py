"""Texts of logical types, read into the number or the bytes beneath, in more forms than we write.

Each converter raises :class:`ValueError` for a text that is no value of the type, and :class:`OutOfRange` for a value
that the type cannot hold.
"""

from __future__ import annotations

import binascii
import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from schemas.types.tree import Node

_DECIMAL = re.compile(r"(-?)([0-9]{1,64})(?:\.([0-9]{1,64}))?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,18}))?"
_CLOCK = re.compile(_TIME)
_MOMENT = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[Tt ]{_TIME}([Zz]|[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])?")
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_DIGITS = {"millis": 3, "micros": 6}


class OutOfRange(ValueError):
    """A text of the right form whose value the type cannot hold; says what is wrong, without the value."""


def converter(node: Node) -> Callable[[str], Any]:
    """Return what reads texts of a logical type."""
    return _LOGICAL[node.logical.rpartition("-")[0] or node.logical](node)


def base64(text: str) -> bytes:
    """Return the bytes that a text says."""
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError from None


def _decimal(node: Node) -> Callable[[str], bytes]:
    def convert(text: str) -> bytes:
        found = _DECIMAL.fullmatch(text)
        if found is None:
            raise ValueError
        digits = (found[3] or "").rstrip("0")
        if len(digits) > node.scale:
            raise OutOfRange(f"has more than {node.scale} digits behind the point")
        unscaled = int(found[1] + found[2] + digits.ljust(node.scale, "0"))
        if abs(unscaled) >= 10**node.precision:
            raise OutOfRange(f"has more than {node.precision} digits")
        size = (unscaled + (unscaled < 0)).bit_length() // 8 + 1
        if node.kind == "fixed" and size > node.size:
            raise OutOfRange(f"has more than {node.size} bytes")
        return unscaled.to_bytes(node.size or size, "big", signed=True)

    return convert


def _day(text: str) -> int:
    if not _DATE.fullmatch(text):
        raise ValueError
    return dt.date.fromisoformat(text).toordinal() - _EPOCH_DAY


def _since_midnight(hour: str, minute: str, second: str, fraction: str | None, unit: str) -> int:
    """Return a time of the day in its unit.

    :raises OutOfRange: it is more exact than that.
    """
    digits = _DIGITS[unit]
    said = (fraction or "").rstrip("0")
    if len(said) > digits:
        raise OutOfRange(f"is more exact than {digits} digits of a second")
    per_second: int = 10**digits
    return (int(hour) * 3600 + int(minute) * 60 + int(second)) * per_second + int(said.ljust(digits, "0"))


def _time(node: Node) -> Callable[[str], int]:
    unit = node.logical.rpartition("-")[2]

    def convert(text: str) -> int:
        found = _CLOCK.fullmatch(text)
        if found is None:
            raise ValueError
        return _since_midnight(found[1], found[2], found[3], found[4], unit)

    return convert


def _timestamp(node: Node) -> Callable[[str], int]:
    family, _, unit = node.logical.rpartition("-")
    zoned = family == "timestamp"

    def convert(text: str) -> int:
        found = _MOMENT.fullmatch(text)
        if found is None or (found[6] is not None) != zoned:
            raise ValueError
        within = _since_midnight(found[2], found[3], found[4], found[5], unit)
        per_second: int = 10 ** _DIGITS[unit]
        offset = 0
        if zoned and found[6] not in ("Z", "z"):
            seconds = int(found[6][1:3]) * 3600 + int(found[6][4:6]) * 60
            offset = (-seconds if found[6][0] == "-" else seconds) * per_second
        midnight: int = _day(found[1]) * 86_400 * per_second
        return midnight + within - offset

    return convert


_LOGICAL: dict[str, Callable[[Node], Callable[[str], Any]]] = {
    "decimal": _decimal,
    "date": lambda _: _day,
    "time": _time,
    "timestamp": _timestamp,
    "local-timestamp": _timestamp,
}
