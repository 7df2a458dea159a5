"""A shard with injected faults, cut off anywhere and continued, sends each record once and tells the whole truth."""

from __future__ import annotations

import threading
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from producer import ProduceRequest
from producer import attempt as attempt_module
from producer.plan.agreement import Agreement
from producer.plan.injection import make_injector
from producer.resume.placing import Placing
from producer.resume.resume import Landed
from producer.scenarios import find_scenario
from producer.send.checksums import ChecksumWindows
from producer.send.delivery_reports import Copies
from producer.send.meter import DelayHistogram
from schemas.identity import read_event_id
from schemas.manifest import Manifest, SchemaUsed, count
from schemas.registry.contract import load_contract
from tests.kit.depth import DEEP
from tests.kit.kafka import sequence_of

EVENTS = 20_000  # more than two parts
# After so many records each: at the first, at the edge of a part and right behind it, and among what comes last.
CUTS: list[tuple[int, ...]] = [(8_191, 8_192, 1), (20_300,)]
if DEEP:
    CUTS += [(1,), (5_000, 9_000), (16_390,)]
STARTED_MS = 1_790_000_000_000
ALL = (
    "dropped=30",
    "tombstone=20",
    "undecodable=24",
    "hot_key=0.05",
    "out_of_order=0.02",
    "duplicate=0.02",
    "altered=30",
    "late=0.01",
)
Record = tuple[int, bytes | None, bytes | None]


class Topic:
    """Records in the order of sending, and a producer that stops taking them after so many."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.left = 10**9
        self.stop = threading.Event()

    def take(self, sequence: int, key: bytes | None, value: bytes | None) -> bool:
        if not self.left:
            self.stop.set()
            return False
        self.left -= 1
        self.records.append((sequence, key, value))
        return True

    def landed(self) -> Landed:
        counts = Counter(sequence for sequence, _, _ in self.records)
        size = max(counts, default=-1) + 1
        there, again = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
        sums = np.zeros(size, dtype=np.int64)
        for sequence, _, value in self.records:
            there[sequence], again[sequence] = True, counts[sequence] > 1
            sums[sequence] = zlib.crc32(value or b"")
        return Landed(there, sums, again)


class Taken:
    """Delivery to a :class:`Topic`: everything is acknowledged at once."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.placing = Placing()
        self.checksums, self.delays = ChecksumWindows(), DelayHistogram()
        self.copies = Copies()
        self.acknowledged = self.handed_over = self.unsettled = self.not_delivered = 0
        self.failed: list[Any] = []
        self.unknown: list[Any] = []
        self.broken, self.skewed, self.waited_for_room_s = None, False, 0.0

    def send(self, sequences: Any, keys: Any, values: Any, intended: Any, *, ids: Any = None) -> int:
        went = 0
        for sequence, key, value in zip(sequences.tolist(), keys, values, strict=True):
            assert sequence_of(value) == sequence
            if not self.topic.take(sequence, key, value):
                break
            self.checksums.add(np.array([sequence]), np.array([zlib.crc32(value)]))
            went += 1
        self.acknowledged += went
        self.handed_over += went
        return went

    def send_special(self, sequence: int, key: Any, value: Any, identity: bytes | None, *, copy: bool) -> bool:
        if identity is not None:
            said = read_event_id(identity.decode())
            assert said is not None
            assert said.sequence == sequence
        if not self.topic.take(sequence, key, value):
            return False
        if not copy:
            self.acknowledged += 1
            self.handed_over += 1
            self.checksums.add(np.array([sequence]), np.array([zlib.crc32(value or b"")]))
        return True

    def poll(self, _: float) -> None:
        pass

    def settle(self, _: object) -> None:
        pass


Attempt = Callable[..., Manifest]


@pytest.fixture
def attempt(monkeypatch: pytest.MonkeyPatch) -> Attempt:
    scenario = find_scenario("customer_events")
    settings = scenario.settings(EVENTS, STARTED_MS)

    def run(topic: Topic, faults: tuple[str, ...] = ALL, *, first: Manifest | None = None, **more: Any) -> Manifest:
        monkeypatch.setattr(attempt_module, "Delivery", lambda *_, **__: Taken(topic))
        request = ProduceRequest(topic="t", run_id="r", **({"events": EVENTS} | more), faults=faults)
        announced = Manifest(
            status="running",
            run_id="r",
            shard=0,
            shards=1,
            topic="t",
            scenario="customer_events",
            scenario_version=1,
            seed=request.seed,
            settings=settings,
            schema_used=SchemaUsed(subject="t-value", version=1, id=1),
            started_at="2026-11-20T10:00:00+00:00",
        )
        agreement = Agreement(
            scenario,
            load_contract("customer_events").version(1),
            announced,
            first,
            make_injector(request.plan, scenario),
        )
        topic.stop.clear()
        connection: Any = type("Nowhere", (), {"kafka": None})
        sending = attempt_module.Attempt(
            connection, request.plan, agreement, topic.landed(), stop=topic.stop, progress=None
        )
        sending.send()
        return sending.manifest()

    return run


def told(manifest: Manifest) -> dict[str, set[int]]:
    return {
        truth.kind: {number for first, end in truth.sequences for number in range(first, end)}
        for truth in manifest.faults
    }


