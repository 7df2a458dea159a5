"""The groups that read a topic, as a snapshot shows them: rates and the time to zero lag are worked out here."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from cluster.errors import StreamproofError
from cluster.groups.sight import GroupSeen, TopicGroups, look_at_groups
from cluster.reading import Watermarks
from consumer.live.offsets import Client, Marks
from consumer.live.rates import Rate
from consumer.live.snapshot import GroupSight, MemberSight, PartitionLag

_ANSWER_S = 3.0


class GroupsQuestion:
    """Looks at the groups of each topic."""

    def __init__(self, client: Client, marks: Marks) -> None:
        self._client = client
        self._marks = marks
        self._rates: dict[str, GroupRates] = {}

    def ask(self, topic: str) -> tuple[GroupSight, ...]:
        """Return the groups, by name.

        :raises StreamproofError: Kafka does not answer, or does not allow it.
        """
        partitions = len(self._marks(topic))
        try:
            seen = look_at_groups(self._client.get(), topic, partitions, timeout_s=_ANSWER_S)
        except StreamproofError as error:
            self._client.heed(error)
            raise
        return self._rates.setdefault(topic, GroupRates()).sights(seen, time.monotonic())

    def keep(self, topics: Collection[str]) -> None:
        """Forget other topics."""
        self._rates = {topic: rates for topic, rates in self._rates.items() if topic in topics}


class GroupRates:
    """The rates of the groups of one topic, from one look to the next."""

    def __init__(self) -> None:
        self._inward = Rate()
        self._outward: dict[str, Rate] = {}

    def sights(self, seen: TopicGroups, at_s: float) -> tuple[GroupSight, ...]:
        """Return the groups of one look.

        :param at_s: when it was, seconds of a monotonic clock.
        """
        known = {partition: marks for partition, marks in seen.watermarks.items() if marks is not None}
        self._inward.see(
            at_s, sum(marks.high for marks in known.values()) if len(known) == len(seen.watermarks) else None
        )
        self._outward = {group.group: self._outward.get(group.group, Rate()) for group in seen.groups}
        return tuple(self._sight(group, known, at_s) for group in seen.groups)

    def _sight(self, group: GroupSeen, ends: Mapping[int, Watermarks], at_s: float) -> GroupSight:
        rate = self._outward[group.group]
        rate.see(at_s, None if group.committed is None else sum(group.committed.values()))
        return GroupSight(
            name=group.group,
            type=group.protocol or "unknown",
            state=group.state or "unknown",
            members=tuple(
                MemberSight(each.member_id, each.client_id, each.host, each.owned, each.target, each.idle)
                for each in group.members or ()
            ),
            lags=tuple(
                PartitionLag(partition, (group.committed or {}).get(partition), marks.high, group.lags.get(partition))
                for partition, marks in sorted(ends.items())
            ),
            lag=group.lag,
            rate=rate.value,
            zero_lag_s=zero_lag_s(group.lag, self._inward.value, rate.value),
            unknown=_unknown(group),
        )


def zero_lag_s(lag: int | None, inward: float | None, outward: float | None) -> float | None:
    """Return in how many seconds a lag is gone if both rates stay; ``None`` where it does not shrink, or is unknown."""
    if lag == 0:
        return 0.0
    if lag is None or inward is None or outward is None or outward <= inward:
        return None
    return round(lag / (outward - inward), 1)


def _unknown(group: GroupSeen) -> str:
    lacking = [
        name
        for name, value in (("members", group.members), ("state", group.state), ("positions", group.committed))
        if value is None
    ]
    return f"{' and '.join(lacking)} could not be found out" if lacking else ""
