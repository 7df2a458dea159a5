"""Waiting for whoever had a shard before: only where nobody can know that nothing of it is on its way."""

from __future__ import annotations

import threading

import pytest

from cluster.connection import KafkaSettings
from cluster.machine.identity import lease_clock, this_machine
from producer.fence.waiting import MARGIN_S, wait_for_predecessor
from schemas.leases import Lease

NOWHERE = KafkaSettings(bootstrap_servers="127.0.0.1:1")
HERE = Lease(run_id="r", shard=0, token="t", machine=this_machine(), name="n", pid=1, lease_s=10, settle_s=30, at="now")


def wait(before: Lease | None, *, taken_s_ago: float = 0.0) -> None:
    wait_for_predecessor(
        NOWHERE, "t", before, {0: 0}, name="n", taken_at=lease_clock() - taken_s_ago, stop=threading.Event()
    )


@pytest.mark.skipif("sys.platform != 'linux'", reason="only Linux has names that one live process holds")
def test_who_ran_on_this_machine_under_the_name_that_is_held_now_has_ended() -> None:
    wait(HERE)


def test_where_nobody_was_or_all_times_are_over_nothing_is_waited_for() -> None:
    wait(None)
    wait(HERE.model_copy(update={"machine": "elsewhere"}), taken_s_ago=10 + 30 + MARGIN_S)


@pytest.mark.parametrize("other", [{"machine": "elsewhere"}, {"name": "by other addresses of the brokers"}])
def test_any_other_is_waited_for(other: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(Exception):
        pass

    def follow(*_: object, **__: object) -> None:
        raise Asked

    monkeypatch.setattr("producer.fence.waiting.TopicFollower", follow)
    with pytest.raises(Asked):
        wait(HERE.model_copy(update=other))
