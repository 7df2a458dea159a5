"""What load shapes promise, against the real broker: kept second by second, continued, and honest about stalls."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from cluster.connection import Connection
from cluster.errors import Interrupted, Misconfigured
from producer import ProduceRequest, Progress, produce_run, produce_shard
from producer.emit import run_shard
from producer.resume.earlier import read_manifest
from producer.shapes import parse
from schemas.manifest import Manifest
from tests.kit.kafka import read_topic, sequence_of
from tests.kit.seconds import held


def sent(connection: Connection, topic: str) -> list[tuple[int, int]]:
    """Read the whole topic: sequence and timestamp in milliseconds."""
    found = []
    for message in read_topic(connection, topic):
        value = message.value()
        assert isinstance(value, bytes)
        found.append((sequence_of(value), message.timestamp()[1]))
    return found


def stall_after(events: int, seconds: float) -> Callable[[Progress], None]:
    """Return a progress display that hangs once, and the sending thread with it."""
    hung: list[Progress] = []

    def show(progress: Progress) -> None:
        if progress.generated > events and not hung:
            hung.append(progress)
            threading.Event().wait(seconds)

    return show


# Between the clock that the schedule goes by and the one that stamps its beginning, a busy machine may pause.
EARLY_MS = 250


def whole(manifest: Manifest, name: str) -> int:
    return sum(getattr(window, name) for window in manifest.rate_windows)


@pytest.mark.parametrize(
    "shape",
    ["ramp(500, 3500, 3s)", "burst(500, 3000, 1500ms, 500ms, 3s)", "poisson(sine(500, 3500, 2s, 3s))"],
)
def test_no_event_of_a_shape_goes_before_it_is_due_nor_later_than_the_delay_says(connection, ready_topic, shape):
    # The bench holds each second to 1 %. A test shares its machine: how late events are is the machine's, that the
    # manifest says so is ours.
    request = ProduceRequest(topic=ready_topic, run_id="kept", shape=shape, seed=3)
    manifest = produce_shard(connection, request, stop=threading.Event())
    schedule = parse(shape).schedule(seed=3)
    due = [schedule.before(second + 1) - schedule.before(second) for second in range(3)]
    assert [window.intended for window in manifest.rate_windows[:3]] == due
    assert manifest.acknowledged == schedule.planned == whole(manifest, "achieved") == whole(manifest, "sent")
    found = sent(connection, ready_topic)
    assert sorted(sequence for sequence, _ in found) == list(range(schedule.planned))
    began_ms = dt.datetime.fromisoformat(manifest.sending[0].began_at).timestamp() * 1000
    late_ms = sorted(at - began_ms - schedule.at(sequence) * 1000 for sequence, at in found)
    assert late_ms[0] > -EARLY_MS
    delay_ms = manifest.publish_delay_ms
    assert delay_ms["p50"] < 1000
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)):
        seen_ms = late_ms[min(len(late_ms) - 1, int(share * len(late_ms)))]
        assert seen_ms <= delay_ms[name] + EARLY_MS, (name, seen_ms, delay_ms)


def test_a_stopped_shape_goes_on_where_it_was(connection, ready_topic, stop_at):
    request = ProduceRequest(topic=ready_topic, run_id="resumed", shape="ramp(0, 2000, 4s)")
    early = stop_at(1_000, total=4_000)
    outcome = run_shard(connection, request.plan, stop=early.stop, progress=early)
    assert isinstance(outcome.error, Interrupted)
    first = outcome.manifest
    assert first.acknowledged < 3000
    second = produce_shard(connection, request, stop=threading.Event())
    assert (second.acknowledged, second.resumed) == (4000, 1)
    assert sorted(sequence for sequence, _ in sent(connection, ready_topic)) == list(range(4000))
    # The rest of the shape, not the whole of it again, and not in one lump either.
    rest = second.rate_windows[len(first.rate_windows) :]
    assert 1 <= sum(window.intended > 0 for window in rest) <= 3
    assert whole(second, "intended") == pytest.approx(4000, abs=60)
    assert rest[0].intended > 1000


def test_events_that_a_stall_held_up_are_sent_late_and_the_delay_says_so(connection, ready_topic):
    request = ProduceRequest(topic=ready_topic, run_id="late", shape="constant(1000, 3s)")
    manifest = produce_shard(connection, request, stop=threading.Event(), progress=stall_after(500, 1.0))
    assert (manifest.acknowledged, manifest.skipped) == (3000, 0)
    assert manifest.publish_delay_ms["max"] > 900
    assert manifest.publish_delay_ms["p90"] > 200  # a third of all events waited


def test_events_that_a_stall_held_up_are_skipped_without_a_hole(connection, ready_topic):
    request = ProduceRequest(topic=ready_topic, run_id="skipped", shape="constant(1000, 3s)", catch_up="skip")
    manifest = produce_shard(connection, request, stop=threading.Event(), progress=stall_after(500, 1.0))
    assert 500 < manifest.skipped < 2000
    assert manifest.acknowledged == manifest.next_sequence == 3000 - manifest.skipped
    assert whole(manifest, "skipped") == manifest.skipped
    assert whole(manifest, "intended") == 3000
    found = sorted(sequence for sequence, _ in sent(connection, ready_topic))
    assert found == list(range(manifest.acknowledged))
    assert produce_shard(connection, request, stop=threading.Event()) == manifest


def test_a_stopped_run_remembers_what_it_skipped(connection, ready_topic, stop_at):
    request = ProduceRequest(topic=ready_topic, run_id="twice", shape="constant(1000, 3s)", catch_up="skip")
    early = stop_at(600, total=3_000, also=stall_after(300, 0.5))
    with pytest.raises(Interrupted):
        produce_shard(connection, request, stop=early.stop, progress=early)
    first = read_manifest(connection.kafka, ready_topic, "twice", 0)
    assert first is not None
    assert first.skipped > 200
    second = produce_shard(connection, request, stop=threading.Event())
    assert second.acknowledged + second.skipped == 3000
    assert second.skipped >= first.skipped


def test_the_shards_of_a_random_shape_begin_together_and_sum_to_its_plan(connection, ready_topic):
    request = ProduceRequest(topic=ready_topic, run_id="dealt", shape="poisson(2000, 2s)", seed=8, shards=2)
    result = produce_run(connection, request, shards=(0, 1), stop=threading.Event())
    assert result.error is None
    planned = parse("poisson(2000, 2s)").schedule(seed=8).planned
    assert sum(manifest.acknowledged for manifest in result.manifests) == planned
    found = sent(connection, ready_topic)
    assert len(found) == planned
    # The topic holds both shards' sequences; the first record of each is its sequence 0.
    starts = [at for sequence, at in found if sequence == 0]
    assert len(starts) == 2
    # Their processes take longer than that to start.
    held((max(starts) - min(starts)) / 1000, 0.25, "the way from the first start to the last")


def test_another_shape_under_the_same_run_id_is_refused_and_named(connection, ready_topic):
    request = ProduceRequest(topic=ready_topic, run_id="same", shape="constant(500, 1s)")
    produce_shard(connection, request, stop=threading.Event())
    with pytest.raises(Misconfigured, match=r"shape was constant\(500, 1s\), is now constant\(500, 2s\)"):
        produce_shard(connection, replace(request, shape="constant(500, 2s)"), stop=threading.Event())
    with pytest.raises(Misconfigured, match="catch_up was report, is now skip"):
        produce_shard(connection, replace(request, catch_up="skip"), stop=threading.Event())
    again = replace(request, shape="constant( rate=500, duration=1000ms )")  # the same, written otherwise
    assert produce_shard(connection, again, stop=threading.Event()).acknowledged == 500
