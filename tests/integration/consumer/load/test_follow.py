"""Following a topic: what is there and what comes, each record once, for as long as one wants."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]  # its stubs do not re-export it

from cluster.errors import Misconfigured, TopicRecreated
from cluster.topics import admin_client, wait_for_leaders
from consumer.load.follow import follow
from consumer.load.follow_progress import FollowProgress, FollowResult
from tests.kit.commands import command_line, streamproof
from tests.kit.depth import FOLLOWER_KILLS
from tests.kit.seconds import within
from tests.kit.topics import delete_topic, make_ready
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.faults


class Following:
    """A loader that follows the topic of a rig, in a thread of this process."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.progress = FollowProgress()
        self.ended: Future[FollowResult] = Future()

    def told(self, progress: FollowProgress) -> None:
        """Take what it says of itself."""
        self.progress = progress

    def wait_for_rows(self, rows: int) -> None:
        """Wait until so many are durable; what ended it is the failure."""

        def there() -> bool:
            if self.ended.done():
                self.ended.result()
            return self.progress.stored.rows == rows

        wait_until(there, f"{rows} rows", timeout_s=60)

    def end(self) -> FollowResult:
        """Stop it, and return what it loaded."""
        self.stop.set()
        return self.ended.result(30)


@contextmanager
def followed(rig: Any, **options: Any) -> Iterator[Following]:
    """Follow the topic of a rig."""
    following = Following(threading.Event())
    with ThreadPoolExecutor(1) as pool:
        following.ended = pool.submit(
            follow,
            rig.connection,
            rig.topic,
            rig.place,
            stop=following.stop,
            progress=following.told,
            **{"commit_s": 0.1, **options},
        )
        try:
            yield following
        finally:
            following.stop.set()


def test_what_is_there_and_what_comes_is_stored_once_and_a_stop_ends_it(each_rig: Any) -> None:
    each_rig.create(partitions=2)
    each_rig.produce(each_rig.values(range(500)))
    with followed(each_rig) as following:
        following.wait_for_rows(500)
        assert following.progress.delays is None  # they were there before
        for n in range(5):
            each_rig.produce(each_rig.values(range(500 + n * 20, 520 + n * 20)), partition=n % 2)
            following.wait_for_rows(520 + n * 20)
        wait_until(lambda: following.progress.lag == 0, "no lag")
        result = following.end()
    assert (result.progress.stored.rows, dict(result.positions)) == (600, {0: 560, 1: 40})
    assert result.progress.batches >= 6
    assert result.progress.delays is not None
    assert 0 <= result.progress.delays.p50 <= result.progress.delays.p99 <= result.progress.delays.max
    each_rig.prove()
    assert each_rig.load().rows == 0


def test_the_group_is_told_of_the_last_commit_while_the_topic_is_followed(rig: Any) -> None:
    rig.create(partitions=1)
    group = Consumer(rig.connection.kafka.as_librdkafka(group_id=f"streamproof-load-{rig.topic}"))

    def committed() -> int:
        (place,) = group.committed([TopicPartition(rig.topic, 0)], 10)
        return int(place.offset)

    with followed(rig, commit_s=0.05) as following:
        for n in range(1, 6):  # the last comes too soon after the one before
            rig.produce(rig.values([n]))
            following.wait_for_rows(n)
        wait_until(lambda: committed() == 5, "the position of the group")
        assert not following.ended.done()
        following.end()
    group.close()


