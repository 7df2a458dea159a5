"""Which fields of replayed rows take faults: by their types, and by what holds of all rows."""

from __future__ import annotations

import re

from producer.faults.targets import FITS, FaultTargets
from producer.scenarios.replay.staged.copy import StagedShard
from schemas.types.tree import Node

# Numbers that are called so are sizes, counts or durations.
_COUNTED = re.compile(r"(^|_)(size|count|length|duration|seconds|millis|ms|bytes|words)(_|$)", re.IGNORECASE)
# An event that is less behind the one before it is not late; detectors have some room above.
_JITTER_MS = 20_000


def targets_of(
    root: Node,
    rows: StagedShard | None,
    *,
    key: str | None,
    event_time: str | None,
    by_time: bool = False,
    now_ms: int,
) -> FaultTargets:
    """Return what faults can be put into.

    event time: the one that is declared, where it is never null, and the rows are in its order within 20 seconds
    date: the same, whatever the order, where no row is dated ahead
    duration: a number that is never below zero in any row: a size, a count or a duration by its name, or else any that
        is no id

    :param rows: all of them; ``None`` where they are not known yet.
    :param by_time: they are sent in the order of their times.
    """
    fields = dict(root.fields)
    timed = fields.get(event_time or "")
    moment = event_time if timed is not None and not timed.nullable and FITS["event_time"](timed) else None
    if rows is None:
        return FaultTargets(event_time=moment)
    late_ms, between = rows.latest_ms, rows.event_time_range
    in_order = by_time or (late_ms is not None and late_ms < _JITTER_MS)
    past = between is not None and between[1] <= now_ms
    sound = [
        name
        for name in rows.staged.index.never_negative
        if FITS["duration"](fields[name]) and name not in (key, event_time)
    ]
    counted = [name for name in sound if _COUNTED.search(name)]
    others = [name for name in sound if not re.search(r"(^|_)id$", name, re.IGNORECASE)]
    return FaultTargets(
        event_time=moment if in_order else None,
        date=moment if past else None,
        duration=next(iter(counted + others), None),
    )
