"""What of an event a fault can be put into: a scenario says so as ``fault_targets``."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.errors import Misconfigured
from producer.faults.spec import Fault


@dataclass(frozen=True, slots=True)
class FaultTargets:
    """Columns by their names; a field within a struct as ``details.play_duration``.

    :param event_time: when the event happened, milliseconds, as a timestamp or a plain number.
    :param duration: a number that is never negative.
    :param choice: a text that is one of a few.
    :param text_first: whether the first field of the value is a text that is never empty, such as the event id.
    """

    event_time: str | None = None
    duration: str | None = None
    choice: str | None = None
    text_first: bool = True


_NEEDS = {
    "late": "event_time",
    "clock_skew": "event_time",
    "altered.future_date": "event_time",
    "altered.negative_duration": "duration",
    "altered.unknown_text": "choice",
    "undecodable.invalid_utf8": "text_first",
}


_OF_A_KEY = ("out_of_order", "hot_key")


def possible(
    faults: tuple[Fault, ...], targets: FaultTargets, scenario: str, *, has_key: bool = True
) -> dict[str, tuple[str, ...]]:
    """Return the kinds of each fault that this scenario can have, by the fault's name.

    A family is spread over those of its kinds that are possible.

    :raises Misconfigured: none is.
    """
    found: dict[str, tuple[str, ...]] = {}
    for fault in faults:
        kinds = tuple(kind for kind in fault.kinds if kind not in _NEEDS or getattr(targets, _NEEDS[kind]))
        if not has_key and fault.name in _OF_A_KEY:
            kinds = ()
        if not kinds:
            raise Misconfigured(
                f"the scenario {scenario} cannot have the fault {fault.name}: it declares nothing to put it into",
                hint="docs/faults.md says what a scenario declares",
            )
        found[fault.name] = kinds
    return found
