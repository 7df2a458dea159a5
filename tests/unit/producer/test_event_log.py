"""The event log of a shard, where the disk does not take it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cluster.errors import StoreFull
from cluster.machine.disk import no_space
from producer.send.event_log import EventLog

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")


def rows(count: int) -> tuple[pa.RecordBatch, pa.Array]:
    return pa.RecordBatch.from_pydict({"text": ["x" * 100] * count}), pa.array([f"id-{n}" for n in range(count)])


@pytest.mark.parametrize("count", [1, 50_000], ids=["at the end", "on the way"])
def test_a_full_disk_is_told_as_one(count):
    with pytest.raises(StoreFull, match="the event log cannot be written: No space") as told, EventLog(FULL) as log:
        log.write(*rows(count))
    assert told.value.where == "/dev/full"


def test_a_disk_that_is_full_before_the_log_begins_is_told_as_one(tmp_path, monkeypatch):
    def full(path: Path, **_: object) -> None:
        raise no_space("No space left on device", path)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(StoreFull, match="the event log cannot be written: No space") as told:
        EventLog(tmp_path / "log" / "shard.jsonl")
    assert told.value.exit_code == 74


def test_what_ended_the_shard_is_told_rather_than_the_log():
    def end_early() -> None:
        with EventLog(FULL) as log:
            log.write(*rows(1))
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        end_early()
