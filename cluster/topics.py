"""Topics as declared: create, describe, show differences, change only what is asked for.

Open :func:`apply_topics` first. What should exist is read by ``declarations.py``.
"""

from __future__ import annotations

import difflib
import time
from dataclasses import dataclass
from typing import Any, Literal

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs do not re-export them
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from cluster.admin import CALL_TIMEOUT_S, Admin, admin_client
from cluster.declarations import TopicSpec, load_topics, specs_for
from cluster.errors import BrokerUnreachable, Misconfigured, TopicConflict, TopicMissing
from cluster.kafka_errors import translate
from cluster.text.names import check_topic_name

__all__ = [
    "Admin",
    "TopicChange",
    "TopicDiff",
    "TopicInfo",
    "TopicResult",
    "TopicSpec",
    "admin_client",
    "apply_topics",
    "create_topics",
    "describe",
    "diff_topics",
    "load_topics",
    "specs_for",
    "topic_configuration",
    "topic_names",
    "wait_for_leaders",
]

_POLL_S = 0.1
_BROKERS_OWN = -1


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic as the cluster has it. ``topic_id`` changes when a topic is deleted and made again."""

    name: str
    topic_id: str
    cluster_id: str
    partitions: int
    replication_factor: int
    leaderless: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicChange:
    """One difference. ``remedy`` says what would remove it.

    ``alter``: ``apply --alter`` does. ``impossible``: Kafka cannot. ``none``: an override that nobody declared, left.
    """

    setting: str
    declared: str | None
    actual: str | None
    remedy: Literal["alter", "impossible", "none"]


@dataclass(frozen=True, slots=True)
class TopicDiff:
    """Declared against actual; ``info`` is ``None`` for a topic that does not exist."""

    spec: TopicSpec
    info: TopicInfo | None
    changes: tuple[TopicChange, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicResult:
    """What was done. ``differs``: it exists with other settings, and no change was asked for."""

    name: str
    action: Literal["created", "unchanged", "altered", "differs"]
    info: TopicInfo
    changes: tuple[TopicChange, ...] = ()


def apply_topics(
    admin: Admin, specs: list[TopicSpec], *, alter: bool = False, timeout_s: float = 30
) -> list[TopicResult]:
    """Make the topics exist as declared.

    1. compare: what is there, what is declared
    2. refuse: fewer partitions or another replication factor, before anything is changed
    3. create: what is missing, after a dry run of all of it
    4. alter: partitions and configuration, only if ``alter``
    5. wait: until every partition has a leader

    :raises TopicConflict: Kafka cannot do what is declared (only with ``alter`` for topics that no file names).
    :raises BrokerUnreachable: no answer, or a partition without a leader after ``timeout_s``.
    """
    # 1. compare
    diffs = diff_topics(admin, specs)
    # 2. refuse
    for diff in diffs:
        if alter or not diff.spec.by_template:
            _refuse_impossible(diff)
    # 3. create
    missing = [diff.spec for diff in diffs if diff.info is None]
    create_topics(admin, missing, validate_only=True)
    create_topics(admin, missing, validate_only=False)
    results = []
    for diff in diffs:
        # 4. alter
        wanted = [change for change in diff.changes if change.remedy == "alter"]
        if alter and wanted:
            _alter(admin, diff, wanted)
        # 5. wait
        least = diff.spec.partitions if diff.info is None or alter else diff.info.partitions
        info = wait_for_leaders(admin, diff.spec.name, partitions=least, timeout_s=timeout_s)
        results.append(TopicResult(diff.spec.name, _action(diff, altered=alter and bool(wanted)), info, diff.changes))
    return results


def diff_topics(admin: Admin, specs: list[TopicSpec]) -> list[TopicDiff]:
    """Compare each declared topic with the cluster's.

    :raises Misconfigured: a configuration key that the cluster does not know.
    """
    diffs = []
    for spec in specs:
        try:
            info = describe(admin, spec.name)
        except TopicMissing:
            diffs.append(TopicDiff(spec, None))
            continue
        diffs.append(TopicDiff(spec, info, (*_shape_changes(spec, info), *_config_changes(admin, spec))))
    return diffs


def describe(admin: Admin, topic: str, *, timeout_s: float = CALL_TIMEOUT_S) -> TopicInfo:
    """Return what the cluster knows about a topic.

    :raises Misconfigured: the name cannot be a topic's.
    :raises TopicMissing: there is no such topic.
    :raises BrokerUnreachable: no answer within ``timeout_s``.
    """
    check_topic_name(topic)
    names = TopicCollection([topic])
    doing = f"describing topic {topic}"
    asked = admin.describe_topics(names, request_timeout=timeout_s)[topic]
    try:
        found = admin.ask(asked, doing, timeout_s=timeout_s)
    except TopicMissing:
        raise TopicMissing(
            f"topic {topic} does not exist",
            where=admin.watch.servers,
            hint=f"Create it with `streamproof topics apply --topic {topic}`",
        ) from None
    cluster = admin.ask(
        admin.describe_cluster(request_timeout=timeout_s), "describing the cluster", timeout_s=timeout_s
    )
    leaderless = tuple(p.id for p in found.partitions if p.leader is None or p.leader.id < 0)
    return TopicInfo(
        name=topic,
        topic_id=str(found.topic_id),
        cluster_id=cluster.cluster_id,
        partitions=len(found.partitions),
        replication_factor=min((len(p.replicas) for p in found.partitions), default=0),
        leaderless=leaderless,
    )


def topic_names(admin: Admin, *, timeout_s: float = CALL_TIMEOUT_S) -> frozenset[str]:
    """Return the names of all topics that the rights allow to see.

    :raises BrokerUnreachable: no answer within ``timeout_s``.
    """
    try:
        return frozenset(admin.list_topics(timeout=timeout_s).topics)
    except KafkaException as error:
        admin.poll(0)  # the reason waits in the callbacks
        admin.watch.check("listing the topics")
        raise translate(error, "listing the topics", where=admin.watch.servers) from None


def wait_for_leaders(admin: Admin, topic: str, *, partitions: int = 1, timeout_s: float = 30) -> TopicInfo:
    """Wait until the topic has at least ``partitions`` partitions and each has a leader.

    :raises BrokerUnreachable: not within ``timeout_s``.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        lacking = "it does not show up"
        try:
            info = describe(admin, topic)
            if not info.leaderless and info.partitions >= partitions:
                return info
            lacking = f"partitions without a leader: {info.leaderless}" if info.leaderless else "partitions are missing"
        except TopicMissing:  # created a moment ago, and not yet known to the broker that was asked
            pass
        if time.monotonic() > deadline:
            raise BrokerUnreachable(
                f"topic {topic} is not ready after {timeout_s:g} s: {lacking}",
                where=admin.watch.servers,
                hint="Check that all brokers run",
            )
        admin.poll(_POLL_S)


