"""Pools: values of Faker providers and rows of columns, the same for a whole run, drawn from for every event.

Rows of columns are there from the start. A value of a Faker provider costs a hundred times as much and is made when it
is first drawn: so a short run starts at once, and fields of one provider share what was made.
"""

from __future__ import annotations

import json
import re
import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.text.nearest import meant
from producer.scenarios.declared.patterns import Pattern
from producer.scenarios.declared.rules import MAX_BYTES, Faker, Pool, Rule
from producer.scenarios.declared.values import (
    Ints,
    Kind,
    Values,
    amounts,
    chosen,
    counted,
    generator,
    kind_of,
    octets,
    of_python,
    uuids,
    whole,
)

# Providers that look at the clock: tomorrow they would give other values, and a run could not be continued.
_OF_TODAY = re.compile(
    r"date_|time|past_|future_|unix_|iso8601|century|year|month|day_of|am_pm|credit_card_(expire|full)|profile|passport_(dob|full)"
)


_FIRST = np.zeros(1, dtype=np.int64)
# Faker has one generator of a locale, which is seeded anew for each value.
_ONE_AT_A_TIME = threading.Lock()


class Faked:
    """The values of one Faker rule. Value ``n`` is a function of the seed and ``n``, whenever it is made.

    :param seed: of the first value; further ones have seeds beside it.
    :param size: how many values there can be.
    """

    def __init__(self, rule: Faker, *, seed: int, size: int) -> None:
        self._rule = rule
        self._seed = seed
        self._made = _faked(rule, _FIRST, seed=seed)
        self._kind: Kind = kind_of(self._made) or "text"
        self._values = of_python(self._made, self._kind)
        self._place = np.full(size, -1, dtype=np.int64)  # of each value among those that were made
        self._place[_FIRST] = 0
        self._growing = threading.Lock()

    def take(self, rows: Ints) -> Values:
        """Return the values at ``rows``, each below the size."""
        with self._growing:
            missing = np.unique(rows[self._place[rows] < 0])
            if len(missing):
                self._made += _faked(self._rule, missing, seed=self._seed)
                self._place[missing] = np.arange(len(self._made) - len(missing), len(self._made))
                self._values = of_python(self._made, self._kind)
            return self._values.take(self._place[rows])


@dataclass(frozen=True, slots=True)
class Rows:
    """A pool: rows of columns."""

    columns: dict[str, Values | Faked]
    size: int
    skew: float


def faker_faults(rule: Faker) -> list[str]:
    """Return what is wrong with a Faker rule."""
    source = _source(rule.locale)
    if source is None:
        return [f"locale {rule.locale} is not one of Faker's"]
    known = [name for name in dir(source) if not name.startswith("_")]
    if not callable(getattr(source, rule.provider, None)) or rule.provider.startswith("_"):
        return [f"Faker has no provider {rule.provider}{meant(rule.provider, known)}"]
    if _OF_TODAY.match(rule.provider) and rule.provider != "timezone":
        return [f"Faker's {rule.provider} depends on the clock, so that a run could not be repeated: use timestamp"]
    try:
        sample = _faked(rule, _FIRST, seed=1)
    except Exception as error:  # noqa: BLE001 - whatever a provider says to its arguments
        return [f"Faker's {rule.provider} refuses its arguments: {type(error).__name__}: {error}"]
    if kind_of(sample) is None:
        return [f"Faker's {rule.provider} gives a {type(sample[0]).__name__}, not a single value"]
    return []


def faker_kind(rule: Faker) -> Kind:
    """Return what a provider gives."""
    return kind_of(_faked(rule, _FIRST, seed=1)) or "text"