def agrees(topic: Topic, manifest: Manifest) -> None:
    """Compare the truth with what a reader of the topic sees."""
    truth = told(manifest)
    counts = Counter(sequence for sequence, _, _ in topic.records)
    assert truth.get("dropped", set()) == set(range(manifest.next_sequence)) - set(counts)
    assert manifest.dropped == len(truth.get("dropped", set()))
    assert truth.get("duplicate", set()) == {sequence for sequence, number in counts.items() if number == 2}
    assert max(counts.values()) <= 2
    assert truth.get("tombstone", set()) == {sequence for sequence, _, value in topic.records if value is None}
    assert truth.get("hot_key", set()) == {sequence for sequence, key, _ in topic.records if key == b"hot-key"}
    newest: dict[Any, int] = {}
    overtaken = set()
    for sequence, key, _ in topic.records:
        if sequence < newest.get(key, -1) and counts[sequence] == 1:
            overtaken.add(sequence)
        newest[key] = max(newest.get(key, -1), sequence)
    assert overtaken == truth.get("out_of_order", set())
    values = {sequence: value for sequence, _, value in topic.records}
    sums = ChecksumWindows()
    sums.add(np.array(list(values)), np.array([zlib.crc32(value or b"") for value in values.values()]))
    assert manifest.crc == sums.windows()


@pytest.fixture
def whole(attempt: Attempt) -> tuple[Topic, Manifest]:
    topic = Topic()
    return topic, attempt(topic)


def test_a_whole_shard_tells_the_truth(whole: tuple[Topic, Manifest]) -> None:
    topic, manifest = whole
    assert (manifest.next_sequence, manifest.interrupted, manifest.failed) == (EVENTS, False, [])
    assert manifest.acknowledged == EVENTS - 30
    agrees(topic, manifest)
    assert len(told(manifest)["out_of_order"]) > 100


@pytest.mark.parametrize("cuts", CUTS)
def test_a_shard_that_is_cut_off_and_continued_ends_as_a_whole_one(
    attempt: Attempt, whole: tuple[Topic, Manifest], cuts: tuple[int, ...]
) -> None:
    topic, earlier = Topic(), None
    for cut in cuts:
        topic.left = cut
        earlier = attempt(topic, first=earlier)
        assert earlier.interrupted
        assert earlier.acknowledged + count(earlier.failed) + earlier.dropped == earlier.next_sequence
    topic.left = 10**9
    manifest = attempt(topic, first=earlier)
    assert (manifest.next_sequence, manifest.failed, manifest.truth_complete) == (EVENTS, [], True)
    assert told(manifest) == told(whole[1])
    assert manifest.crc == whole[1].crc
    assert sorted(topic.records, key=str) == sorted(whole[0].records, key=str)
    agrees(topic, manifest)


def test_a_rated_shard_goes_on_in_its_schedule(attempt: Attempt) -> None:
    topic = Topic()
    topic.left = 700
    earlier = attempt(topic, events=2_000, rate=20_000.0)
    topic.left = 10**9
    manifest = attempt(topic, first=earlier, events=2_000, rate=20_000.0)
    assert (manifest.next_sequence, manifest.failed, manifest.dropped) == (2_000, [], 30)
    agrees(topic, manifest)


def test_what_an_interrupted_shard_tells_is_true(attempt: Attempt) -> None:
    topic = Topic()
    topic.left = 12_345
    manifest = attempt(topic)
    truth = told(manifest)
    counts = Counter(sequence for sequence, _, _ in topic.records)
    assert truth["duplicate"] == {sequence for sequence, number in counts.items() if number == 2}
    assert truth["tombstone"] == {sequence for sequence, _, value in topic.records if value is None}
    assert max(truth["dropped"]) < manifest.next_sequence


def test_a_rated_shard_sends_its_last_copies_and_stragglers(attempt: Attempt) -> None:
    topic = Topic()
    faults = ("duplicate=0.3", "out_of_order=0.2", "dropped=0.1")
    manifest = attempt(topic, faults, events=2_000, rate=20_000.0)
    assert (manifest.next_sequence, manifest.failed, manifest.interrupted) == (2_000, [], False)
    agrees(topic, manifest)


def test_a_shard_that_its_time_ends_leaves_nothing_behind(attempt: Attempt) -> None:
    topic = Topic()
    manifest = attempt(topic, ("duplicate=0.3", "out_of_order=0.2", "dropped=0.1"), events=None, seconds=0.05)
    assert manifest.next_sequence > 0
    assert manifest.failed == []
    assert not manifest.interrupted
    agrees(topic, manifest)


def test_a_shard_of_which_everything_is_dropped_sends_nothing(attempt: Attempt) -> None:
    topic = Topic()
    manifest = attempt(topic, ("dropped=100%",), events=500)
    assert (topic.records, manifest.dropped, manifest.next_sequence) == ([], 500, 500)


@pytest.mark.parametrize(
    "faults", [("out_of_order=25",), ("duplicate=40", "dropped=40"), ("duplicate=9", "dropped=9", "out_of_order=200")]
)
def test_what_is_sent_in_another_order_is_the_same(attempt: Attempt, faults: tuple[str, ...]) -> None:
    plain, moved = Topic(), Topic()
    attempt(plain, (), events=3_000)
    attempt(moved, faults, events=3_000)
    expected = {sequence: (key, value) for sequence, key, value in plain.records}
    assert [sequence for sequence, _, _ in moved.records] != sorted(expected)
    assert [found for found in moved.records if found[1:] != expected[found[0]]] == []
