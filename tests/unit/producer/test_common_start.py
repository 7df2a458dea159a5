"""The shards of one command begin their schedule together, and at their own times by one clock."""

from __future__ import annotations

import math
import multiprocessing
import queue
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from producer.send.pacing import Ready
from producer.worker import Go, _follow
from producer.workers import CommonStart


@dataclass
class Shard:
    waiting: bool = False
    outcome: object = None
    begun: list[float | None] = field(default_factory=list)
    ready: Ready | None = None
    own_times: bool = False

    @property
    def plan(self):
        return SimpleNamespace(own_times=self.own_times)

    def go(self, begin_s: float | None = None) -> None:
        self.waiting = False
        self.begun.append(begin_s)


def at(next_s: float, *, landed: bool = True) -> Any:
    return Shard(waiting=True, ready=Ready(next_s if landed else 0.0, next_s, landed), own_times=True)


def test_nobody_begins_before_the_last_is_ready():
    shards = [Shard(waiting=True), Shard(), Shard(waiting=True)]
    start = CommonStart()
    start.let_begin(shards)
    assert [shard.begun for shard in shards] == [[], [], []]
    shards[1].waiting = True
    start.let_begin(shards)
    assert [shard.begun for shard in shards] == [[None], [None], [None]]


def test_a_shard_that_ended_already_is_not_waited_for():
    shards = [Shard(waiting=True), Shard(outcome="finished before")]
    CommonStart().let_begin(shards)
    assert [shard.begun for shard in shards] == [[None], []]


def test_a_shard_that_was_started_again_begins_at_once():
    shards: list[Any] = [Shard(waiting=True), Shard(waiting=True)]
    start = CommonStart()
    start.let_begin(shards[:1])
    start.let_begin(shards)
    assert shards[1].begun == [None]


def test_one_clock_begins_at_the_start_of_all_although_the_first_event_of_one_is_later():
    shards = [at(0.0, landed=False), at(3.5, landed=False)]
    CommonStart().let_begin(shards)
    assert [shard.begun for shard in shards] == [[0.0], [0.0]]


def test_one_clock_goes_on_with_the_first_of_the_next_events_and_who_dies_joins_it():
    now = [100.0]
    shards = [at(12.5), at(90.0), at(11.0, landed=False), at(math.inf)]
    start = CommonStart(lambda: now[0])
    start.let_begin(shards)
    assert [shard.begun for shard in shards] == [[11.0]] * 4
    now[0] += 30
    shards[0].waiting = True
    start.let_begin(shards)
    assert shards[0].begun == [11.0, 41.0]


@pytest.fixture
def followed():
    near, far = multiprocessing.Pipe()
    stop: threading.Event = threading.Event()
    go: queue.SimpleQueue[Go] = queue.SimpleQueue()
    thread = threading.Thread(target=_follow, args=(far, stop, go))
    thread.start()
    yield near, stop, go
    near.close()
    thread.join(timeout=5)
    far.close()
    assert not thread.is_alive()


def test_the_word_to_begin_is_not_the_word_to_stop(followed):
    pipe, stop, go = followed
    pipe.send(Go(3.0))
    assert go.get(timeout=5).begin_s == 3.0
    assert not stop.is_set()
    pipe.send(None)
    assert stop.wait(5)


def test_a_parent_that_is_gone_means_stop(followed):
    pipe, stop, go = followed
    pipe.close()
    assert stop.wait(5)
    assert go.empty()
