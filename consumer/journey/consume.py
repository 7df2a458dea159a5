"""A group of instances from one command: started, watched, and stopped together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait

import structlog

from cluster.connection import Connection
from cluster.errors import DependencyDown, Interrupted, StreamproofError
from cluster.groups.membership import CLASSIC_HANDOVER_S
from cluster.groups.sight import handover_s
from cluster.reading import watermarks
from cluster.topics import admin_client, describe
from consumer.journey.processes import STOP_GRACE_S, Instance
from consumer.journey.request import ConsumeRequest, ConsumeResult, GroupProgress, GroupWork, InstanceView
from consumer.journey.store import Subscription
from consumer.journey.watching import GroupSight, Watch

log = structlog.get_logger()

_LOOK_S = 0.1


def consume(
    connection: Connection,
    request: ConsumeRequest,
    *,
    stop: threading.Event,
    closing: threading.Event | None = None,
    progress: Callable[[GroupProgress], None] | None = None,
    at_start: Callable[[], None] | None = None,
) -> ConsumeResult:
    """Run the instances of a group until their time is over, the topic is stored to its end, or a stop.

    1. look: the topic, where it ends now, and how long a hand-over takes here
    2. prepare: the store's tables, and what the group keeps
    3. start: each instance in a process of its own
    4. watch: an instance that dies leaves its partitions to the others; one that fails ends all
    5. stop: each stores what it has in its hands, and leaves the group
    6. settle: what the store holds, and what is left

    :param closing: once it is set, the end that the topic has then is where to end.
    :param progress: called with how the group is doing, several times a second.
    :param at_start: called in each new process, such as to set up its logs; importable by name.
    :raises Interrupted: a stop came before the time was over, or before the end was reached.
    :raises StreamproofError: docs/journeys.md lists each kind.
    """
    # 1. look
    admin = admin_client(connection.kafka)
    topic = describe(admin, request.topic)
    there = watermarks(admin, topic.name, range(topic.partitions))
    handover = CLASSIC_HANDOVER_S if request.protocol == "classic" else handover_s(admin, request.group)
    # 2. prepare
    work = GroupWork(connection, request, Subscription(request.application, request.group, request.fields, topic))
    request.store.prepare(work.subscription, recreated=request.recreated)
    ends = {partition: marks.high for partition, marks in there.items() if marks.high > marks.low}
    if request.from_end:
        _begin_at(work, ends)
    # 3. start
    began = time.monotonic()
    numbers = range(1, request.instances + 1)
    instances = [Instance(work, number, at_start) for number in numbers]
    sight = GroupSight(work)
    watch = Watch(work, instances, sight, began)
    try:
        # 4. watch
        goal = ends if request.until_end else None
        while not (over := _over(request, instances, sight, goal, began)) and not stop.is_set():
            _listen(instances)
            if goal is None and closing is not None and closing.is_set():
                goal = _ends(work)
            if request.kill_after_s is not None and time.monotonic() - began >= request.kill_after_s:
                _kill_first(instances)
            if progress is not None:
                progress(watch.progress())
        # 5. stop
        before = watch.views()
        _stop(instances)
    finally:
        sight.end()
        for instance in instances:
            instance.end(grace_s=0.0 if instance.alive else STOP_GRACE_S)
    # 6. settle
    error = _failure(instances) or sight.failure
    if error is not None:
        raise error
    result = _settle(work, watch.final(before), handover, time.monotonic() - began)
    if not over:
        stopped = Interrupted(
            f"stopped; {result.events:,} events of this run are stored",
            where=f"{request.topic}, group {request.group}, {request.store.shown}",
            hint="The same command goes on where it was",
        )
        stopped.details = result.document()
        raise stopped
    return result


def begin_at_end(connection: Connection, request: ConsumeRequest) -> None:
    """Note that a group begins where the topic ends now, unless it has begun; instances may start later.

    :raises StreamproofError: as :func:`consume`.
    """
    topic = describe(admin_client(connection.kafka), request.topic)
    work = GroupWork(connection, request, Subscription(request.application, request.group, request.fields, topic))
    request.store.prepare(work.subscription, recreated=request.recreated)
    _begin_at(work, _ends(work))


def _ends(work: GroupWork) -> dict[int, int]:
    """Return where the partitions end that hold anything."""
    topic = work.subscription.topic
    there = watermarks(admin_client(work.connection.kafka), topic.name, range(topic.partitions))
    return {partition: marks.high for partition, marks in there.items() if marks.high > marks.low}


def _begin_at(work: GroupWork, positions: Mapping[int, int]) -> None:
    with work.request.store.open(work.subscription) as store:
        store.begin(positions)


def _over(
    request: ConsumeRequest, instances: list[Instance], sight: GroupSight, goal: Mapping[int, int] | None, began: float
) -> bool:
    """Tell whether there is nothing left to do: time, end, or nobody and nothing to do it with."""
    if sight.failure is not None or not any(each.alive for each in instances):
        return True
    if any(each.error is not None for each in instances):
        return True
    if request.seconds is not None and time.monotonic() - began >= request.seconds:
        return True
    if goal is None:
        return False
    stored: dict[int, int] = {}
    for each in instances:
        for partition, at in each.state.positions.items():
            stored[partition] = max(at, stored.get(partition, 0))
    return all(stored.get(partition, -1) >= end for partition, end in goal.items())


def _listen(instances: list[Instance]) -> None:
    """Take what the instances say, waiting a moment for it."""
    running = {each.pipe: each for each in instances if each.alive}
    for pipe in wait(list(running), timeout=_LOOK_S):
        instance = running[pipe]  # type: ignore[index]  # of what was passed in
        instance.listen()
        if instance.died is not None:
            log.warning(
                "an instance died; its partitions go to the others",
                instance=instance.state.instance,
                how=instance.died,
                partitions=list(instance.state.owned),
            )


def _kill_first(instances: list[Instance]) -> None:
    """Kill an instance that has partitions; once, and as long as there are others."""
    living = [each for each in instances if each.alive]
    if len(living) == len(instances):
        owners = [each for each in living if each.state.owned]
        if owners:
            log.warning("killing an instance, as it was asked for", instance=owners[0].state.instance)
            owners[0].kill()
            owners[0].process.join(timeout=STOP_GRACE_S)


def _stop(instances: list[Instance]) -> None:
    """Ask all to stop, and hear what they say until they have ended, or their time is over."""
    for each in instances:
        if each.alive:
            each.stop()
    until = time.monotonic() + STOP_GRACE_S
    while any(each.alive for each in instances) and time.monotonic() < until:
        _listen(instances)


def _failure(instances: list[Instance]) -> StreamproofError | None:
    """Return why the group could not go on."""
    for each in instances:
        if each.error is not None:
            return each.error
    if all(each.died is not None for each in instances):
        return DependencyDown(
            f"all instances died; the last one: {instances[-1].died}",
            where=", ".join(each.process.name for each in instances[:5]),
            hint="The same command goes on where it was",
        )
    return None


def _settle(work: GroupWork, views: tuple[InstanceView, ...], handover: float | None, seconds: float) -> ConsumeResult:
    request, subscription = work.request, work.subscription
    with request.store.open(subscription) as store:
        kept = store.kept()
    try:
        there = watermarks(admin_client(work.connection.kafka), request.topic, range(subscription.topic.partitions))
        left: int | None = sum(max(0, marks.high - kept.positions.get(p, marks.low)) for p, marks in there.items())
    except DependencyDown:
        left = None
    counts = {"events": kept.events, "aside": kept.aside, "tombstones": kept.tombstones, "expired": kept.expired}
    return ConsumeResult(
        request.application,
        request.group,
        request.topic,
        request.store.shown,
        request.protocol,
        handover,
        views,
        left,
        counts,
        seconds,
    )
