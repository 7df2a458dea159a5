"""What a scenario file may say: rules for fields, and pools of rows that fields refer to."""

from __future__ import annotations

import datetime as dt
import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from producer.scenarios.declared.patterns import checked_pattern
from schemas.formats import AVRO_NAME, NAMES

Scalar = bool | int | float | str | dt.datetime | dt.date

# Which parameters a distribution has to have.
PARAMETERS = {
    "uniform": ("low", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("median", "sigma"),
    "exponential": ("mean",),
    "poisson": ("mean",),
    "constant": ("value",),
}
MAX_POOL = 1_000_000
MAX_LENGTH = 1000
MAX_BYTES = 1 << 20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Distribution(_Part):
    """A distribution of numbers, cut to ``[min, max]``, rounded to ``round`` decimals or to multiples of ``step``."""

    kind: Literal["uniform", "normal", "lognormal", "exponential", "poisson", "constant"]
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    sd: float | None = Field(default=None, ge=0)
    median: float | None = Field(default=None, gt=0)
    sigma: float | None = Field(default=None, ge=0)
    value: float | None = None
    min: float | None = None
    max: float | None = None
    round: int | None = Field(default=None, ge=0, le=12)
    step: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = PARAMETERS[self.kind]
        given = {name for names in PARAMETERS.values() for name in names if getattr(self, name) is not None}
        if lacking := [name for name in needed if name not in given]:
            raise ValueError(f"{self.kind} needs {' and '.join(lacking)}")
        if foreign := sorted(given.difference(needed)):
            raise ValueError(f"{self.kind} has no {', '.join(foreign)}")
        if self.kind == "uniform" and not (self.low or 0.0) <= (self.high or 0.0):
            raise ValueError("low is above high")
        if self.kind in ("exponential", "poisson") and not (self.mean or 0.0) > 0:
            raise ValueError("mean must be above 0")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self


def _as_distribution(value: Any) -> Any:
    """A number is always that; two numbers are a range of equal chances."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return {"kind": "constant", "value": value}
    if isinstance(value, list) and len(value) == 2:
        return {"kind": "uniform", "low": value[0], "high": value[1]}
    return value


def _length(most: int, what: str) -> AfterValidator:
    """Refuse lengths that somebody wrote and nobody could keep; a tail of chance beyond is cut there."""

    def check(wanted: Distribution) -> Distribution:
        asked = [wanted.low, wanted.high, wanted.mean, wanted.median, wanted.value, wanted.min, wanted.max]
        if negative := [number for number in asked if number is not None and number < 0]:
            raise ValueError(f"{what} is 0 or more, not {negative[0]:g}")
        if large := [number for number in asked[:-1] if number is not None and number > most]:
            raise ValueError(f"{what} is at most {most:,}, not {large[0]:,.12g}")
        return wanted

    return AfterValidator(check)


Amount = Annotated[Distribution, BeforeValidator(_as_distribution)]
Items = Annotated[Amount, _length(MAX_LENGTH, "the number of items")]
Octets = Annotated[Amount, _length(MAX_BYTES, "the number of bytes")]


class Sequence(_Part):
    """Numbers without a gap: of an event over all shards of the run, of an item in its list, of a row in its pool.

    Before it would reach ``restart``, it begins again with ``start``.
    """

    start: int = 1
    step: int = 1
    restart: int | None = None
    prefix: str | None = None
    width: int = Field(default=0, ge=0, le=40)

    @model_validator(mode="after")
    def _comes_round(self) -> Self:
        if self.restart is not None and (self.restart - self.start) * self.step <= 0:
            raise ValueError(f"steps of {self.step} from {self.start} never reach {self.restart}")
        return self


class Choice(_Part):
    """Values with weights."""

    values: tuple[Scalar, ...] = Field(min_length=1)
    weights: tuple[float, ...]

    @model_validator(mode="after")
    def _weighted(self) -> Self:
        bad = [weight for weight in self.weights if not (weight >= 0 and math.isfinite(weight))]
        if bad or not sum(self.weights) > 0:
            raise ValueError("weights must be numbers of 0 or more, not all 0")
        return self


def _as_choice(value: Any) -> Any:
    """A list is of equal weights; a mapping is of values to weights."""
    if isinstance(value, list):
        return {"values": value, "weights": [1.0] * len(value)}
    if isinstance(value, dict):
        return {"values": list(value), "weights": list(value.values())}
    return value


class Faker(_Part):
    """Values of a Faker provider: a pool of ``pool`` of them, filled once."""

    provider: str
    locale: str = "en_US"
    pool: int = Field(default=1000, ge=1, le=MAX_POOL)
    skew: float = Field(default=0.0, ge=0, le=5)
    arguments: dict[str, Any] = Field(default_factory=dict)


# How a time is written into a number or a text that has no logical type.
Written = Literal[
    "seconds", "milliseconds", "microseconds", "nanoseconds", "days", "julian", "modified_julian", "yyyymmdd", "date"
]


class Reference(_Part):
    """The value of another field, times and plus something; for a time, plus is in seconds.

    A number that was moved is rounded to ``round`` decimals, if that is said.
    """

    field: str
    times: Amount | None = None
    plus: Amount | None = None
    round: int | None = Field(default=None, ge=0, le=12)
    written: Written | None = None


# Units that the time from one moment to another is said in, in microseconds.
UNITS_US = {
    "nanoseconds": 0.001,
    "microseconds": 1.0,
    "milliseconds": 1e3,
    "seconds": 1e6,
    "minutes": 60e6,
    "hours": 3600e6,
    "days": 86_400e6,
}


class Computed(_Part):
    """What follows from other fields, as they are written: one of ``sum``, ``product``, ``ratio``, ``span``, ``count``.

    ``sum``: a name with a minus before it is taken away; what is null counts nothing; all items of a list count
    ``ratio``: the first divided by the second, 0 where that is 0
    ``span``: from the first time to the second, in ``unit``; in a whole number, what is begun does not count
    ``count``: the items of a list or a map

    Then it is scaled by ``times``, moved by ``plus`` and rounded to ``round`` decimals. It is never more than its type
    holds.
    """

    sum: Annotated[tuple[str, ...] | None, Field(min_length=1)] = None
    product: Annotated[tuple[str, ...] | None, Field(min_length=1)] = None
    ratio: tuple[str, str] | None = None
    span: tuple[str, str] | None = None
    unit: Literal["nanoseconds", "microseconds", "milliseconds", "seconds", "minutes", "hours", "days"] = "seconds"
    count: str | None = None
    times: float | None = None
    plus: float | None = None
    round: int | None = Field(default=None, ge=0, le=12)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        said = [name for name in ("sum", "product", "ratio", "span", "count") if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(
                f"say one of sum, product, ratio, span and count{', not ' + ' and '.join(said) if said else ''}"
            )
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the fields whose values it is made of."""
        return tuple(one.removeprefix("-") for one in self.sum or ()) or self.product or self.ratio or self.span or ()


class Timestamp(_Part):
    """The event's time, or ``back_s`` seconds before it."""

    back_s: Amount | None = None
    written: Written | None = None


def _short(name: str) -> Any:
    return BeforeValidator(lambda value: {name: value} if isinstance(value, str) else value)


def _empty(value: Any) -> Any:
    return {} if value is None or value is True else value


class Rule(_Part):
    """How the values of one field arise: exactly one way, and which are null, where the schema allows it."""

    sequence: Annotated[Sequence | None, BeforeValidator(_empty)] = None
    choice: Annotated[Choice | None, BeforeValidator(_as_choice)] = None
    cycle: Annotated[tuple[Scalar, ...] | None, Field(min_length=1)] = None
    constant: Scalar | None = None
    pattern: Annotated[str, AfterValidator(checked_pattern)] | None = None
    distribution: Amount | None = None
    faker: Annotated[Faker | None, _short("provider")] = None
    reference: Annotated[Reference | None, _short("field")] = None
    pool: str | None = None
    timestamp: Annotated[Timestamp | None, BeforeValidator(_empty)] = None
    uuid: Literal[True] | None = None
    bytes: Octets | None = None
    length: Items | None = None
    options: Annotated[tuple[Any, ...] | None, Field(min_length=1)] = None
    branches: dict[str, float] | None = None
    computed: Computed | None = None
    nulls: float | None = Field(default=None, ge=0, le=1)
    nulls_where: Annotated[dict[str, tuple[Scalar, ...]] | None, Field(min_length=1, max_length=1)] = None
    nulls_with: str | None = None

    @property
    def written(self) -> Written | None:
        """Return how a time is written, if the rule says so."""
        part = self.timestamp or self.reference
        return part.written if part else None

    @property
    def way(self) -> str | None:
        """Return the name of the way in which values arise; ``None`` when only the nulls are said."""
        return next((name for name in WAYS if name in self.model_fields_set), None)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in WAYS if name in self.model_fields_set]
        if len(ways) > 1:
            raise ValueError(f"{' and '.join(ways)} cannot stand together: keep one")
        if ways and getattr(self, ways[0]) is None:
            raise ValueError(f"{ways[0]} has no value; a field that is always null is {{nulls: 1}}")
        said = [name for name in NULLS if getattr(self, name) is not None]
        if len(said) > 1:
            raise ValueError(f"{' and '.join(said)} cannot stand together: keep one")
        if not ways and not said:
            raise ValueError(f"say one of {', '.join(WAYS)}, or nulls")
        return self


