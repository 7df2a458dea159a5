"""The shards of one command begin their schedule together."""

from __future__ import annotations

import multiprocessing
import threading
from dataclasses import dataclass

import pytest

from producer.worker import _GO, _follow
from producer.workers import _let_begin


@dataclass
class Shard:
    waiting: bool = False
    outcome: object = None
    begun: int = 0

    def go(self) -> None:
        self.waiting = False
        self.begun += 1


def test_nobody_begins_before_the_last_is_ready():
    shards = [Shard(waiting=True), Shard(), Shard(waiting=True)]
    assert not _let_begin(shards, began=False)
    assert [shard.begun for shard in shards] == [0, 0, 0]
    shards[1].waiting = True
    assert _let_begin(shards, began=False)
    assert [shard.begun for shard in shards] == [1, 1, 1]


def test_a_shard_that_ended_already_is_not_waited_for():
    shards = [Shard(waiting=True), Shard(outcome="finished before")]
    assert _let_begin(shards, began=False)
    assert [shard.begun for shard in shards] == [1, 0]


def test_a_shard_that_was_started_again_begins_at_once():
    shards = [Shard(), Shard(waiting=True)]
    assert _let_begin(shards, began=True)
    assert shards[1].begun == 1


@pytest.fixture
def followed():
    near, far = multiprocessing.Pipe()
    stop, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=_follow, args=(far, stop, go))
    thread.start()
    yield near, stop, go
    near.close()
    thread.join(timeout=5)
    far.close()
    assert not thread.is_alive()


def test_the_word_to_begin_is_not_the_word_to_stop(followed):
    pipe, stop, go = followed
    pipe.send(_GO)
    assert go.wait(5)
    assert not stop.is_set()
    pipe.send(None)
    assert stop.wait(5)


def test_a_parent_that_is_gone_means_stop(followed):
    pipe, stop, go = followed
    pipe.close()
    assert stop.wait(5)
    assert not go.is_set()