def _shape_changes(spec: TopicSpec, info: TopicInfo) -> list[TopicChange]:
    changes = []
    if spec.partitions != info.partitions:
        remedy: Literal["alter", "impossible"] = "alter" if spec.partitions > info.partitions else "impossible"
        changes.append(TopicChange("partitions", str(spec.partitions), str(info.partitions), remedy))
    if spec.replication_factor not in {None, info.replication_factor}:
        declared, actual = str(spec.replication_factor), str(info.replication_factor)
        changes.append(TopicChange("replication_factor", declared, actual, "impossible"))
    return changes


def topic_configuration(admin: Admin, topic: str) -> dict[str, str | None]:
    """Return every setting of a topic that is in force, the broker's defaults included.

    :raises Refused: the rights do not allow it (``DescribeConfigs``).
    """
    return {name: entry.value for name, entry in _configuration(admin, topic).items()}


def _configuration(admin: Admin, topic: str) -> dict[str, Any]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    asked = admin.describe_configs([resource], request_timeout=CALL_TIMEOUT_S)[resource]
    found: dict[str, Any] = admin.ask(asked, f"reading the configuration of topic {topic}")
    return found


def _config_changes(admin: Admin, spec: TopicSpec) -> list[TopicChange]:
    actual = _configuration(admin, spec.name)
    changes = []
    for key, value in spec.config.items():
        if key not in actual:
            near = difflib.get_close_matches(key, actual, n=1)
            raise Misconfigured(
                f"Kafka knows no topic configuration {key}",
                where=f"topic {spec.name}",
                hint=f"Did you mean {near[0]}?" if near else "See Kafka's topic configuration reference",
            )
        if actual[key].value != value:
            changes.append(TopicChange(key, value, actual[key].value, "alter"))
    for key, entry in actual.items():
        if key not in spec.config and entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value:
            changes.append(TopicChange(key, None, entry.value, "none"))
    return changes


def _refuse_impossible(diff: TopicDiff) -> None:
    impossible = [change for change in diff.changes if change.remedy == "impossible"]
    if impossible:
        raise TopicConflict(
            f"topic {diff.spec.name} differs in what cannot be changed: "
            + ", ".join(f"{c.setting} {c.actual}, declared {c.declared}" for c in impossible),
            hint="Correct the declaration, or use another topic. Kafka never removes partitions; "
            "replicas are moved with kafka-reassign-partitions",
        )


def create_topics(admin: Admin, specs: list[TopicSpec], *, validate_only: bool) -> None:
    """Make topics, or, with ``validate_only``, ask whether they could be made. One that is there is as good."""
    if not specs:
        return
    topics = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=_BROKERS_OWN if spec.replication_factor is None else spec.replication_factor,
            config=spec.config,
        )
        for spec in specs
    ]
    asked = admin.create_topics(topics, request_timeout=CALL_TIMEOUT_S, validate_only=validate_only)
    for name, future in asked.items():
        admin.ask(
            future,
            f"creating topic {name}",
            where=f"topic {name}",
            accept=KafkaError.TOPIC_ALREADY_EXISTS,  # somebody else was faster: as good
        )


def _alter(admin: Admin, diff: TopicDiff, changes: list[TopicChange]) -> None:
    name = diff.spec.name
    if any(change.setting == "partitions" for change in changes):
        more = NewPartitions(name, diff.spec.partitions)
        asked = admin.create_partitions([more], request_timeout=CALL_TIMEOUT_S)[name]
        admin.ask(asked, f"adding partitions to topic {name}", where=f"topic {name}")
    entries = [
        ConfigEntry(change.setting, change.declared, incremental_operation=AlterConfigOpType.SET)
        for change in changes
        if change.setting != "partitions"
    ]
    if entries:
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        asked = admin.incremental_alter_configs([resource], request_timeout=CALL_TIMEOUT_S)[resource]
        admin.ask(asked, f"altering topic {name}", where=f"topic {name}")


def _action(diff: TopicDiff, *, altered: bool) -> Literal["created", "unchanged", "altered", "differs"]:
    if diff.info is None:
        return "created"
    if altered:
        return "altered"
    return "differs" if any(change.remedy != "none" for change in diff.changes) else "unchanged"
