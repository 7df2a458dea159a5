"""Where to go on: the last committed output, checked against the topic that is there now."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from cluster.errors import Misconfigured, TopicRecreated
from cluster.reading import Watermarks
from cluster.topics import TopicInfo
from consumer.counter.totals import EXPIRED, Totals

log = logging.getLogger(__name__)


def go_on(last: Totals | None, topic: TopicInfo, there: Mapping[int, Watermarks], *, field: str, output: str) -> Totals:
    """Return the totals to begin with, their positions within what the topic holds.

    Partitions that are new begin at their first record. What retention deleted before it was counted is a reason to be
    apart, ``expired``, so that whoever reads the totals can see it.

    :raises Misconfigured: the output holds totals of something else.
    :raises TopicRecreated: the totals are of another topic of this name, or its log was cut below them.
    """
    if last is None:
        return _moved(Totals(topic.name, topic.topic_id, field), there)
    where = f"{topic.name}, totals in {output}"
    other = f"Count into another topic (--to), or delete {output} and make it anew"
    if last.topic != topic.name:
        raise Misconfigured(f"{output} holds totals of the topic {last.topic}", where=where, hint=other)
    if last.field != field:
        raise Misconfigured(f"{output} holds totals by the field {last.field}", where=where, hint=other)
    if last.topic_id != topic.topic_id:
        raise TopicRecreated(
            f"the topic was deleted and created again: counted id {last.topic_id}, id there {topic.topic_id}",
            where=where,
            hint=other,
        )
    ahead = {p: at for p, at in last.positions.items() if p not in there or at > there[p].high}
    if ahead:
        partition, at = next(iter(ahead.items()))
        held = there[partition].high if partition in there else "none"
        raise TopicRecreated(
            f"the topic holds less than was counted of it: partition {partition}: counted to {at}, end {held}",
            where=where,
            hint=f"Its log was cut. {other}",
        )
    return _moved(last, there)


def _moved(totals: Totals, there: Mapping[int, Watermarks]) -> Totals:
    """Move positions behind what is gone, and count what that is."""
    gone = {p: marks.low - totals.positions.get(p, 0) for p, marks in there.items()}
    gone = {p: number for p, number in gone.items() if number > 0}
    positions = {p: max(marks.low, totals.positions.get(p, 0)) for p, marks in sorted(there.items())}
    if gone:
        log.warning(
            "%s: retention deleted %s offsets before they were counted: %s",
            totals.topic,
            f"{sum(gone.values()):,}",
            ", ".join(f"partition {p}: {number:,}" for p, number in gone.items()),
        )
    apart = totals.apart | ({EXPIRED: totals.apart.get(EXPIRED, 0) + sum(gone.values())} if gone else {})
    return replace(totals, positions=positions, apart=apart)
