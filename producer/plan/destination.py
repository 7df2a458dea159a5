"""The topic that a run goes to: what it takes, and whether it is the one that the run was begun on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.connection import KafkaSettings
from cluster.errors import Misconfigured, StreamproofError, TopicMissing, TopicRecreated
from cluster.reading import Watermarks
from cluster.topics import Admin, TopicInfo, describe, topic_configuration
from schemas.control_topic import read_control_topic
from schemas.manifest import Manifest, Terms, control_topic_of

Bounds = Mapping[int, Watermarks]


def describe_control(admin: Admin, topic: str) -> None:
    """Make sure that the topic of the manifests is there.

    :raises TopicMissing: it is not.
    """
    control = control_topic_of(topic)
    try:
        describe(admin, control)
    except TopicMissing as error:
        raise TopicMissing(
            f"topic {control}, where the manifests go, does not exist",
            where=error.where,
            hint=f"`streamproof topics apply --topic {topic}` makes both; "
            "runs whose manifests were in it cannot be continued",
        ) from None


@dataclass(frozen=True, slots=True)
class Takes:
    """How a topic takes records; ``None`` where nobody may ask: who may write need not be allowed to read it.

    :param largest_batch: its ``max.message.bytes``.
    :param keeps_times: records keep the time that the producer stamps them with.
    """

    largest_batch: int | None = None
    keeps_times: bool | None = None


def what_it_takes(admin: Admin, topic: str) -> Takes:
    """Return how the topic takes records."""
    try:
        found = topic_configuration(admin, topic)
    except StreamproofError:
        return Takes()
    limit, stamped = found.get("max.message.bytes"), found.get("message.timestamp.type")
    return Takes(int(limit) if limit else None, None if stamped is None else stamped == "CreateTime")


def refuse_other_topic(
    run_id: str, topic: TopicInfo, bounds: Bounds, earlier: Manifest | None, others: Sequence[Terms]
) -> None:
    """Refuse a run whose manifests tell of a former topic of the same name: a name alone does not tell.

    :param bounds: first offset and end of each partition of the topic as it is now.
    :param earlier: the newest manifest of the shard at hand.
    :param others: what the other shards of the run were begun with.
    :raises TopicRecreated: the topic's id is another one; or, by a manifest without an id, the topic holds less than
        was acknowledged.
    """
    said = [*([] if earlier is None else [earlier]), *others]
    for terms in said:
        if terms.topic_id is not None and terms.topic_id != topic.topic_id:
            raise _recreated(
                run_id, topic, f"its id is {topic.topic_id}, the manifest of shard {terms.shard} names {terms.topic_id}"
            )
    if earlier is not None and earlier.topic_id is None:
        impossible = _impossible(earlier, bounds)
        if impossible:
            raise _recreated(run_id, topic, impossible)


def _impossible(earlier: Manifest, bounds: Bounds) -> str:
    """Return why the topic cannot be the one that an older manifest tells of; empty if it may be.

    Ends of partitions never go back: neither retention nor compaction moves them.
    """
    for partition, start in sorted(earlier.start_offsets.items()):
        if partition not in bounds:
            return f"partition {partition} was there when the run began, and is not now"
        end = bounds[partition][1]
        if end < start:
            return f"partition {partition} ended at offset {start} when the run began, and ends at {end} now"
    written = sum(end - earlier.start_offsets.get(partition, 0) for partition, (_, end) in bounds.items())
    if written < earlier.acknowledged:
        return (
            f"shard {earlier.shard} says that {earlier.acknowledged:,} events were acknowledged, and only "
            f"{written:,} offsets were given since the run began"
        )
    return ""


def _recreated(run_id: str, topic: TopicInfo, why: str) -> TopicRecreated:
    return TopicRecreated(
        f"topic {topic.name} was deleted and made anew since run {run_id} was begun: {why}",
        where=f"topic {topic.name}; the run's manifests are in {control_topic_of(topic.name)}",
        hint="Nothing was sent. What the run delivered went with the former topic; begin a run with a new --run-id",
    )


def refuse_other_contract(kafka: KafkaSettings, announced: Manifest) -> None:
    """Refuse values without a frame beside those of another contract: nothing in a value would tell them apart.

    :raises Misconfigured: a run of the topic was begun with another contract.
    """
    if announced.contract is None:
        return
    own = json.loads(announced.contract)
    for (run_id, _), manifest in read_control_topic(kafka, announced.topic).manifests.items():
        if manifest.contract is not None and json.loads(manifest.contract) != own:
            raise Misconfigured(
                f"run {run_id} sent values without a frame of another contract to this topic, and a value does not say "
                "which one it follows",
                where=f"topic {announced.topic}",
                hint="Use another topic, or let the scenario have a format whose values name their schemas",
            )
