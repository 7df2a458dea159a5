from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.errors import Misconfigured, PlaceMissing, StoreFailed, WarehouseDamaged
from consumer.lake.published import COMMITTED, Batch, PartitionRange, Published, read_published, uncovered

LIST = Published(
    "clicks",
    "cluster",
    "topic-id",
    event_time="clicked_at",
    first_offsets={0: 0, 1: 2},
    next_offsets={0: 30, 1: 7},
    batches=[
        Batch(0, [PartitionRange(0, 0, 10, 9, 1, 0, 5_000_000_000)], ["events/a.parquet"], ["quarantine/q.parquet"]),
        Batch(
            1, [PartitionRange(0, 10, 30, 20, 0, 0, 7), PartitionRange(1, 2, 7, 4, 0, 1, 8)], hours=["2026-11-27/07"]
        ),
    ],
)


def test_a_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    LIST.write(tmp_path)
    assert read_published(tmp_path) == LIST
    assert [path.name for path in tmp_path.iterdir()] == [COMMITTED]


def test_a_list_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    LIST.write(tmp_path)
    (tmp_path / f".{COMMITTED}.draft").mkdir()
    with pytest.raises(StoreFailed, match="cannot be written"):
        replace(LIST, batches=[]).write(tmp_path)
    assert read_published(tmp_path) == LIST


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": 2}, Misconfigured),
        ({"batches": None}, WarehouseDamaged),
        ({"batches": [LIST.document()["batches"][0]] * 2}, WarehouseDamaged),
        ({"batches": [{**LIST.document()["batches"][0], "events": ["../elsewhere.parquet"]}]}, WarehouseDamaged),
        ({"table_format": "orc"}, WarehouseDamaged),
    ],
)
def test_a_list_that_is_none_of_ours_is_named(tmp_path: Path, change: dict, error: type[Exception]) -> None:
    path = tmp_path / COMMITTED
    path.write_text(json.dumps(LIST.document() | change))
    with pytest.raises(error, match=COMMITTED):
        read_published(tmp_path)


def test_a_folder_without_a_list_has_nothing_committed(tmp_path: Path) -> None:
    with pytest.raises(PlaceMissing, match="nothing is committed"):
        read_published(tmp_path)


def test_offsets_that_no_batch_or_two_batches_have_are_told() -> None:
    assert not list(uncovered(LIST))
    assert list(uncovered(replace(LIST, batches=LIST.batches[1:]))) == [
        "partition 0: offsets 0 to 9 are in no batch",
    ]
    assert list(uncovered(replace(LIST, batches=LIST.batches[:1]))) == [
        "partition 0: offsets 10 to 29 are in no batch",
        "partition 1: offsets 2 to 6 are in no batch",
    ]
    doubled = replace(LIST, batches=[*LIST.batches, replace(LIST.batches[0], batch_id=2)])
    assert list(uncovered(doubled)) == ["partition 0: batch 2 has offsets from 0, which another one has"]
    assert list(uncovered(replace(LIST, next_offsets={0: 20, 1: 7}))) == [
        "partition 0: the batches go to offset 30, and the next one is 20",
    ]
