"""Incidents as they are asked for: ``30s: stop broker 2 for 20s``.

::

    incident = duration ":" kind target "for" duration       several are separated by ";"
    kind     = "stop" | "kill" | "freeze"
    target   = "broker" number | "registry"
    duration = number ( "ms" | "s" | "m" | "h" )              the first one from the first event of the run

The Dag processor reads profiles every few seconds, so this module loads nothing heavy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import get_args

from cluster.errors import Misconfigured
from cluster.text.nearest import meant
from schemas.incidents import REGISTRY, Incident, Kind, duration

KINDS: tuple[Kind, ...] = get_args(Kind)
HINT = 'Write it as in "30s: stop broker 2 for 20s"; docs/incidents.md has every form'
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_GRAIN_S = 1e-9


def parse_incidents(texts: Iterable[str]) -> tuple[Incident, ...]:
    """Read incidents as ``--incident`` takes them, and return them by their beginnings.

    :raises Misconfigured: every fault of the texts at once.
    """
    found: list[Incident] = []
    wrong: list[str] = []
    for text in (part.strip() for whole in texts for part in whole.split(";")):
        if not text:
            continue
        try:
            found.append(_parse(text))
        except ValueError as error:
            wrong.append(f"{text!r}: {error}")
    found.sort(key=lambda incident: incident.at_s)
    wrong += _overlaps(found)
    if wrong:
        raise Misconfigured("the incidents are not valid: " + "; ".join(wrong), hint=HINT)
    return tuple(found)


def beyond_the_end(incidents: Sequence[Incident], lasts_s: float | None) -> list[str]:
    """Return in a sentence each which incidents do not fit into a run.

    :param lasts_s: how long the run takes, seconds; ``None`` where nobody can tell.
    """
    return [
        f"the incident {incident.text} ends after the run, which takes {duration(round(lasts_s, 3))}"
        for incident in incidents
        if lasts_s is not None and incident.at_s + incident.for_s > lasts_s + _GRAIN_S
    ]


def as_text(incidents: Sequence[Incident]) -> str | None:
    """Return incidents as one text; ``None`` for none."""
    return "; ".join(incident.text for incident in incidents) or None


def _parse(text: str) -> Incident:
    at, colon, rest = text.partition(":")
    if not colon:
        raise ValueError("it does not begin with a moment and a colon")
    at_s = _seconds(at.strip(), "the moment")
    words = [word for word in rest.lower().split() if word != "the"]
    if not words:
        raise ValueError(f"it does not say what happens: {', '.join(KINDS)}")
    kind = next((kind for kind in KINDS if kind == words[0]), None)
    if kind is None:
        raise ValueError(f"unknown kind {words[0]}{meant(words[0], KINDS, listed=True)}")
    if "for" not in words:
        raise ValueError("it does not say for how long")
    place = words.index("for")
    target, how_long = _target(words[1:place]), words[place + 1 :]
    for_s = _seconds("".join(how_long), "the time after for")
    if not for_s:
        raise ValueError("it lasts no time at all")
    return Incident(at_s=at_s, kind=kind, target=target, for_s=for_s)


def _target(words: Sequence[str]) -> str:
    match words:
        case [one] if one == REGISTRY:
            return REGISTRY
        case ["broker", number]:
            if not number.isdecimal() or not int(number):
                raise ValueError(f"{number} is not the number of a broker: they are counted from 1")
            return f"broker {int(number)}"
        case []:
            raise ValueError(f"it does not say what: broker 1, or {REGISTRY}")
        case ["broker"]:
            raise ValueError("it does not say which broker: broker 1, broker 2")
        case [first, *_]:
            raise ValueError(f"unknown target {' '.join(words)}{meant(first, ('broker', REGISTRY), listed=True)}")
    raise AssertionError(words)


def _seconds(text: str, what: str) -> float:
    told = _DURATION.fullmatch(text)
    if told is None:
        raise ValueError(f"{what} is {text or 'missing'}, and not a duration such as 30s")
    number, unit = told.groups()
    if not unit:
        raise ValueError(f"{what} is {number} without a unit: write {number}s, or ms, m or h")
    if unit.lower() not in _UNITS:
        raise ValueError(f"{what} is {text}, and its unit is not ms, s, m or h")
    return float(number) * _UNITS[unit.lower()]


def _overlaps(incidents: Sequence[Incident]) -> list[str]:
    """Return in a sentence each which incidents would take away what is away already."""
    found = []
    for place, second in enumerate(incidents):
        for first in incidents[:place]:
            until_s = first.at_s + first.for_s
            if first.target == second.target and second.at_s < until_s - _GRAIN_S:
                found.append(f"{second.text!r} begins while {first.text!r} lasts, until {duration(until_s)}")
    return found
