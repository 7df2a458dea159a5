"""A worker of `--shards` that is killed: started again once, and then the run has failed, said clearly."""

from __future__ import annotations

import multiprocessing
import threading

from structlog.testing import capture_logs

from cluster.errors import DependencyDown
from producer import ProduceRequest, Progress, produce_run
from producer.workers import RunResult
from tests.kit.kafka import sequences_in


class Killer:
    """Kills the worker of one shard, some times, each time when it has something acknowledged that is new."""

    def __init__(self, shard: int, times: int) -> None:
        self.name = f"shard-{shard}"
        self.shard = shard
        self.left = times
        self.killed: list[int | None] = []
        self.beyond = 1000

    def __call__(self, progress: Progress) -> None:
        if not self.left or progress.shard != self.shard or progress.acknowledged < self.beyond:
            return
        (worker,) = (each for each in multiprocessing.active_children() if each.name == self.name)
        if worker.pid in self.killed:
            return  # news from before it died
        worker.kill()
        self.killed.append(worker.pid)
        self.beyond = progress.acknowledged + 1000
        self.left -= 1


def run(connection, topic: str, events: int, progress: Killer) -> RunResult:
    request = ProduceRequest(topic=topic, run_id="workers", shards=2, events=events, rate=5_000)
    return produce_run(connection, request, shards=(0, 1), stop=threading.Event(), progress=progress)


def test_a_killed_worker_is_started_again_and_the_run_ends_whole(connection, ready_topic):
    killer = Killer(shard=1, times=1)
    with capture_logs() as logs:
        result = run(connection, ready_topic, 20_000, killer)
    assert killer.left == 0
    assert result.error is None
    assert [manifest.resumed for manifest in result.manifests] == [0, 1]
    assert result.document()["acknowledged"] == 20_000
    assert sequences_in(connection, ready_topic) == {0: list(range(10_000)), 1: list(range(10_000))}
    (said,) = (line for line in logs if "worker died" in line["event"])
    assert (said["shard"], said["how"], said["log_level"]) == (1, "it was killed by SIGKILL", "warning")


def test_a_worker_that_is_killed_twice_fails_the_run_clearly_and_stops_the_others(connection, ready_topic):
    killer = Killer(shard=0, times=2)
    # More than both could send before the second kill, however slow the machine is.
    result = run(connection, ready_topic, 10_000_000, killer)
    assert killer.left == 0
    assert isinstance(result.error, DependencyDown)
    assert "the process of shard 0 died twice" in result.error.message
    assert "SIGKILL" in result.error.message
    assert "--run-id workers" in result.error.hint
    assert multiprocessing.active_children() == []
    # The other one was stopped, settled, and said what it had sent.
    (other,) = result.manifests
    assert (other.shard, other.interrupted, other.unknown) == (1, True, [])
    found = sequences_in(connection, ready_topic)
    assert found[1] == list(range(other.acknowledged))
    acknowledged = killer.beyond - 1000  # when it was killed the second time
    assert len(found[0]) == len(set(found[0])) >= acknowledged


def test_a_finished_run_of_several_shards_started_again_sends_nothing(connection, ready_topic):
    request = ProduceRequest(topic=ready_topic, run_id="twice", shards=2, events=2000)
    first = produce_run(connection, request, shards=(0, 1), stop=threading.Event())
    again = produce_run(connection, request, shards=(0, 1), stop=threading.Event())
    assert first.manifests == again.manifests
    assert sum(map(len, sequences_in(connection, ready_topic).values())) == 2000
