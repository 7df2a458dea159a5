"""What the incidents of a run did to it: the lowest rate, the longest delay, and the time until both were back.

**Recovered** is a run at the first second after which, for :data:`STEADY_S` seconds on end, its achieved rate is at
least :data:`OF_RATE` of the intended one and its longest publish delay at most :data:`TIMES` times what it was before:
the median of the seconds before, and 100 ms at least. The time counts from the beginning of the incident, so it may
be shorter than the incident: the other brokers took over. A run as fast as possible has no intended rate; its median
before takes that place, with :data:`OF_FULL_SPEED`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from statistics import median
from typing import Any

from pydantic import ValidationError

from consumer.report.text import milliseconds, number, seconds
from schemas.incidents import Incident

BEFORE_S = 10
STEADY_S = 3
OF_RATE = 0.95
OF_FULL_SPEED = 0.8
TIMES = 3
LEAST_MS = 100.0
# What begins to go wrong later than this after an incident has another reason.
_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class Second:
    """One second of a run, over its shards; ``delay_ms`` is ``None`` where nothing was acknowledged, or nobody says."""

    second: int
    intended: int
    achieved: int
    delay_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What one incident did.

    :param lowest: events a second, of whole seconds, until the run had recovered; ``None`` where there are none.
    :param intended: what was due in that second; 0 as fast as possible.
    :param longest_ms: the longest publish delay until then.
    :param disturbed: whether rate or delay were ever off.
    :param recovered_s: seconds from its beginning until both were back; ``None`` where they were not.
    :param why: what came before they were back, where they were not.
    """

    incident: Incident
    lowest: int | None = None
    intended: int = 0
    longest_ms: float | None = None
    disturbed: bool = False
    recovered_s: float | None = None
    why: str = ""

    @property
    def happened(self) -> str:
        """When it really was, in words."""
        incident = self.incident
        if incident.began_s is None:
            return incident.fault or "not yet"
        until = "not ended" if incident.ended_s is None else f"to {incident.ended_s:.1f} s"
        return f"{incident.began_s:.1f} s {until}"

    @property
    def back(self) -> str:
        """When its target answered again, in words."""
        incident = self.incident
        if incident.back_s is None or incident.ended_s is None:
            return incident.fault if incident.began_s is not None else ""
        return f"{seconds(max(0.0, incident.back_s - incident.ended_s))} after its end"

    @property
    def recovery(self) -> str:
        """The time to recover, in words."""
        incident = self.incident
        if incident.began_s is None:
            return ""
        if not self.disturbed:
            return "not disturbed"
        if self.recovered_s is None:
            return self.why
        lasted = incident.ended_s is None or incident.began_s + self.recovered_s <= incident.ended_s
        return f"after {seconds(self.recovered_s)}" + (", while it lasted" if lasted else "")

    def cells(self) -> tuple[str, str, str]:
        """Return lowest rate, longest delay and recovery as a table shows them."""
        rate = "" if self.lowest is None else f"{number(self.lowest)}/s"
        of = f" of {number(self.intended)}/s" if rate and self.intended else ""
        return rate + of, "" if self.longest_ms is None else milliseconds(self.longest_ms), self.recovery

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return asdict(self) | {"incident": self.incident.model_dump(), "text": self.incident.text}


def incidents_of(audit: dict[str, Any] | None) -> list[Incident]:
    """Return the incidents that an audit tells of; those of earlier versions tell of none."""
    try:
        return [Incident.model_validate(each) for each in (audit or {}).get("incidents", [])]
    except ValidationError:
        return []


def effects(incidents: Sequence[Incident], run: Sequence[Second]) -> list[Effect]:
    """Return what each incident did, by the seconds of the run in their order."""
    return [
        _effect(incident, incidents, run) if incident.began_s is not None else Effect(incident)
        for incident in incidents
    ]


def _effect(incident: Incident, incidents: Sequence[Incident], run: Sequence[Second]) -> Effect:
    began_s = incident.began_s or 0.0
    ended_s = began_s + incident.for_s if incident.ended_s is None else incident.ended_s
    later = [each.began_s for each in incidents if each.began_s is not None and each.began_s > began_s]
    horizon = min(later, default=math.inf)
    first = math.floor(began_s)
    good = _Measure([each for each in run if first - BEFORE_S <= each.second < first])
    seen = [each for each in run if first <= each.second < horizon]
    off = next((each.second for each in seen if not good.holds(each)), None)
    if off is None or off > ended_s + _AFTER_S:
        return Effect(incident, *_worst([each for each in seen if each.second < ended_s], run))
    back = _back([each for each in seen if each.second > off], good)
    within = [each for each in seen if each.second < max(ended_s, math.inf if back is None else back)]
    why = "" if back is not None else "not before the next one" if later else "not before the run ended"
    recovered_s = None if back is None else round(max(0.0, back - began_s), 1)
    return Effect(incident, *_worst(within, run), disturbed=True, recovered_s=recovered_s, why=why)


class _Measure:
    """What rate and delay have to be, by the seconds before an incident."""

    def __init__(self, before: Sequence[Second]) -> None:
        delays = [each.delay_ms for each in before if each.delay_ms is not None]
        self._most_ms = max(LEAST_MS, TIMES * median(delays) if delays else 0.0)
        self._paced = any(each.intended for each in before)
        self._speed = OF_FULL_SPEED * median([each.achieved for each in before]) if before else 0.0

    def holds(self, second: Second) -> bool:
        """Tell whether a second is as it was before."""
        paced = self._paced or second.intended > 0
        # An event more or less falls on either side of a second.
        enough = second.achieved >= (OF_RATE * second.intended - 1 if paced else self._speed)
        return enough and (second.delay_ms is None or second.delay_ms <= self._most_ms)


def _back(seen: Sequence[Second], good: _Measure) -> int | None:
    """Return the first second from which it holds for a while, or to the end of what was seen."""
    for place, each in enumerate(seen):
        ahead = seen[place : place + STEADY_S]
        if len(list(takewhile(good.holds, ahead))) == len(ahead):
            return each.second
    return None


def _worst(seen: Sequence[Second], run: Sequence[Second]) -> tuple[int | None, int, float | None]:
    """Return the lowest rate with what was due then, and the longest delay."""
    # The last second of a run is rarely a whole one.
    whole = [each for each in seen if len(run) == 1 or each.second < run[-1].second]
    lowest = min(whole, key=lambda each: each.achieved, default=None)
    longest_ms = max((each.delay_ms for each in seen if each.delay_ms is not None), default=None)
    return (None, 0, longest_ms) if lowest is None else (lowest.achieved, lowest.intended, longest_ms)
