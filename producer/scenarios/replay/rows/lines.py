"""Physical lines out of a stream of bytes, in groups that fit into memory however long a line is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from producer.scenarios.replay.rows import MOST_ROW_BYTES, SetAside
from producer.scenarios.replay.rows.opening import EndsTooEarly, Opened

CHUNK_BYTES = 4 << 20
TRUNCATED, TOO_LONG = "truncated", "too_long"


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines, each with its end; only the last line of a file may have none.

    :param first: number of the first, from 1.
    """

    first: int
    data: bytes


def read_lines(
    opened: Opened, *, newline: bytes = b"\n", begun: bytes = b"", chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Lines | SetAside]:
    """Yield the lines of a file in groups, and what is none.

    A line longer than ``MOST_ROW_BYTES`` is set aside, in parts where it is longer than a group. Where a packed file is
    damaged, what is unpacked of its last line is set aside, even if that is nothing.

    :param newline: bytes that end a line; longer ones stand at multiples of their length.
    :param begun: what was read of the file already.
    :raises StoreFailed: the file cannot be read.
    """
    unit, number, rest = len(newline), 1, begun
    part = 0  # of a line that is too long, so many pieces of which are told
    while True:
        try:
            piece = opened.read(chunk_bytes)
        except EndsTooEarly as error:
            yield SetAside(number, TRUNCATED, f"the file is damaged or cut off here: {error}{_doubt(error)}", rest)
            return
        if not piece:
            break
        rest += piece
        if part and (end := _first_end(rest, newline, unit)):
            yield SetAside(number, TOO_LONG, _too_long(), rest[:end], part)
            number, part, rest = number + 1, 0, rest[end:]
        cut = 0 if part else _last_end(rest, newline, unit)
        if cut:
            yield Lines(number, rest[:cut])
            number += count_lines(rest[:cut], newline, unit)
            rest = rest[cut:]
        if len(rest) > MOST_ROW_BYTES or part:
            keep = len(rest) - len(rest) % unit
            yield SetAside(number, TOO_LONG, _too_long(), rest[:keep], part)
            part, rest = part + 1, rest[keep:]
    if part and rest:
        yield SetAside(number, TOO_LONG, _too_long(), rest, part)
    elif rest:
        yield Lines(number, rest)


def _doubt(error: EndsTooEarly) -> str:
    """Return what is to be said of what came before: where a checksum differs, nobody knows where the damage is."""
    wrong = any(word in str(error) for word in ("CRC", "checksum", "Incorrect length"))
    return "; rows before it may be damaged too" if wrong else ""


def _too_long() -> str:
    return f"longer than {MOST_ROW_BYTES:,} bytes"


def _last_end(data: bytes, newline: bytes, unit: int) -> int:
    """Return where the last whole line ends; 0 without one."""
    at = len(data)
    while (at := data.rfind(newline, 0, at)) >= 0:
        if at % unit == 0:
            return at + unit
        at += unit - 1
    return 0


def _first_end(data: bytes, newline: bytes, unit: int) -> int:
    at = -1
    while (at := data.find(newline, at + 1)) >= 0:
        if at % unit == 0:
            return at + unit
    return 0


def count_lines(data: bytes, newline: bytes, unit: int) -> int:
    """Return how many lines end in ``data``."""
    if unit == 1:
        return data.count(newline)
    return int((np.frombuffer(data, dtype=f"u{unit}", count=len(data) // unit) == _as_number(newline)).sum())


def split_lines(data: bytes, newline: bytes, unit: int) -> list[bytes]:
    """Return the lines of ``data``, each with its end."""
    if unit == 1:
        # Without a CR among them, bytes are split at LF alone, and more quickly.
        return _split(data, newline) if b"\r" in data else data.splitlines(keepends=True)
    if not data:
        return []
    whole = np.frombuffer(data, dtype=f"u{unit}", count=len(data) // unit)
    ends = [*((np.flatnonzero(whole == _as_number(newline)) + 1) * unit).tolist()]
    if not ends or ends[-1] < len(data):
        ends.append(len(data))
    return [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _split(data: bytes, newline: bytes) -> list[bytes]:
    parts = data.split(newline)
    lines = [part + newline for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines


def _as_number(newline: bytes) -> int:
    return int.from_bytes(newline, "little")
