"""Pools: values of Faker providers and rows of columns, filled once for a run and drawn from for every event."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from cluster.text.nearest import meant
from producer.scenarios.declared.patterns import Pattern
from producer.scenarios.declared.rules import MAX_BYTES, Faker, Pool, Rule
from producer.scenarios.declared.values import (
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


@dataclass(frozen=True, slots=True)
class Rows:
    """A filled pool."""

    columns: dict[str, Values]
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
        sample = _faked(rule, 1, seed=1)
    except Exception as error:  # noqa: BLE001 - whatever a provider says to its arguments
        return [f"Faker's {rule.provider} refuses its arguments: {type(error).__name__}: {error}"]
    if kind_of(sample) is None:
        return [f"Faker's {rule.provider} gives a {type(sample[0]).__name__}, not a single value"]
    return []


def faker_kind(rule: Faker) -> Kind:
    """Return what a provider gives."""
    return kind_of(_faked(rule, 1, seed=1)) or "text"


def filled(rule: Faker, *, seed: int, path: str, size: int | None = None) -> Values:
    """Fill the pool of a Faker rule, or ``size`` rows of a column."""
    found = _faked(rule, size or rule.pool, seed=zlib.crc32(f"{seed}/{path}".encode()))
    return of_python(found, kind_of(found) or "text")


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
    }
    return kinds.get(rule.way)


def _pooled(rule: Rule, seed: int, path: str, numbers: Any) -> Values:
    rng, size = generator(seed, "pool", path), len(numbers)
    if rule.faker is not None:
        return filled(rule.faker, seed=seed, path=path, size=size)
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


def _faked(rule: Faker, size: int, *, seed: int) -> list[Any]:
    source = _source(rule.locale)
    source.seed_instance(seed)
    make = getattr(source, rule.provider)
    return [make(**rule.arguments) for _ in range(size)]