# Which values are null: a share of them, those of events where another field has one of some values, or is null itself.
NULLS = ("nulls", "nulls_where", "nulls_with")
WAYS = tuple(name for name in Rule.model_fields if name not in NULLS)


class Pool(_Part):
    """Rows that fields take values from. Fields of one event that name the same pool take them from the same row."""

    size: int = Field(default=1000, ge=1, le=MAX_POOL)
    skew: float = Field(
        default=0.0, ge=0, le=5, description="0: all rows alike; 1: the second half as often as the first"
    )
    columns: dict[str, Rule] = Field(min_length=1)


def _format_name(said: str) -> str:
    if said not in NAMES:
        raise ValueError(f"{said!r} is not one of {', '.join(map(repr, NAMES))}")
    return said


class File(_Part):
    """The whole file."""

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,100}$")
    schema_file: str | None = Field(default=None, alias="schema")
    subject: str | None = None
    format: Annotated[str, AfterValidator(_format_name)] = AVRO_NAME
    key: str | None = None
    mix: str | None = None
    event_time: str | None = None
    spacing_ms: float = Field(default=10.0, gt=0, le=86_400_000)
    pools: dict[str, Pool] = Field(default_factory=dict)
    fields: dict[str, Rule] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_schema(self) -> Self:
        if (self.schema_file is None) == (self.subject is None):
            raise ValueError("say either schema (an .avsc file) or subject (of the registry)")
        return self
