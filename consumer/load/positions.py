"""Where to go on: the stored positions, checked against the topic that is there now.

A position means something only for the topic that it was taken from. A topic that was recreated, or whose retention
has passed the position, is told apart before anything is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cluster.errors import TopicRecreated
from cluster.reading import Watermarks
from cluster.records import Span
from cluster.topics import TopicInfo
from consumer.sinks import Origin, Sink


def resume(
    sink: Sink,
    topic: TopicInfo,
    there: Mapping[int, Watermarks],
    chosen: Collection[int],
    *,
    load_id: str,
    accept_gap: bool = False,
) -> dict[int, int]:
    """Return the offset at which every chosen partition goes on; those that are new begin at their first record.

    :param accept_gap: write down in the ledger what retention deleted before it was read, and go on behind it.
    :raises TopicRecreated: the positions belong to another topic, or lie outside what the topic holds.
    """
    check_topic(sink, topic, there)
    stored = sink.positions()
    expired = [Span(p, at, there[p].low) for p, at in stored.items() if p in chosen and at < there[p].low]
    if expired and not accept_gap:
        gaps = "; ".join(f"partition {s.partition}: stored {s.start}, first record {s.end}" for s in expired[:3])
        raise TopicRecreated(
            f"retention deleted {sum(s.end - s.start for s in expired)} offsets before they were read: {gaps}",
            where=f"{topic.name}, {sink.where}",
            hint="Give --accept-gap to note the gap in the ledger and go on behind it",
        )
    new = {p: marks.low for p, marks in there.items() if p in chosen and p not in stored}
    sink.begin(topic, new, expired, load_id)
    return {p: at for p, at in sink.positions().items() if p in chosen}


def check_topic(sink: Sink, topic: TopicInfo, there: Mapping[int, Watermarks]) -> None:
    """Check that the positions were taken from this very topic, and that it holds what was loaded from it.

    :raises TopicRecreated: it was another one, or its log was cut below a position.
    """
    check_identity(sink, topic)
    stored = sink.positions()
    ahead = {p: at for p, at in stored.items() if p not in there or at > there[p].high}
    if ahead:
        cut = "; ".join(
            f"partition {p}: stored {at}, high watermark {there[p].high if p in there else 'none'}"
            for p, at in list(ahead.items())[:3]
        )
        raise TopicRecreated(
            f"the topic holds less than was loaded from it: {cut}",
            where=f"{topic.name}, {sink.where}",
            hint="Its log was cut. Give --set-aside to keep this warehouse under another name and load into a new one",
        )


def check_identity(sink: Sink, topic: TopicInfo) -> None:
    """Check that the warehouse was loaded from this very topic.

    :raises TopicRecreated: it was another one, of the same name.
    """
    others = [origin for origin in sink.origins() if origin != Origin(topic.cluster_id, topic.topic_id)]
    if not others:
        return
    cluster_id, topic_id = others[0].cluster_id, others[0].topic_id
    if cluster_id != topic.cluster_id:
        what = f"the warehouse was loaded from cluster {cluster_id}, this is cluster {topic.cluster_id}"
    else:
        what = f"the topic was deleted and created again: stored id {topic_id}, id there {topic.topic_id}"
    positions = ", ".join(f"{partition}: {at}" for partition, at in sink.positions().items())
    raise TopicRecreated(
        f"{what}; stored positions {positions}",
        where=f"{topic.name}, {sink.where}",
        hint="Give --set-aside to keep this warehouse under another name and load the topic into a new one",
    )