def test_kills_at_random_moments_lose_nothing_and_double_nothing(each_rig: Any) -> None:
    moments = random.Random(20_261_127)
    each_rig.create(partitions=3)
    produced = 0
    for _ in range(FOLLOWER_KILLS):
        follower = subprocess.Popen(
            each_rig.command("--follow", "--commit-every", "50ms"), stderr=subprocess.PIPE, text=True
        )
        each_rig.wait_until_at_work(follower)
        ends = time.monotonic() + moments.uniform(0.1, 1.0)
        while time.monotonic() < ends:
            values = each_rig.values(range(produced, produced + 1_500))
            for partition in range(3):
                each_rig.produce(values[partition::3], partition=partition)
            produced += len(values)
        follower.send_signal(signal.SIGKILL)
        _, said = follower.communicate(timeout=10)
        assert follower.returncode == -signal.SIGKILL, said
    rest = each_rig.type("--follow", "--for", "2s", "--json")
    assert rest.exit_code == 0, rest.stderr
    each_rig.prove()
    assert each_rig.rows("SELECT count(*), count(DISTINCT n) FROM events") == [(produced, produced)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_an_ordinary_end_within_four_seconds(rig: Any, number: int) -> None:
    rig.create()
    rig.produce(rig.values(range(100)))
    follower = subprocess.Popen(
        rig.command("--follow", "--commit-every", "1h", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    rig.wait_until_at_work(follower)
    rig.produce(rig.values(range(100, 200)))
    began = time.monotonic()
    follower.send_signal(number)
    out, said = follower.communicate(timeout=10)
    within(4, began, "the exit after the signal")
    assert follower.returncode == 0, said
    stored = json.loads(out)["rows"]
    assert rig.rows("SELECT count(*) FROM events") == [(stored,)]
    assert rig.load().rows == 200 - stored
    rig.prove()


def test_a_stop_commits_what_was_read(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(100)))
    with followed(rig, commit_s=3600) as following:
        following.wait_for_rows(100)
        rig.produce(rig.values(range(100, 150)))
        wait_until(lambda: following.progress.lag == 50, "records that are read and not committed")
        result = following.end()
        assert result.progress.lag is not None
        assert result.progress.stored.rows + result.progress.lag == 150
    assert rig.load().rows == result.progress.lag
    rig.prove()


def test_partitions_that_are_added_are_taken_from_their_first_record(rig: Any) -> None:
    rig.create(partitions=1)
    with followed(rig) as following:
        rig.produce(rig.values(range(10)))
        following.wait_for_rows(10)
        admin = rig.admin  # a client that nobody holds ends before it is answered
        admin.create_partitions([NewPartitions(rig.topic, 3)])[rig.topic].result(20)
        wait_for_leaders(admin_client(rig.connection.kafka), rig.topic, partitions=3)
        rig.produce(rig.values(range(10, 40)), partition=2)
        following.wait_for_rows(40)
        assert dict(following.end().positions) == {0: 10, 1: 0, 2: 30}
    rig.prove()


def test_of_a_topic_that_takes_the_place_of_another_nothing_is_stored(rig: Any) -> None:
    rig.create()
    rig.produce(rig.values(range(20)))
    with followed(rig) as following:
        following.wait_for_rows(20)
        delete_topic(rig.connection, rig.topic)
        rig.create()
        rig.produce(rig.values(range(1000, 1050)))
        with pytest.raises((TopicRecreated, Misconfigured)):
            following.ended.result(60)
    assert rig.rows("SELECT count(*), max(n) FROM events") == [(20, 19)]


def test_what_a_store_refuses_is_held_and_the_rest_goes_on(postgres_rig: Any) -> None:
    postgres_rig.create()
    refused = postgres_rig.encode(*nul())
    with followed(postgres_rig) as following:
        postgres_rig.produce(postgres_rig.values(range(50)))
        following.wait_for_rows(50)
        postgres_rig.produce([*refused, *postgres_rig.values(range(50, 80))])
        following.wait_for_rows(80)
        postgres_rig.produce(postgres_rig.values(range(80, 90)))
        following.wait_for_rows(90)
        assert following.end().progress.stored.quarantined == 1
    postgres_rig.prove()


def nul() -> tuple[Any, list[Any]]:
    """The schema of what the rig encodes, and a record that PostgreSQL takes in no column of text."""
    from tests.integration.consumer.load.conftest import SMALL, small

    return SMALL, [small(7) | {"text": "a\x00b"}]


def test_a_run_that_has_ended_is_published_while_its_topic_is_followed(
    connection: Any, topic_name: Any, tmp_path: Path
) -> None:
    topic = make_ready(connection, topic_name("live"))
    files = ("--warehouse", tmp_path / "w.duckdb", "--publications", tmp_path / "p")
    flags = ("--follow", "--commit-every", "100ms", "--publish-every", "1s", "--json")
    follower = subprocess.Popen(
        command_line("load", topic, *flags, *files), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    sent = streamproof("produce", "customer_events", "--topic", topic, "--events", "300", "--run-id", "one")
    assert sent.exit_code == 0, sent.stderr
    seen = tmp_path / "p" / topic / "current" / "snapshot.duckdb"
    wait_until(seen.exists, "the publication", timeout_s=90, while_runs=follower)
    follower.send_signal(signal.SIGTERM)
    out, said = follower.communicate(timeout=30)
    if follower.returncode == 0:  # else the stop met the end of publishing
        assert (json.loads(out)["rows"], json.loads(out)["published"]) == (300, ["one"]), said
    with duckdb.connect(str(seen), read_only=True) as reader:
        assert reader.execute("SELECT runs.run_id, verdict, rows FROM runs, publication").fetchall() == [
            ("one", "PASSED", 300)
        ]


@pytest.mark.parametrize(
    "said",
    [
        ("--for", "5s"),
        ("--commit-every", "1s"),
        ("--publish-every", "1m"),
        ("--follow", "--for", "soon"),
        ("--follow", "--for", "0"),
        ("--follow", "--commit-every", "1ms"),
        ("--follow", "--publications", "here"),
    ],
)
def test_flags_that_do_not_fit_together_are_refused(rig: Any, said: tuple[str, ...]) -> None:
    refused = rig.type(*said)
    assert refused.exit_code == 78
    assert not rig.warehouse.exists()
