"""Values by rule: drawn for a whole block at once, each field from a generator of its own."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Sequence as Series
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from producer.scenarios.declared.rules import Choice, Distribution, Sequence
from producer.toolkit.arrays import strings

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Kind = Literal["text", "number", "time", "truth", "bytes"]

# Keys of maps: so many items one map has at most.
MAP_KEYS = (
    *("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo"),
    *("lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor"),
)
_US = 1_000_000
_HYPHENS = (8, 13, 18, 23)
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Values:
    """A column of one kind, without nulls. Times are microseconds since the epoch, in UTC."""

    kind: Kind
    data: Any  # an Arrow array

    def take(self, rows: Ints) -> Values:
        """Return the values at ``rows``."""
        return Values(self.kind, self.data.take(pa.array(rows)))


def generator(*parts: int | str) -> np.random.Generator:
    """Return the generator of one purpose: numbers and names say which."""
    seeds = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in parts]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seeds)))


def kind_of(values: Series[object]) -> Kind | None:
    """Return what Python values are; ``None`` if they are of different kinds, or of none."""
    kinds = {_kind(value) for value in values}
    return kinds.pop() if len(kinds) == 1 else None


def _kind(value: object) -> Kind | None:
    table: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
        (bool, "truth"),
        ((int, float, Decimal), "number"),
        (dt.date, "time"),
        (str, "text"),
        (bytes, "bytes"),
    )
    return next((kind for types, kind in table if isinstance(value, types)), None)


def of_python(values: Series[Any], kind: Kind) -> Values:
    """Return Python values as a column."""
    if kind == "number":
        whole = all(isinstance(value, int) for value in values)
        return Values(kind, pa.array([value if whole else float(value) for value in values]))
    if kind == "time":
        return Values(kind, pa.array([_microseconds(value) for value in values], pa.int64()))
    return Values(kind, pa.array(values))


def _microseconds(value: dt.date) -> int:
    moment = value if isinstance(value, dt.datetime) else dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return round((moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1))


def amounts(rng: np.random.Generator, wanted: Distribution, size: int) -> Floats:
    """Draw ``size`` numbers of a distribution."""
    one = wanted
    match one.kind:
        case "uniform":
            drawn = rng.uniform(one.low or 0.0, one.high or 0.0, size)
        case "normal":
            drawn = rng.normal(one.mean or 0.0, one.sd or 0.0, size)
        case "lognormal":
            drawn = (one.median or 1.0) * np.exp((one.sigma or 0.0) * rng.standard_normal(size))
        case "exponential":
            drawn = rng.exponential(one.mean or 1.0, size)
        case "poisson":
            drawn = rng.poisson(one.mean or 1.0, size).astype(np.float64)
        case "constant":
            drawn = np.full(size, one.value or 0.0)
    if one.min is not None or one.max is not None:
        drawn = np.clip(drawn, one.min, one.max)
    if one.step is not None:
        drawn = np.round(drawn / one.step) * one.step
    return drawn if one.round is None else np.round(drawn, one.round)


def whole(rng: np.random.Generator, wanted: Distribution, size: int, *, most: int) -> Ints:
    """Draw lengths: whole numbers from 0 to ``most``. A range includes both of its ends."""
    if wanted.kind == "uniform" and wanted.round is None:
        return rng.integers(round(wanted.low or 0), round(wanted.high or 0), size, endpoint=True).clip(0, most)
    return np.rint(amounts(rng, wanted, size)).clip(0, most).astype(np.int64)


def chosen(rng: np.random.Generator, choice: Choice, size: int, kind: Kind) -> Values:
    """Draw from a list by its weights."""
    cumulative = np.cumsum(choice.weights) / sum(choice.weights)
    rows = np.minimum(np.searchsorted(cumulative, rng.random(size), side="right"), len(choice.values) - 1)
    return of_python(choice.values, kind).take(rows)


def ranked(rng: np.random.Generator, size: int, rows: int, skew: float) -> Ints:
    """Draw rows of a pool: the chance of row ``r`` is as ``(r + 1) ** -skew`` (Zipf)."""
    if not skew:
        return rng.integers(0, rows, size)
    cumulative = np.cumsum(np.arange(1, rows + 1, dtype=np.float64) ** -skew)
    return np.minimum(np.searchsorted(cumulative / cumulative[-1], rng.random(size), side="right"), rows - 1)


def counted(rule: Sequence, numbers: Ints) -> Values:
    """Return the numbers of a sequence, as text where it has a prefix or a width."""
    if rule.restart is not None:
        numbers = numbers % -(-(rule.restart - rule.start) // rule.step)
    found = rule.start + rule.step * numbers
    if rule.prefix is None and not rule.width:
        return Values("number", pa.array(found))
    text: Any = pa.array(found).cast(pa.string())
    if rule.width:
        text = pc.utf8_lpad(text, rule.width, "0")
    return Values("text", pc.binary_join_element_wise(pa.scalar(rule.prefix or ""), text, ""))


def uuids(rng: np.random.Generator, size: int) -> Values:
    """Draw version 4 UUIDs."""
    octets = rng.integers(0, 256, (size, 16), dtype=np.uint8)
    octets[:, 6] = (octets[:, 6] & 0x0F) | 0x40
    octets[:, 8] = (octets[:, 8] & 0x3F) | 0x80
    text = np.full((size, 36), ord("-"), dtype=np.uint8)
    digits = np.stack([_HEX[octets >> 4], _HEX[octets & 15]], axis=2).reshape(size, 32)
    text[:, [place for place in range(36) if place not in _HYPHENS]] = digits
    return Values("text", strings(text))


def octets(rng: np.random.Generator, lengths: Ints) -> Values:
    """Draw bytes of given lengths."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    content = rng.bytes(int(offsets[-1]))
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(content)]
    return Values("bytes", pa.Array.from_buffers(pa.binary(), len(lengths), buffers))


def shifted(values: Values, *, times: Floats | None, plus: Floats | None, digits: int | None = None) -> Values:
    """Return numbers or times, scaled and moved; times move by seconds, numbers are rounded to so many decimals."""
    numbers: NDArray[Any] = np.asarray(values.data, dtype=np.float64 if values.kind == "number" else np.int64)
    if times is not None:
        numbers = numbers * times
    if plus is not None:
        numbers = numbers + (np.rint(plus * _US).astype(np.int64) if values.kind == "time" else plus)
    if digits is not None and values.kind == "number":
        numbers = np.round(numbers, digits)
    return Values(values.kind, pa.array(numbers))
