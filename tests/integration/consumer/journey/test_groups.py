"""Groups under load: instances come, go, die and come back from the dead; each event is stored once, in order."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from cluster.errors import Interrupted
from consumer.journey.consume import consume
from consumer.journey.events import Application
from consumer.journey.request import GroupProgress
from tests.integration.consumer.journey.conftest import PARTITIONS, Group
from tests.kit.waiting import wait_until


def all_owned(*members) -> bool:
    """Tell whether the members have all partitions between them, each something."""
    owned = sorted(partition for member in members for partition in member.owned)
    return owned == list(range(PARTITIONS)) and all(member.owned for member in members)


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_one_then_three_then_two_instances_store_each_event_once_and_in_order(group: Group, protocol: str):
    group = group.with_(protocol=protocol)
    with group.member(1) as first, group.member(2, begun=False) as second, group.member(3, begun=False) as third:
        with group.sent.sending(1500):
            wait_until(lambda: all_owned(first), "the first to have all", timeout_s=60)
            second.begin()
            third.begin()
            wait_until(lambda: all_owned(first, second, third), "three to share", timeout_s=60)
            first.leave()
            wait_until(lambda: all_owned(second, third), "two to share", timeout_s=60)
        group.wait_for_all()
    group.check_journeys()


def test_both_groups_see_everything_at_once(group: Group):
    analytic = group.with_(application=Application.ANALYTIC, group=f"{group.sent.topic}-analytic")
    group.sent.send(600)
    with group.member(1), group.member(2), analytic.member(1), analytic.member(2):
        group.sent.send(300)
        group.wait_for_all()
        wait_until(lambda: analytic.totals() == group.sent.videos, "all totals", timeout_s=60)
    group.check_journeys()


def test_a_fourth_instance_is_idle_and_takes_over_when_another_is_killed(group: Group):
    """Four processes for three partitions; one that has partitions is killed while events come."""
    group = group.with_(instances=4, seconds=600)
    group.sent.send(300)
    idle: list[int] = []
    stop, killed = threading.Event(), threading.Event()
    sender = ExitStack()

    def look(progress: GroupProgress) -> None:
        alive = [each for each in progress.instances if each.alive]
        owned = sorted(partition for each in alive for partition in each.state.owned)
        idle_now = [each.state.instance for each in alive if each.idle]
        if not killed.is_set() and owned == list(range(PARTITIONS)) and len(idle_now) == 1:
            idle.extend(idle_now)
            sender.enter_context(group.sent.sending(600))
            victim = next(each for each in alive if each.state.owned)
            os.kill(int(victim.state.client_id.rpartition("-")[2]), signal.SIGKILL)
            killed.set()
        elif killed.is_set() and len(alive) == PARTITIONS and owned == list(range(PARTITIONS)) and not idle_now:
            sender.close()
            if group.stored() >= len(group.sent.events):
                stop.set()

    with sender, pytest.raises(Interrupted) as stopped:
        consume(group.sent.connection, group.request, stop=stop, progress=look)
    told: dict[str, Any] = stopped.value.details
    assert len(idle) == 1
    assert [each["died"] for each in told["instances"] if each["died"]] == ["it was killed by SIGKILL"]
    assert told["handover_s"] == 5.5
    assert next(each for each in told["instances"] if each["instance"] == idle[0])["processed"] > 0
    group.check_journeys()


def test_an_instance_that_comes_back_from_the_dead_harms_nothing(group: Group):
    """A process is frozen until the other one has its partitions, and then goes on with what it had fetched."""
    group = group.with_(instances=2, protocol="classic", seconds=600, batch_rows=20)
    stop, thawed = threading.Event(), threading.Event()
    frozen: list[int] = []
    sender = ExitStack()

    def look(progress: GroupProgress) -> None:
        first, second = progress.instances
        if not frozen and first.state.owned and second.state.owned and group.stored():
            frozen.append(int(first.state.client_id.rpartition("-")[2]))
            os.kill(frozen[0], signal.SIGSTOP)
        elif frozen and not thawed.is_set() and len(second.state.owned) == PARTITIONS:
            os.kill(frozen[0], signal.SIGCONT)
            thawed.set()
        elif thawed.is_set() and first.state.owned and len(first.state.owned) < PARTITIONS:
            sender.close()
            if group.stored() >= len(group.sent.events):
                stop.set()

    sender.enter_context(group.sent.sending(2000, every_s=0.02))
    try:
        with pytest.raises(Interrupted):
            consume(group.sent.connection, group.request, stop=stop, progress=look)
    finally:
        sender.close()
    assert thawed.is_set()
    group.check_journeys()