def vocabularies(rules: Iterable[Faker], *, seed: int) -> dict[str, Faked]:
    """Return the values of Faker rules by :func:`vocabulary_of`, as many as the largest of their pools has."""
    sizes: dict[str, tuple[Faker, int]] = {}
    for rule in rules:
        name = vocabulary_of(rule)
        sizes[name] = rule, max(rule.pool, sizes[name][1] if name in sizes else 0)
    return {name: Faked(rule, seed=_seed_of(seed, name), size=size) for name, (rule, size) in sizes.items()}


def vocabulary_of(rule: Faker) -> str:
    """Return what rules have in common that give the same values."""
    return json.dumps([rule.locale, rule.provider, rule.arguments], sort_keys=True, default=str)


def fill(name: str, pool: Pool, *, seed: int) -> Rows:
    """Fill a pool: its columns are drawn row by row, the same for every shard."""
    numbers = np.arange(pool.size, dtype=np.int64)
    columns = {column: _pooled(rule, seed, f"{name}.{column}", numbers) for column, rule in pool.columns.items()}
    return Rows(columns, pool.size, pool.skew)


def simple_kind(rule: Rule) -> Kind | None:
    """Return what a rule gives that needs nothing but itself; ``None`` for any other."""
    if rule.sequence is not None:
        return "number" if rule.sequence.prefix is None and not rule.sequence.width else "text"
    if rule.choice is not None:
        return kind_of(rule.choice.values)
    if rule.cycle is not None:
        return kind_of(rule.cycle)
    if rule.constant is not None:
        return kind_of([rule.constant])
    if rule.faker is not None:
        return faker_kind(rule.faker)
    kinds: dict[str | None, Kind] = {
        "distribution": "number",
        "uuid": "text",
        "pattern": "text",
        "bytes": "bytes",
        "timestamp": "time",
        "computed": "number",
    }
    return kinds.get(rule.way)


def _pooled(rule: Rule, seed: int, path: str, numbers: Any) -> Values | Faked:
    rng, size = generator(seed, "pool", path), len(numbers)
    if rule.faker is not None:
        return Faked(rule.faker, seed=_seed_of(seed, path), size=size)
    return simple(rule, rng, size, numbers)


def simple(rule: Rule, rng: np.random.Generator, size: int, numbers: Any) -> Values:
    """Draw ``size`` values of a rule that refers to nothing."""
    if rule.sequence is not None:
        return counted(rule.sequence, numbers)
    if rule.cycle is not None:
        return of_python(rule.cycle, kind_of(rule.cycle) or "text").take(numbers % len(rule.cycle))
    if rule.constant is not None:
        return of_python([rule.constant], kind_of([rule.constant]) or "text").take(np.zeros(size, dtype=np.int64))
    return _by_chance(rule, rng, size)


def _by_chance(rule: Rule, rng: np.random.Generator, size: int) -> Values:
    if rule.choice is not None:
        return chosen(rng, rule.choice, size, kind_of(rule.choice.values) or "text")
    if rule.pattern is not None:
        return Values("text", Pattern(rule.pattern).draw(rng, size))
    if rule.distribution is not None:
        return Values("number", pa.array(amounts(rng, rule.distribution, size)))
    if rule.uuid is not None:
        return uuids(rng, size)
    if rule.bytes is not None:
        return octets(rng, whole(rng, rule.bytes, size, most=MAX_BYTES))
    raise RuntimeError(f"a rule of way {rule.way} has no values of its own")


@cache
def _source(locale: str) -> Any:
    from faker import Faker as Source  # deferred: it takes a moment to import

    try:
        return Source(locale)
    except (AttributeError, ImportError, ValueError):
        return None


def _seed_of(seed: int, name: str) -> int:
    return zlib.crc32(f"{seed}/{name}".encode()) << 32


def _faked(rule: Faker, numbers: NDArray[np.int64], *, seed: int) -> list[Any]:
    source = _source(rule.locale)
    make = getattr(source, rule.provider)
    found = []
    with _ONE_AT_A_TIME:
        for number in numbers.tolist():
            source.seed_instance(seed + number)
            found.append(make(**rule.arguments))
    return found
