"""Members of two groups are killed, frozen and replaced at random moments: each event is stored and counted once."""

from __future__ import annotations

import os
import random
import signal
import time
from multiprocessing.connection import wait

import pytest

from consumer.journey.events import Application
from consumer.journey.processes import Instance
from consumer.journey.request import GroupWork
from tests.integration.consumer.journey.conftest import Group, group, sent  # noqa: F401 - fixtures
from tests.kit.depth import DEEP, MEMBER_KILLS
from tests.kit.waiting import wait_until

SEED = 20_261_127
MEMBERS = 3
# Longer than a session: a frozen member has lost its partitions when it goes on.
FROZEN_S = 9.0

pytestmark = [
    pytest.mark.skipif(not DEEP, reason="twenty kills: make test-deep; test_groups.py has one of each in any case"),
    pytest.mark.timeout(1200),
]


class Members:
    """The processes of one group, each replaced when it is taken away."""

    def __init__(self, work: GroupWork) -> None:
        self._work = work
        self._number = 0
        self.living: list[Instance] = []
        for _ in range(MEMBERS):
            self.add()

    def add(self) -> None:
        """Start one more."""
        self._number += 1
        self.living.append(Instance(self._work, self._number, None))

    def take(self, chance: random.Random) -> Instance:
        """Take one out of those that are counted on."""
        return self.living.pop(chance.randrange(len(self.living)))


def listen(seconds: float, instances: list[Instance]) -> None:
    """Hear what the instances say for so long, as the command does."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        running = {each.pipe: each for each in instances if each.alive}
        for pipe in wait(list(running), timeout=min(left, 0.1)):
            running[pipe].listen()  # type: ignore[index]  # of what was passed in


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_kills_and_freezes_at_random_moments_neither_lose_nor_double_anything(
    group: Group,  # noqa: F811
    protocol: str,
) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    journey = group.with_(protocol=protocol)
    analytic = journey.with_(application=Application.ANALYTIC, group=f"{group.sent.topic}-analytic")
    groups = [Members(journey.work()), Members(analytic.work())]
    everybody = [each for members in groups for each in members.living]
    try:
        with group.sent.sending(30_000, every_s=0.02):
            for number in range(MEMBER_KILLS):
                listen(chance.uniform(0.2, 5.0), everybody)
                members = groups[number % len(groups)]
                victim = members.take(chance)
                assert victim.process.pid is not None
                members.add()
                everybody.append(members.living[-1])
                if number % 5 == 4:
                    os.kill(victim.process.pid, signal.SIGSTOP)
                    listen(FROZEN_S, [each for each in everybody if each is not victim])
                    os.kill(victim.process.pid, signal.SIGCONT)
                    listen(1.0, everybody)
                    victim.stop()
                else:
                    victim.kill()

        def all_there() -> bool:
            listen(0.2, everybody)
            return group.stored() >= len(group.sent.events) and analytic.totals() == group.sent.videos

        wait_until(all_there, "all events and totals", timeout_s=240)
        assert [each.error for each in everybody if each.error is not None] == []
    finally:
        for each in everybody:
            each.stop()
        for each in everybody:
            each.end()
    group.check_journeys()
