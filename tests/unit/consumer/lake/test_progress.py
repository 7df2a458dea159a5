"""What the lines of a job add up to."""

from __future__ import annotations

import time

import pytest

from consumer.lake.progress import LakeProgress, TopicProgress
from consumer.lake.published import Batch, PartitionRange, Published


def test_the_lines_of_a_job_add_up_to_its_result() -> None:
    state = LakeProgress({"a": TopicProgress("a"), "b": TopicProgress("b")}, time.monotonic())
    assert (state.offsets_total, state.seconds_left, state.behind, state.rate) == (0, None, None, 0.0)
    state.note({"kind": "begin", "topic": "a", "starts": {"0": 5}, "ends": {"0": 25}, "last_batch": -1})
    state.note({"kind": "begin", "topic": "b", "starts": {}, "ends": {}, "last_batch": -1})
    state.note({"kind": "ready"})
    batch = {"kind": "batch", "topic": "a", "rows": 7, "quarantined": 2, "tombstones": 1, "offsets": 10}
    state.note(batch | {"batch_id": 0, "next_offsets": {"0": 15}})
    assert (state.offsets_total, state.offsets, state.rows, state.quarantined, state.batches) == (20, 10, 7, 2, 1)
    assert state.seconds_left is not None
    state.note({"kind": "lag", "topic": "a", "behind": 4})
    assert state.behind is None
    state.note({"kind": "lag", "topic": "b", "behind": 0})
    assert state.behind == 4
    state.note(batch | {"batch_id": 1, "next_offsets": {"0": 25, "1": 3}})
    result = state.topics["a"].result()
    assert (result.rows, result.tombstones, result.batches) == (14, 2, 2)
    assert [(one.partition, one.start, one.end, one.next_offset) for one in result.partitions] == [
        (0, 5, 25, 25),
        (1, 0, 3, 3),
    ]


@pytest.mark.parametrize("said", [0, 1, 2])
def test_a_stopped_job_has_done_what_is_listed_whatever_it_lived_to_say(said: int) -> None:
    earlier = Batch(0, [PartitionRange(0, 0, 100, 100, 0, 0, 1)])
    later = [Batch(n, [PartitionRange(0, n * 10 + 90, n * 10 + 100, 7, 2, 1, 1)]) for n in (1, 2)]
    listed = Published("a", "c", "t", next_offsets={0: 120}, batches=[earlier, *later])
    state = LakeProgress({"a": TopicProgress("a")}, time.monotonic())
    state.note({"kind": "begin", "topic": "a", "starts": {"0": 100}, "ends": {"0": 110}, "last_batch": 0})
    for batch in later[:said]:
        counts = {"rows": 7, "quarantined": 2, "tombstones": 1, "offsets": 10}
        ends = {"next_offsets": {"0": batch.partitions[0].end}}
        state.note({"kind": "batch", "topic": "a", "batch_id": batch.batch_id} | counts | ends)
    state.topics["a"].note_published(listed)
    state.topics["a"].note_published(listed)
    result = state.topics["a"].result()
    assert (result.rows, result.quarantined, result.tombstones, result.batches) == (14, 4, 2, 2)
    assert [(one.start, one.next_offset) for one in result.partitions] == [(100, 120)]


def test_a_job_that_was_stopped_before_it_began_has_done_nothing() -> None:
    topic = TopicProgress("a")
    topic.note_published(Published("a", "c", "t", batches=[Batch(0, [PartitionRange(0, 0, 9, 9, 0, 0, 1)])]))
    assert topic.result().rows == 0
