"""What a snapshot says as JSON: what is unknown is never a number."""

from __future__ import annotations

import json

from consumer.live.snapshot import (
    COUNTS,
    STAGES,
    History,
    LastKnown,
    NameTotal,
    Snapshot,
    Stage,
    TopicSight,
    TotalsSight,
)


def snapshot_of(*topics: TopicSight) -> Snapshot:
    """Return a snapshot with these topics."""
    return Snapshot(1, "2026-01-01T00:00:00.000Z", "localhost:9092", topics)


def test_what_is_unknown_is_null_and_has_a_reason() -> None:
    last = LastKnown(7, "2026-01-01T00:00:00.000Z")
    stages = tuple(Stage(name, COUNTS[name], unknown="no broker answers", last=last) for name in STAGES)

    document = json.loads(json.dumps(snapshot_of(TopicSight("t", stages=stages)).as_json()))

    (topic,) = document["topics"]
    assert [stage["name"] for stage in topic["stages"]] == list(STAGES)
    for stage in topic["stages"]:
        assert (stage["count"], stage["rate"], stage["gap"], stage["as_of"]) == (None, None, None, None)
        assert stage["unknown"] == "no broker answers"
        assert stage["last"] == {"count": 7, "as_of": "2026-01-01T00:00:00.000Z"}


def test_a_document_has_every_part_of_a_topic_even_when_nothing_is_known() -> None:
    (topic,) = snapshot_of(TopicSight("t")).as_json()["topics"]

    assert topic["exists"] is None
    for part in ("partitions", "totals", "groups", "newest", "runs"):
        assert topic[part]["rows"] == ()
        assert topic[part]["as_of"] is None
    assert topic["quarantine"]["count"] is None
    assert topic["history"] == {"times": (), "rates": {}}


def test_who_has_the_history_gets_only_what_is_new() -> None:
    history = History((1.0, 2.0, 3.0), {"loaded": (None, 5.0, 6.0)})
    topic = TopicSight("t", history=history)

    whole = snapshot_of(topic).as_json()["topics"][0]["history"]
    newer = snapshot_of(topic).as_json(history_after=2.0)["topics"][0]["history"]
    nothing = snapshot_of(topic).as_json(history_after=3.0)["topics"][0]["history"]

    assert whole == {"times": (1.0, 2.0, 3.0), "rates": {"loaded": (None, 5.0, 6.0)}}
    assert newer == {"times": (3.0,), "rates": {"loaded": (6.0,)}}
    assert nothing == {"times": (), "rates": {"loaded": ()}}


def test_a_part_of_a_snapshot_is_of_the_same_moment() -> None:
    totals = TotalsSight((NameTotal("purchase", 3),), source="counter")
    whole = snapshot_of(TopicSight("one", totals=totals), TopicSight("two"))

    part = whole.of(frozenset({"one"}))

    assert [topic.name for topic in part.topics] == ["one"]
    assert part.topics[0].totals == totals
    assert (part.number, part.as_of, part.address) == (whole.number, whole.as_of, whole.address)
