"""What a broker can do to `produce`, and to who looks on: restart, freeze, lose a topic. On a stack of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from cluster import silence
from cluster.connection import Connection
from cluster.errors import BrokerUnreachable, DeliveryTimedOut, RecordsUndelivered
from cluster.groups.sight import look_at_groups
from cluster.reading import watermarks
from cluster.topics import admin_client
from consumer.live.snapshot import TopicSight
from producer import ProduceRequest, Progress, produce_shard
from producer.emit import run_shard
from producer.send.delivery import QUEUE_EVENTS
from schemas.manifest import Manifest, count
from stack.down import stop_stack
from stack.record import read_record
from stack.request import UpRequest
from tests.kit.commands import command_line
from tests.kit.freezing import freeze_process
from tests.kit.kafka import answers, is_gone, sequences_in, topic_ends
from tests.kit.looking import looking_at, sight
from tests.kit.seconds import within
from tests.kit.shared_stack import started
from tests.kit.topics import make_ready
from tests.kit.waiting import wait_until

UP_AGAIN_S = 60


@dataclass
class Broker:
    """A broker that a test may break, and its process of the moment."""

    connection: Connection
    process: psutil.Process
    state: Path

    def __post_init__(self) -> None:
        self._argv, self._cwd, self._environment = self.process.cmdline(), self.process.cwd(), self.process.environ()

    def restart(self, number: signal.Signals) -> None:
        """End it by a signal, and start it again as it was."""
        self.process.send_signal(number)
        self.process.wait(timeout=UP_AGAIN_S)
        self.start()

    def start(self) -> None:
        """Start it again as it was.

        Not before the stack has noticed the end of its own: it then kills whatever bears the mark of that one, as this
        process does.
        """
        wait_until(self._is_given_up, "the stack to notice that its broker has ended", timeout_s=UP_AGAIN_S)
        with self._log.open("ab") as log:
            started = subprocess.Popen(self._argv, cwd=self._cwd, env=self._environment, stdout=log, stderr=log)
        self.process = psutil.Process(started.pid)
        started.returncode = 0  # the stack ends it, by the mark in its environment

    def repair(self) -> None:
        """Thaw it, or start it if it is dead, and wait until it answers."""
        if self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
            self.process.resume()
        else:
            if self._log.exists():
                print(self._log.read_text()[-5000:])  # a test that failed says why it was dead
            self.start()
        wait_until(self._answers, "the broker to answer", timeout_s=UP_AGAIN_S, poll_s=0.1)

    @property
    def _log(self) -> Path:
        return self.state / "log" / "kafka-again.log"

    def _is_given_up(self) -> bool:
        record = read_record(self.state)
        assert record is not None
        return next(each.stage for each in record.processes if each.name == "kafka") == "died"

    def _answers(self) -> bool:
        with suppress(BrokerUnreachable):  # a client that is kept has seen it down for as long as it waits
            return is_gone(self.connection, "no-topic-of-this-name")
        return False


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A stack for this module."""
    state = tmp_path_factory.mktemp("broken")
    try:
        running, record = started(state, UpRequest(owner=os.getpid(), restart=False)), read_record(state)
        assert record is not None
        kafka = next(process for process in record.processes if process.name == "kafka")
        assert kafka.process is not None
        connection = Connection.of({"bootstrap_servers": running.bootstrap_servers}, {"url": running.registry_url})
        yield Broker(connection, psutil.Process(kafka.process.pid), state)
    finally:
        stop_stack(state)


@pytest.fixture
def broker(own_broker: Broker) -> Iterator[Broker]:
    """A broker that the test may break: it is repaired afterwards."""
    yield own_broker
    own_broker.repair()


def test_offsets_that_nobody_tells_are_an_error_and_never_a_number(broker: Broker) -> None:
    topic = make_ready(broker.connection, "unanswered")
    admin = admin_client(broker.connection.kafka)
    assert watermarks(admin, topic, range(3)) == {0: (0, 0), 1: (0, 0), 2: (0, 0)}
    freeze_process(broker.process.pid)
    with pytest.raises(BrokerUnreachable):
        watermarks(admin, topic, range(3))
    seen = look_at_groups(admin, topic, 3, only=["nobody"], timeout_s=1.0)
    assert (set(seen.watermarks.values()), seen.groups[0].committed) == ({None}, None)
    # What is answered after all ends no process.
    broker.process.resume()
    wait_until(lambda: answers(broker.connection, topic), "the broker to answer", timeout_s=UP_AGAIN_S)


