"""Which consumer groups read a topic: their members, what each owns and is to own, and how far behind the group is.

Open :func:`look_at_groups` first. Whatever could not be found out is ``None``, and never a zero: a broker that does
not answer in time, a right that is missing, a setting that only the member itself knows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from confluent_kafka import OFFSET_INVALID, IsolationLevel, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs do not re-export them
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from cluster.admin import COORDINATOR_S, Admin
from cluster.committed import MOST_CLIENTS
from cluster.errors import StreamproofError
from cluster.kafka_errors import translate
from cluster.reading import Watermarks

Protocol = Literal["classic", "consumer"]

TIMEOUT_S = 3.0
# librdkafka knows the states of the classic protocol alone: those between of the newer one are UNKNOWN to it.
_STATES = {
    "STABLE": "stable",
    "EMPTY": "empty",
    "DEAD": "gone",
    "PREPARING_REBALANCING": "rebalancing",
    "COMPLETING_REBALANCING": "rebalancing",
}
_PROTOCOLS: dict[str, Protocol] = {"CONSUMER": "consumer", "CLASSIC": "classic"}
# From the death of a member to its partitions at work again: the group waits for the session, computes who gets what,
# and a member hears of it with its next heartbeat. The last two have defaults where a broker does not name them.
_SESSION = "consumer.session.timeout.ms"
_AND_THEN = ("consumer.assignment.interval.ms", "consumer.heartbeat.interval.ms")


@dataclass(frozen=True, slots=True)
class MemberSeen:
    """A member of a group.

    :ivar host: its address, as the broker sees it.
    :ivar owned: partitions of the topic that it has.
    :ivar target: those that it is to have; ``None`` in a classic group, where nobody knows them before they are owned.
    :ivar idle: it has no partition, of any topic, and is to get none.
    """

    member_id: str
    client_id: str
    host: str
    instance_id: str | None
    owned: tuple[int, ...]
    target: tuple[int, ...] | None
    idle: bool

    @property
    def moving(self) -> bool:
        """Tell whether it is to have other partitions than it has."""
        return self.target is not None and self.target != self.owned


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """A group that reads the topic.

    :ivar protocol: ``consumer`` is Kafka's newer one (KIP-848).
    :ivar state: ``stable``, ``empty``, ``rebalancing`` or ``gone``.
    :ivar members: in the order of their client ids.
    :ivar committed: the next offset of each partition of the topic that the group has told, markers not included.
    :ivar lags: how many offsets lie between that and the end, for each partition of the topic.
    :ivar handover_s: how long a partition waits at most, about, when its member dies without a word. A classic member
        brings its own timeout, which the broker does not tell.
    """

    group: str
    protocol: Protocol | None
    state: str | None
    assignor: str | None
    members: tuple[MemberSeen, ...] | None
    committed: Mapping[int, int] | None
    lags: Mapping[int, int | None]
    handover_s: float | None

    @property
    def lag(self) -> int | None:
        """Return the lag over all partitions; ``None`` if that of one is not known."""
        known = [lag for lag in self.lags.values() if lag is not None]
        return sum(known) if self.lags and len(known) == len(self.lags) else None

    @property
    def idle(self) -> int | None:
        """Return how many members have nothing to do."""
        return None if self.members is None else sum(member.idle for member in self.members)

    def document(self) -> dict[str, Any]:
        """Return the group as a JSON-ready mapping."""
        return asdict(self) | {"lag": self.lag, "idle": self.idle}


@dataclass(frozen=True, slots=True)
class TopicGroups:
    """The groups that read a topic, by name, and where its partitions begin and end."""

    topic: str
    watermarks: Mapping[int, Watermarks | None]
    groups: tuple[GroupSeen, ...]


def look_at_groups(
    admin: Admin,
    topic: str,
    partitions: int,
    *,
    only: Collection[str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> TopicGroups:
    """Look at the groups that have a member with partitions of ``topic``, or have committed an offset in it.

    1. name: which groups there are, unless they are told
    2. ask: their members and the ends of the topic at once, then the offsets of those that may read it
    3. put together what came

    A group without members is seen if the name of the topic is in its own, as its offsets in the topic are asked for by
    a client for each group (``cluster/committed.py``). The offsets of 32 groups at most are, by name; those of others
    are unknown. One look takes as many requests as there are groups, and a few; a second is a good interval.

    :param partitions: how many the topic has.
    :param only: look at these alone, and at each of them, whether or not it reads the topic now.
    :param timeout_s: how long each answer may take.
    :raises BrokerUnreachable: no broker answers.
    :raises Refused: the rights do not allow to list groups (``Describe`` on the cluster or on each group).
    """
    # 1. name
    names = sorted(only) if only is not None else _listed(admin, timeout_s)
    # 2. ask
    numbers = range(partitions)
    ends = _Ends(admin, topic, numbers, timeout_s)
    described = admin.describe_consumer_groups(names, request_timeout=COORDINATOR_S) if names else {}
    ask = _Ask(admin, timeout_s)
    told_of = {name: ask.maybe(described[name], f"looking at group {name}") for name in names}
    near = [name for name in names if only is not None or topic in name or _reads(told_of[name], topic)]
    committed = admin.committed.of_all(near[:MOST_CLIENTS], topic, numbers, timeout_s=timeout_s)
    watermarks = ends.known(ask)
    # 3. put together
    found = []
    for name in near:
        group = _group(name, topic, told_of[name], committed.get(name), watermarks)
        if only is not None or group.committed or any(member.owned or member.target for member in group.members or ()):
            found.append(group)
    handovers = _handovers(admin, [group.group for group in found if group.protocol == "consumer"], ask)
    groups = tuple(replace(group, handover_s=handovers.get(group.group)) for group in found)
    return TopicGroups(topic, watermarks, groups)


def handover_s(admin: Admin, group: str, *, timeout_s: float = TIMEOUT_S) -> float | None:
    """Return how long a partition of a group by the newer protocol waits at most, about, when its member dies.

    ``None`` where the broker does not tell: it is older, does not answer, or does not allow it.
    """
    return _handovers(admin, [group], _Ask(admin, timeout_s)).get(group)


class _Ask:
    """Waits for answers, and takes one that does not come for unknown."""

    def __init__(self, admin: Admin, timeout_s: float) -> None:
        self._admin = admin
        self.timeout_s = timeout_s

    def maybe(self, answer: Future[Any], doing: str) -> Any:
        """Return an answer, or ``None``."""
        try:
            return self._admin.ask(answer, doing, timeout_s=self.timeout_s)
        except StreamproofError:
            return None


class _Ends:
    """Where the partitions begin and end, asked for at once and waited for later."""

    def __init__(self, admin: Admin, topic: str, partitions: range, timeout_s: float) -> None:
        places = [TopicPartition(topic, partition) for partition in partitions]
        self._partitions = partitions
        self._asked = [
            admin.list_offsets(
                dict.fromkeys(places, spec),
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=timeout_s,
            )
            if places
            else {}
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]
        ]

    def known(self, ask: _Ask) -> dict[int, Watermarks | None]:
        low, high = (
            {place.partition: ask.maybe(answer, "reading the watermarks") for place, answer in asked.items()}
            for asked in self._asked
        )
        return {
            p: Watermarks(int(low[p].offset), int(high[p].offset)) if _told(low[p]) and _told(high[p]) else None
            for p in self._partitions
        }


def _told(answer: Any) -> bool:
    """Tell whether an answer holds an offset: the client gives one without, and no error, when nobody answers."""
    return answer is not None and int(answer.offset) != OFFSET_INVALID


def _listed(admin: Admin, timeout_s: float) -> list[str]:
    """Return the names of all groups of consumers that a broker coordinates which answers."""
    doing = "listing the groups"
    listed = admin.ask(admin.list_consumer_groups(request_timeout=timeout_s), doing, timeout_s=timeout_s)
    if listed.errors and not listed.valid:
        raise translate(listed.errors[0], doing, where=admin.watch.servers)
    return sorted(group.group_id for group in listed.valid)


def _group(
    name: str, topic: str, told: Any, committed: dict[int, int] | None, ends: Mapping[int, Watermarks | None]
) -> GroupSeen:
    lags = {partition: _lag(partition, committed, marks) for partition, marks in ends.items()}
    if told is None:
        return GroupSeen(name, None, None, None, None, committed, lags, None)
    members = tuple(sorted((_member(each, topic) for each in told.members), key=lambda m: (m.client_id, m.member_id)))
    protocol = _PROTOCOLS.get(told.type.name)
    state = _STATES.get(told.state.name)
    if state is None and protocol == "consumer" and members:
        state = "rebalancing"
    return GroupSeen(name, protocol, state, told.partition_assignor or None, members, committed, lags, None)


def _reads(told: Any, topic: str) -> bool:
    """Tell whether a member of a group has, or is to have, partitions of a topic."""
    members = () if told is None else told.members
    return any(_member(each, topic).owned or _member(each, topic).target for each in members)


def _member(told: Any, topic: str) -> MemberSeen:
    owned = told.assignment.topic_partitions
    target = None if told.target_assignment is None else told.target_assignment.topic_partitions
    return MemberSeen(
        member_id=told.member_id,
        client_id=told.client_id,
        host=told.host.lstrip("/"),
        instance_id=told.group_instance_id or None,
        owned=_of_topic(owned, topic),
        target=None if target is None else _of_topic(target, topic),
        idle=not owned and not target,
    )


def _of_topic(places: list[TopicPartition], topic: str) -> tuple[int, ...]:
    return tuple(sorted(place.partition for place in places if place.topic == topic))


def _lag(partition: int, committed: Mapping[int, int] | None, ends: Watermarks | None) -> int | None:
    """Return how many offsets are left: none in a partition that holds nothing, though nothing is committed."""
    if committed is None or ends is None:
        return None
    if partition in committed:
        return max(0, ends.high - max(committed[partition], ends.low))
    return 0 if ends.low == ends.high else None


def _handovers(admin: Admin, names: list[str], ask: _Ask) -> dict[str, float]:
    """Return the longest hand-over of each group whose settings the broker tells, seconds."""
    resources = [ConfigResource(ResourceType.GROUP, name) for name in names]
    asked = admin.describe_configs(resources, request_timeout=ask.timeout_s) if resources else {}
    found = {}
    for resource, answer in asked.items():
        settings = ask.maybe(answer, f"reading the timeouts of group {resource.name}") or {}
        if _SESSION in settings:
            parts = [settings[name].value for name in (_SESSION, *_AND_THEN) if name in settings]
            found[resource.name] = sum(map(int, parts)) / 1000
    return found
