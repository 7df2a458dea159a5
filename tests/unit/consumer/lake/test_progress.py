"""What the lines of a job add up to."""

from __future__ import annotations

import time

from consumer.lake.progress import LakeProgress, TopicProgress


def test_the_lines_of_a_job_add_up_to_its_result() -> None:
    state = LakeProgress({"a": TopicProgress("a"), "b": TopicProgress("b")}, time.monotonic())
    assert (state.offsets_total, state.seconds_left, state.behind, state.rate) == (0, None, None, 0.0)
    state.note({"kind": "begin", "topic": "a", "starts": {"0": 5}, "ends": {"0": 25}})
    state.note({"kind": "begin", "topic": "b", "starts": {}, "ends": {}})
    state.note({"kind": "ready"})
    batch = {"kind": "batch", "topic": "a", "rows": 7, "quarantined": 2, "tombstones": 1, "offsets": 10}
    state.note(batch | {"next_offsets": {"0": 15}})
    assert (state.offsets_total, state.offsets, state.rows, state.quarantined, state.batches) == (20, 10, 7, 2, 1)
    assert state.seconds_left is not None
    state.note({"kind": "lag", "topic": "a", "behind": 4})
    assert state.behind is None
    state.note({"kind": "lag", "topic": "b", "behind": 0})
    assert state.behind == 4
    state.note(batch | {"next_offsets": {"0": 25, "1": 3}})
    result = state.topics["a"].result()
    assert (result.rows, result.tombstones, result.batches) == (14, 2, 2)
    assert [(one.partition, one.start, one.end, one.next_offset) for one in result.partitions] == [
        (0, 5, 25, 25),
        (1, 0, 3, 3),
    ]
