"""Which fields of replayed rows take faults: by their types, since nobody declares what their values never are."""

from __future__ import annotations

import re

from producer.faults.targets import FITS, FaultTargets
from schemas.types.tree import Node

# Numbers that are called so are never below zero.
_COUNTED = re.compile(r"(^|_)(size|count|length|duration|seconds|millis|ms|bytes|words)(_|$)", re.IGNORECASE)


def targets_of(root: Node, *, key: str | None, event_time: str | None) -> FaultTargets:
    """Return what faults can be put into.

    event time: the one that is declared, where it is never null
    date: the same
    duration: the first number whose name says that it is a size, a count or a duration
    """
    fields = dict(root.fields)
    timed = fields.get(event_time or "")
    moment = event_time if timed is not None and not timed.nullable and FITS["event_time"](timed) else None
    numbers = [
        name
        for name, node in root.fields
        if FITS["duration"](node) and not node.nullable and _COUNTED.search(name) and name not in (key, event_time)
    ]
    return FaultTargets(event_time=moment, duration=next(iter(numbers), None))
