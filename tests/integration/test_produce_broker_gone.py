"""A broker that dies under `produce`: bounded, counted, and continued when it is back. On a stack of its own."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.connection import Connection
from cluster.errors import BrokerUnreachable, RecordsUndelivered
from cluster.local import read_local_stack
from cluster.topics import admin_client, apply_topics, specs_for
from producer import ProduceRequest, Progress, produce_shard
from schemas.contract import load_contract, subject_for
from schemas.registry import Registry
from stack.down import stop_stack
from stack.record import Record, read_record
from stack.up import UpRequest, up

TOPIC = "gone"


class Silent:
    """A start that nobody looks at."""

    @contextmanager
    def fetching(self, name: str, size: int) -> Iterator[object]:
        yield lambda arrived: None

    def say(self, sentence: str) -> None:
        pass

    def look(self, record: Record) -> None:
        pass


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[tuple[Connection, int]]:
    """A stack that the test may break, and the process of its broker."""
    state = tmp_path / "own"
    try:
        up(state, UpRequest(owned=True, restart=False), Silent(), threading.Event())
        running = read_local_stack(state)
        record = read_record(state)
        assert running is not None
        assert record is not None
        connection = Connection.of({"bootstrap_servers": running.bootstrap_servers}, {"url": running.registry_url})
        broker = next(process for process in record.processes if process.name == "kafka")
        assert broker.process is not None
        apply_topics(admin_client(connection.kafka), specs_for(TOPIC))
        with Registry(connection.registry) as registry:
            registry.register(subject_for(TOPIC), load_contract("customer_events").version(1).text)
        yield connection, broker.process.pid
    finally:
        stop_stack(state)


def test_a_broker_that_freezes_and_one_that_dies_end_the_shard_in_time_with_the_number(own_stack):
    connection, broker = own_stack
    request = ProduceRequest(topic=TOPIC, run_id="gone", events=100_000, rate=5000, delivery_timeout_s=3)

    # Frozen for longer than an event may wait, then well again: the manifest names what has no answer.
    frozen_at: list[float] = []

    def freeze_once(progress: Progress) -> None:
        if progress.acknowledged > 2000 and not frozen_at:
            frozen_at.append(time.monotonic())
            os.kill(broker, signal.SIGSTOP)
            threading.Timer(6, os.kill, (broker, signal.SIGCONT)).start()

    with pytest.raises(
        RecordsUndelivered, match=r"events were not acknowledged \(0 failed, [\d,]+ unknown\)"
    ) as caught:
        produce_shard(connection, request, stop=threading.Event(), progress=freeze_once)
    assert time.monotonic() - frozen_at[0] < 25
    manifest = caught.value.manifest  # type: ignore[attr-defined]
    assert manifest.unknown
    assert manifest.interrupted

    # Dead for good: no manifest can be written, and the error says so with the numbers.
    killed_at: list[float] = []

    def kill_once(progress: Progress) -> None:
        if progress.acknowledged > manifest.acknowledged + 3000 and not killed_at:
            killed_at.append(time.monotonic())
            os.kill(broker, signal.SIGKILL)

    with pytest.raises(BrokerUnreachable, match=r"events acknowledged, [0-9,]+ not, and the manifest could not"):
        produce_shard(connection, request, stop=threading.Event(), progress=kill_once)
    assert time.monotonic() - killed_at[0] < 30
