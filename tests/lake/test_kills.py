"""A job that is killed at any point leaves a batch listed, or to be done again; every reader sees the same rows."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from consumer.lake.published import uncovered
from tests.kit.depth import LAKE_KILLS
from tests.kit.filled_topic import FilledTopic
from tests.lake.conftest import Lake

VALUES = 1_500
SCHEMA = {"type": "record", "name": "N", "fields": [{"name": "n", "type": "long"}, {"name": "at", "type": "long"}]}
BROKEN = b"\x00no frame of ours"


def filled(topic: FilledTopic) -> list[list[int]]:
    """Write values of several hours to two partitions, some of them broken; return the rows that a lake is to hold."""
    values = topic.avro(SCHEMA, ({"n": n, "at": 1_700_000_000_000 + n % 3 * 3_600_000} for n in range(VALUES)))
    wanted = []
    for partition in range(2):
        mine = [value if at % 100 else BROKEN for at, value in enumerate(values[partition::2])]
        topic.send(mine, partition=partition)
        wanted += [[partition, at, zlib.crc32(value)] for at, value in enumerate(mine) if value is not BROKEN]
    return wanted


def whole(lake: Lake, wanted: list[list[int]]) -> int:
    """Hold what is listed against the topic: complete up to the listed positions, and nothing twice."""
    listed = lake.listed()
    assert list(uncovered(listed)) == []
    below = [row for row in wanted if row[1] < listed.next_offsets.get(row[0], 0)]
    assert (lake.held() if lake.files() else []) == below
    for batch in listed.batches:
        assert all((lake.folder / listed.topic / name).is_file() for name in (*batch.events, *batch.quarantine))
    return len(below)


@pytest.mark.timeout(1500)
def test_no_row_is_lost_or_doubled_wherever_a_job_is_killed(
    new_topic: Callable[..., FilledTopic], new_lake: Callable[..., Lake]
) -> None:
    topic = new_topic(partitions=2)
    wanted = filled(topic)
    lake = new_lake(topic.name)
    options = {"max_records": 300, "event_times": {topic.name: "at"}}
    for at in LAKE_KILLS:
        if at.startswith("half-begun") or at.endswith("!"):
            shutil.rmtree(lake.folder / topic.name / "checkpoint", ignore_errors=True)
        lake.take_until_killed(at.rstrip("!"), **options)
        whole(lake, wanted)
    # The checkpoint is lost between two runs: the list knows where to go on.
    shutil.rmtree(lake.folder / topic.name / "checkpoint")
    lake.take(**options)
    assert lake.take(**options).topics[0].rows == 0
    assert whole(lake, wanted) == len(wanted)
    ids = [batch.batch_id for batch in lake.listed().batches]
    assert ids == list(range(len(ids)))
    # What killed jobs left is gone: a glob sees what the list names.
    found = sorted(str(path) for path in (lake.folder / topic.name / "events").rglob("*.parquet"))
    assert found == sorted(lake.files())
    seen = lake.read("polars", "spark")
    assert seen["polars"] == seen["spark"] == wanted
    assert sum(batch.quarantined for batch in lake.listed().batches) == VALUES - len(wanted)


@pytest.mark.timeout(1500)
def test_a_delta_table_has_each_row_once_after_a_kill_between_its_commit_and_the_list(
    new_topic: Callable[..., FilledTopic], new_lake: Callable[..., Lake]
) -> None:
    topic = new_topic(partitions=2)
    wanted = filled(topic)
    lake = new_lake(topic.name)
    options = {"max_records": 800, "table_format": "delta"}
    lake.take_until_killed("moved:0", **options)
    # Another cut of the batches: what Delta has of batch 0 is none that will come again.
    shutil.rmtree(lake.folder / topic.name / "checkpoint")
    lake.take(**options | {"max_records": 1_000})
    seen = lake.read("delta", "deltalake")
    assert seen["delta"] == seen["deltalake"] == wanted
    assert [batch.version is not None for batch in lake.listed().batches] == [True, True]
    assert not lake.files()
    assert Path(lake.folder / topic.name / "events" / "_delta_log").is_dir()