def test_who_looks_on_is_told_unknown_while_the_broker_is_away_and_numbers_when_it_is_back(
    broker: Broker, tmp_path: Path
) -> None:
    topic = make_ready(broker.connection, "looked-at")
    produce_shard(broker.connection, ProduceRequest(topic=topic, run_id="seen", events=100), stop=threading.Event())

    def whole(seen: TopicSight) -> bool:
        return [stage.count for stage in seen.stages[:3]] == [100, 100, 100] and len(seen.newest.rows) == 20

    def hidden(seen: TopicSight) -> bool:
        parts = (seen.partitions, seen.groups, seen.newest, seen.totals, seen.runs)
        return all([*(stage.unknown for stage in seen.stages[:4]), *(part.unknown for part in parts)])

    with looking_at(broker.connection, topic, tmp_path) as looking:
        sight(looking, whole, "the whole topic")
        freeze_process(broker.process.pid)
        unknown = sight(looking, hidden, "that nothing is known")
        assert [stage.count for stage in unknown.stages[:4]] == [None] * 4
        assert [stage.gap for stage in unknown.stages[:4]] == [None] * 4
        assert [stage.last.count for stage in unknown.stages[:3]] == [100] * 3
        later = wait_until(lambda: looking.wait(5.0), "another snapshot")
        assert all(stage.last.as_of < later.as_of for stage in later.topics[0].stages[:3])
        assert later.problem
        broker.process.resume()
        sight(looking, whole, "the whole topic again", timeout_s=2 * UP_AGAIN_S)


class Once:
    """Does something, in a thread of its own, when enough was acknowledged; once."""

    def __init__(self, enough: int, act) -> None:
        self.enough = enough
        self.act = act
        self.thread: threading.Thread | None = None
        self.queued = 0

    def __call__(self, progress: Progress) -> None:
        self.queued = max(self.queued, progress.queued)
        if self.thread is None and progress.acknowledged >= self.enough:
            self.thread = threading.Thread(target=self.act)
            self.thread.start()

    def join(self) -> None:
        assert self.thread is not None, "the run ended before it was disturbed"
        self.thread.join(timeout=UP_AGAIN_S)
        assert not self.thread.is_alive()


def accounted(manifest: Manifest) -> int:
    """Return how many events have a verdict."""
    return manifest.acknowledged + count(manifest.failed) + count(manifest.unknown)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_broker_that_restarts_within_the_delivery_timeout_loses_and_doubles_nothing(broker, topic_name, number):
    topic = topic_name("restart")
    make_ready(broker.connection, topic)
    restart = Once(5_000, lambda: broker.restart(number))
    request = ProduceRequest(topic=topic, run_id="restart", events=25_000, rate=5_000, delivery_timeout_s=60)
    manifest = produce_shard(broker.connection, request, stop=threading.Event(), progress=restart)
    restart.join()
    assert (manifest.acknowledged, manifest.failed, manifest.unknown) == (25_000, [], [])
    assert sequences_in(broker.connection, topic) == {0: list(range(25_000))}
    # The stall shows: it is in the delay of the events that were due meanwhile.
    assert manifest.publish_delay_ms["max"] > 1000


def test_a_full_queue_before_a_frozen_broker_is_bounded_and_counted_and_the_run_can_be_continued(broker, topic_name):
    topic = topic_name("full")
    make_ready(broker.connection, topic)
    frozen_at: list[float] = []

    def freeze() -> None:
        frozen_at.append(time.monotonic())
        freeze_process(broker.process.pid)
        threading.Timer(8, os.kill, (broker.process.pid, signal.SIGCONT)).start()

    watch = Once(5000, freeze)
    request = ProduceRequest(topic=topic, run_id="full", events=250_000, delivery_timeout_s=4)
    outcome = run_shard(broker.connection, request.plan, stop=threading.Event(), progress=watch)
    watch.join()
    within(30, frozen_at[0], "the end after the freeze")
    assert QUEUE_EVENTS * 0.9 < watch.queued <= QUEUE_EVENTS
    manifest = outcome.manifest
    assert isinstance(outcome.error, DeliveryTimedOut)
    assert "events were not acknowledged" in outcome.error.message
    assert manifest.interrupted
    assert accounted(manifest) == manifest.next_sequence < 250_000

    broker.repair()
    repaired = produce_shard(broker.connection, request, stop=threading.Event())
    assert (repaired.acknowledged, repaired.failed, repaired.unknown) == (250_000, [], [])
    assert sequences_in(broker.connection, topic) == {0: list(range(250_000))}


