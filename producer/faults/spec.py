"""What faults are asked for: ``duplicate=0.001``, ``undecodable.truncated=5``, ``late=1%,mean=10m``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cluster.errors import Misconfigured
from cluster.text.nearest import meant
from schemas.faults import CLOCK_SKEW, FAMILIES, KINDS, LATE, members

_UNITS = {"s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(-?\d+(?:\.\d+)?)([smh])")
# Option of a fault, and its value when none is given, seconds.
_OPTIONS = {LATE: ("mean", 600.0), CLOCK_SKEW: ("by", 300.0)}
# A check tells a skewed clock by a minute of difference; less would not be found.
LEAST_SKEW_S = 120.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that is asked for. Either ``share`` of the events or ``count`` of them, over all shards.

    ``name`` is a kind or a family; a family is spread evenly over its kinds. For a skewed clock the amounts are of
    shards. ``seconds`` is the mean lateness, or how far the clock is ahead.
    """

    name: str
    share: float | None = None
    count: int | None = None
    seconds: float | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that the name stands for."""
        return members(self.name)

    def __str__(self) -> str:
        amount = f"{self.count}" if self.count is not None else f"{self.share:.12g}"
        if self.share == 1.0:
            amount = "100%"
        option = f",{_OPTIONS[self.name][0]}={self.seconds:.12g}s" if self.seconds is not None else ""
        return f"{self.name}={amount}{option}"


def parse_faults(texts: Iterable[str]) -> tuple[Fault, ...]:
    """Read faults as ``--fault`` takes them, in the order of the kinds.

    :raises Misconfigured: every fault of the texts at once.
    """
    found: dict[str, Fault] = {}
    wrong: list[str] = []
    for text in texts:
        try:
            fault = _parse(text)
        except ValueError as error:
            wrong.append(f"{text!r}: {error}")
            continue
        if fault is None:
            continue
        if fault.name in found:
            wrong.append(f"{fault.name} is given twice")
        found[fault.name] = fault
    if wrong:
        raise Misconfigured(
            "the faults are not valid: " + "; ".join(wrong),
            hint="Give NAME=AMOUNT: below 1 or with % a share of the events, from 1 on a number of them",
        )
    order = [*KINDS, *FAMILIES]
    return tuple(sorted(found.values(), key=lambda fault: order.index(fault.name)))


def from_mapping(faults: Mapping[str, object]) -> tuple[Fault, ...]:
    """Read faults as a profile has them: a mapping of name to amount.

    :raises Misconfigured: as :func:`parse_faults`.
    """
    return parse_faults(f"{name}={amount}" for name, amount in faults.items())


def as_text(faults: tuple[Fault, ...]) -> str | None:
    """Return the faults as the manifest keeps them: equal texts mean equal faults; ``None`` for none."""
    return " ".join(map(str, faults)) or None


def _parse(text: str) -> Fault | None:
    name, equals, rest = text.strip().partition("=")
    if not members(name):
        raise ValueError(f"unknown fault{meant(name, [*KINDS, *FAMILIES])}")
    if not equals:
        raise ValueError("no amount is given")
    amount, *options = rest.split(",")
    share, count = _amount(amount)
    seconds = _option(name, options)
    if share == 0 or count == 0:
        return None  # asked for and switched off
    return Fault(name, share, count, seconds)


def _amount(text: str) -> tuple[float | None, int | None]:
    """Return (share, None) or (None, count)."""
    percent = text.endswith("%")
    try:
        number = float(text.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not math.isfinite(number) or number < 0:
        raise ValueError("the amount must be 0 or more")
    if percent and number > 1:
        raise ValueError("the share is above 100%")
    if percent or number < 1:
        return number, None
    if number != int(number):
        raise ValueError(f"{text} is neither a share below 1 nor a whole number")
    return None, int(number)


def _option(name: str, options: list[str]) -> float | None:
    wanted, default = _OPTIONS.get(name, ("", None))
    seconds = default
    for option in options:
        key, _, value = option.partition("=")
        duration = _DURATION.fullmatch(value)
        if key != wanted or not wanted:
            raise ValueError(f"unknown option {key!r}" + (f", it takes {wanted}" if wanted else ", it takes none"))
        if duration is None:
            raise ValueError(f"{value!r} is not a duration such as 90s, 10m or 2h")
        seconds = float(duration[1]) * _UNITS[duration[2]]
    if name == LATE and seconds is not None and not 0 < seconds <= 86_400:
        raise ValueError("the mean lateness must be above 0 and at most 24h")
    if name == CLOCK_SKEW and seconds is not None and not LEAST_SKEW_S <= abs(seconds) <= 86_400:
        raise ValueError("the skew must be between 2m and 24h, ahead or behind (-5m)")
    return seconds
