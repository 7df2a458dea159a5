"""How long something may take, as people write it: ``90s``, ``5m``, ``1.5h``."""

from __future__ import annotations

import re

from cluster.errors import Misconfigured

_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|)\s*")
_UNITS = {"ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


def seconds_in(text: str | float) -> float:
    """Return the seconds that a text says; a number without a unit is seconds.

    :raises Misconfigured: it says none.
    """
    written = _WRITTEN.fullmatch(str(text))
    if written is None:
        raise Misconfigured(f"{text!r} is not a duration", hint="Write a number and ms, s, m or h, as in 90s or 5m")
    return float(written[1]) * _UNITS[written[2]]
