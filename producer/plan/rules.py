"""What the settings of a run say about each other: each rule once, for flags, Airflow's form and profiles.

The Dag processor reads profiles every few seconds, so this module loads nothing heavy.
"""

from __future__ import annotations

import math
from collections.abc import Callable


def contradictions(
    *,
    rate: float | None,
    lasts_s: float | None,
    events: int | None,
    seconds: float | None,
    catch_up: str,
    require_rate: float | None,
    next_version_share: float,
    next_version_ramp: bool,
    own_times: str | None = None,
) -> list[str]:
    """Return what cannot be asked for together, a sentence each.

    :param rate: events a second, 0 for as fast as possible; ``None`` for the scenario's own pace, not known here.
    :param lasts_s: duration of the shape, seconds, infinite without an end; ``None`` without a shape.
    :param own_times: the option that has each event sent at its own time, if one is asked for.
    """
    paced = lasts_s is not None or rate is None or rate > 0 or own_times is not None
    ends = seconds is not None or (lasts_s is not None and math.isfinite(lasts_s))
    both, counted = lasts_s is not None and bool(rate and rate > 0), events is not None or (paced and ends)
    rules = [
        (
            own_times is not None and (lasts_s is not None or bool(rate and rate > 0)),
            f"{own_times} sends events at their own times, and a rate or a shape is given too",
        ),
        (both, "rate and shape are both given; a rate is short for the shape constant(rate)"),
        (
            catch_up == "skip" and own_times is not None,
            f"catch-up skip and {own_times}: an event that is given up leaves its time to the next one",
        ),
        (catch_up == "skip" and not paced, "catch-up skip needs a rate or a shape: nothing is late without one"),
        (
            require_rate is not None and not paced,
            "require-rate needs a rate or a shape: without one nothing is asked for",
        ),
        (next_version_share > 0 and next_version_ramp, "next version share and ramp are both given"),
        (
            next_version_ramp and not counted,
            "a ramp to the next schema version needs a number of events, or a rate or shape with a duration",
        ),
    ]
    return [rule for broken, rule in rules if broken]


def load_told(*, rate: float | None, seconds: float | None, lasts_s: float | None) -> tuple[float | None, float | None]:
    """Return rate and duration where a shape takes their place: that of the rate, and, if it ends, the duration's.

    :param lasts_s: as in :func:`contradictions`.
    """
    if lasts_s is None:
        return rate, seconds
    return 0.0, None if math.isfinite(lasts_s) else seconds


def rate_or_own(rate: float | None, shape: str | None, own: Callable[[], float]) -> float:
    """Return the rate of a run: the one that is asked for, none beside a shape, else the scenario's own pace.

    :param own: asked for the pace only where it counts.
    """
    if rate is None:
        return 0.0 if shape is not None else own()
    return rate