def test_what_a_frozen_broker_has_of_a_killed_producer_is_not_sent_again(broker, topic_name):
    """The request is in the broker's hands; it cannot be asked before it is back, and has then written it."""
    topic = topic_name("frozen")
    make_ready(broker.connection, topic)
    arguments = [
        *command_line("produce", "customer_events", "--topic", topic, "--json"),
        *("--events", "20000", "--rate", "5000", "--run-id", "frozen"),
        *("--bootstrap-servers", broker.connection.kafka.bootstrap_servers),
        *("--registry-url", broker.connection.registry.url),
    ]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        with topic_ends(broker.connection, topic) as ends:
            wait_until(lambda: ends.count() >= 2500, "2,500 records", timeout_s=60, while_runs=process)
        freeze_process(broker.process.pid)
        try:
            time.sleep(0.5)  # twenty times as long as a request is put together: some are on their way
            process.kill()
            process.wait(timeout=10)
            again = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(2)
        finally:
            broker.process.resume()
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert sequences_in(broker.connection, topic) == {0: list(range(20_000))}


def test_a_topic_that_goes_away_ends_the_run_in_time_with_every_event_accounted_for(broker, topic_name):
    topic = topic_name("deleted")
    make_ready(broker.connection, topic)
    deleted_at: list[float] = []

    def delete() -> None:
        admin = admin_client(broker.connection.kafka)
        admin.ask(admin.delete_topics([topic])[topic], "deleting the topic")
        deleted_at.append(time.monotonic())

    watch = Once(3000, delete)
    request = ProduceRequest(topic=topic, run_id="deleted", events=100_000, rate=3000, delivery_timeout_s=4)
    # librdkafka may learn of it, or wait for a leader until the time is up.
    outcome = run_shard(broker.connection, request.plan, stop=threading.Event(), progress=watch)
    watch.join()
    within(30, deleted_at[0], "the end after the topic was deleted")
    manifest = outcome.manifest
    assert isinstance(outcome.error, (RecordsUndelivered, DeliveryTimedOut))
    assert accounted(manifest) == manifest.next_sequence < 100_000
    assert manifest.acknowledged >= 3000
    assert manifest.interrupted


def test_a_broker_that_does_not_answer_is_warned_of_within_ten_seconds_and_again_when_it_answers(
    broker, topic_name, monkeypatch
):
    topic = topic_name("unanswered")
    make_ready(broker.connection, topic)
    said: list[tuple[float, str]] = []
    monkeypatch.setattr(silence.log, "warning", lambda text: said.append((time.monotonic(), text)), raising=False)
    frozen_at: list[float] = []

    def freeze() -> None:
        frozen_at.append(time.monotonic())
        freeze_process(broker.process.pid)
        try:
            deadline = time.monotonic() + 20
            while not said and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            broker.process.resume()

    watch = Once(1000, freeze)
    request = ProduceRequest(topic=topic, run_id="unanswered", events=8000, rate=1000, delivery_timeout_s=60)
    manifest = produce_shard(broker.connection, request, stop=threading.Event(), progress=watch)
    watch.join()
    assert manifest.acknowledged == 8000
    assert said[0][0] - frozen_at[0] < 10
    assert re.fullmatch(r"Kafka has not answered for \d s: [\d,]+ events wait, they are given up in 5\d s", said[0][1])
    assert re.fullmatch(r"Kafka answers again, after \d+ s", said[-1][1])


def test_a_broker_that_freezes_and_one_that_dies_end_the_shard_in_time_with_the_number(broker, topic_name):
    topic = topic_name("gone")
    make_ready(broker.connection, topic)
    request = ProduceRequest(topic=topic, run_id="gone", events=100_000, rate=5000, delivery_timeout_s=3)

    # Frozen for longer than an event may wait, then well again: the manifest names what has no answer.
    frozen_at: list[float] = []

    def freeze_once(progress: Progress) -> None:
        if progress.acknowledged > 2000 and not frozen_at:
            frozen_at.append(time.monotonic())
            freeze_process(broker.process.pid)
            threading.Timer(6, os.kill, (broker.process.pid, signal.SIGCONT)).start()

    outcome = run_shard(broker.connection, request.plan, stop=threading.Event(), progress=freeze_once)
    within(25, frozen_at[0], "the end after the freeze")
    manifest = outcome.manifest
    assert isinstance(outcome.error, DeliveryTimedOut)
    assert re.search(r"events were not acknowledged \(0 failed, [\d,]+ unknown\)", outcome.error.message)
    assert manifest.unknown
    assert manifest.interrupted

    # Dead for good: no manifest can be written, and the error says so with the numbers.
    killed_at: list[float] = []

    def kill_once(progress: Progress) -> None:
        if progress.acknowledged > manifest.acknowledged + 3000 and not killed_at:
            killed_at.append(time.monotonic())
            broker.process.kill()

    with pytest.raises(BrokerUnreachable, match=r"events acknowledged, [0-9,]+ not, and the manifest could not"):
        produce_shard(broker.connection, request, stop=threading.Event(), progress=kill_once)
    within(30, killed_at[0], "the end after the kill")
