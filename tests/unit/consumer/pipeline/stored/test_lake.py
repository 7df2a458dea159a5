"""A lake of ours is what its list names; each damage to it is named, and nothing else."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.errors import Misconfigured, PlaceMissing, StoreFailed
from consumer.pipeline.result import PipelineResult
from consumer.pipeline.stored.lake.place import LakePlace
from consumer.pipeline.stored.naming import stored_at
from schemas.identity import event_id
from schemas.manifest import CrcWindows
from tests.kit.lake_folder import LakeFolder, SetAside, lay_lake
from tests.unit.consumer.pipeline.lab import RUN, Lab

# 60 events of each of two shards, in three batches of two partitions: 20 rows a file.
LAB = Lab(per_shard=60)


@pytest.fixture
def lake(tmp_path: Path) -> LakeFolder:
    return lay_lake(tmp_path / "lake", "lab", LAB.rows())


def look(lake: LakeFolder, lab: Lab = LAB, **asked: object) -> PipelineResult:
    with LakePlace(lake.folder.parent, "lab").open() as rows:
        return lab.look(rows, **asked)


def ids(shard: int, first: int, end: int) -> list[str]:
    return [event_id(RUN, shard, n) for n in range(first, end)]


def test_a_whole_lake_passes_and_its_columns_are_compared(lake: LakeFolder) -> None:
    result = look(lake, compare=True)
    assert (result.verdict, result.findings.arrived, result.findings.contradictions) == ("PASSED", 120, [])
    assert result.findings.not_stored == []
    assert "list of 3 batches" in result.as_of


def test_the_folder_of_the_topic_is_as_good_as_that_of_the_lake(lake: LakeFolder) -> None:
    place = stored_at(f"lake:{lake.folder}", topic="whatever")
    with place.open() as rows:
        assert LAB.look(rows).verdict == "PASSED"


def delete_a_file(lake: LakeFolder) -> None:
    lake.file(1).unlink()


def copy_into_another_batch(lake: LakeFolder) -> None:
    shutil.copy(lake.file(0), lake.file(2).with_name("part-9.parquet"))


def put_in_the_place_of_another(lake: LakeFolder) -> None:
    shutil.copy(lake.file(0), lake.file(2))


def double_a_row(lake: LakeFolder) -> None:
    table = pq.read_table(lake.file(2), partitioning=None)
    lake.rewrite(lake.file(2), pa.concat_tables([table, table.slice(3, 1)]))


def remove_a_row(lake: LakeFolder) -> None:
    table = pq.read_table(lake.file(2), partitioning=None)
    lake.rewrite(lake.file(2), pa.concat_tables([table.slice(0, 3), table.slice(4)]))


def edit_a_row(lake: LakeFolder) -> None:
    table = pq.read_table(lake.file(2), partitioning=None)
    counts = table.column("count").to_pylist()
    counts[3] += 1
    at = table.schema.get_field_index("count")
    lake.rewrite(lake.file(2), table.set_column(at, "count", pa.array(counts)))


def edit_a_checksum(lake: LakeFolder) -> None:
    table = pq.read_table(lake.file(2), partitioning=None)
    sums = table.column("value_crc").to_pylist()
    sums[3] ^= 1
    at = table.schema.get_field_index("value_crc")
    lake.rewrite(lake.file(2), table.set_column(at, "value_crc", pa.array(sums)))


def take_a_batch_out(lake: LakeFolder) -> None:
    lake.relist(lake.published.batches[1:])


def list_a_batch_twice(lake: LakeFolder) -> None:
    batches = lake.published.batches
    lake.relist([*batches, replace(batches[0], batch_id=7)])


@pytest.mark.parametrize(
    ("damage", "classes", "said"),
    [
        (
            delete_a_file,
            {"lost": ids(0, 40, 60)},
            [
                (
                    "batch 1: events/date=2026-11-27/hour=01/batch_id=1/part-0.parquet is gone; "
                    "partition 0 has 0 of 20 events"
                )
            ],
        ),
        (
            copy_into_another_batch,
            {},
            ["batch 2: events/date=2026-11-27/hour=02/batch_id=2/part-9.parquet lies in its folder, and is not listed"],
        ),
        (
            put_in_the_place_of_another,
            {"lost": ids(1, 20, 40), "duplicated": ids(0, 0, 20)},
            [
                (
                    "batch 2: partition 0 has offsets outside of 40 to 59; "
                    "the checksums of partition 0 do not add up to what is listed"
                )
            ],
        ),
        (double_a_row, {"duplicated": ids(1, 23, 24)}, ["batch 2: partition 0 has 21 of 20 events"]),
        (remove_a_row, {"lost": ids(1, 23, 24)}, ["batch 2: partition 0 has 19 of 20 events"]),
        (edit_a_row, {"altered": ids(1, 23, 24)}, []),
        (edit_a_checksum, {}, ["batch 2: the checksums of partition 0 do not add up to what is listed"]),
        (
            take_a_batch_out,
            {"lost": ids(0, 0, 40)},
            [f"partition {partition}: offsets 0 to 19 are in no batch" for partition in (0, 1)],
        ),
        (
            list_a_batch_twice,
            {"duplicated": ids(0, 0, 40)},
            [
                (
                    "batch 7: events/date=2026-11-27/hour=00/batch_id=0/part-0.parquet is listed by batch 0 as well; "
                    "events/date=2026-11-27/hour=00/batch_id=0/part-1.parquet is listed by batch 0 as well"
                ),
                "partition 0: batch 7 has offsets from 0, which another one has",
                "partition 1: batch 7 has offsets from 0, which another one has",
            ],
        ),
    ],
)
def test_each_damage_is_named_and_nothing_else(
    lake: LakeFolder, damage: Callable[[LakeFolder], None], classes: dict[str, list[str]], said: list[str]
) -> None:
    damage(lake)
    result = look(lake, compare=True)
    assert result.verdict == "FAILED"
    assert {name: number for name, number in result.findings.counts.items() if number} == {
        name: len(named) for name, named in classes.items()
    }
    for name, named in classes.items():
        assert [each.event_id for each in result.findings.examples[name]] == named[:10]
    assert result.findings.contradictions == said


def test_files_of_no_listed_batch_are_told_and_do_not_count(lake: LakeFolder) -> None:
    stray = lake.folder / "events/date=2026-11-27/hour=00/batch_id=3/part-0.parquet"
    stray.parent.mkdir(parents=True)
    shutil.copy(lake.file(0), stray)
    result = look(lake)
    assert result.verdict == "PASSED"
    assert any("batch_id=3/part-0.parquet" in note for note in result.findings.notes)


def test_an_event_that_lies_in_the_quarantine_is_lost_and_the_quarantine_is_named(tmp_path: Path) -> None:
    rows = LAB.rows().slice(0, 118)  # the last two of shard 1 could not be read
    aside = [SetAside(event_id(RUN, 1, n)) for n in (58, 59)] + [SetAside(None)]
    lake = lay_lake(tmp_path / "lake", "lab", rows, aside=aside)
    result = look(lake)
    assert (result.verdict, result.findings.lost, result.findings.contradictions) == ("FAILED", 2, [])
    (note,) = [note for note in result.findings.notes if "lost events" in note]
    assert note.startswith(f"2 of the lost events lie in the quarantine (truncated); the first: {event_id(RUN, 1, 58)}")
    assert "quarantine/batch_id=2/part-0.parquet, partition 0 offset" in note
    assert any(note.endswith("quarantine: 3") for note in result.findings.notes)


def test_bytes_that_were_changed_in_the_quarantine_are_named(tmp_path: Path) -> None:
    lake = lay_lake(tmp_path / "lake", "lab", LAB.rows(), aside=[SetAside(None)])
    path = lake.folder / lake.published.batches[2].quarantine[0]
    table = pq.read_table(path, partitioning=None)
    at = table.schema.get_field_index("value")
    lake.rewrite(path, table.set_column(at, "value", pa.array([b"another value"], pa.binary())))
    assert look(lake).findings.contradictions == [
        "batch 2: 1 quarantined records of partition 0 have other bytes than came from Kafka"
    ]


def test_what_is_published_while_it_is_read_is_another_moment(lake: LakeFolder) -> None:
    later = lake.published.batches
    lake.relist(later[:2], {0: 40, 1: 40})
    with LakePlace(lake.folder, "lab").open() as rows:
        lake.relist(later, {0: 60, 1: 60})
        assert LAB.look(rows).findings.arrived == 80
        assert (rows.changed(), rows.contradictions()) == ("", [])


def test_what_is_no_lake_is_refused_in_words(tmp_path: Path, lake: LakeFolder) -> None:
    with (
        pytest.raises(PlaceMissing, match="the lake has no topic labs, did you mean lab"),
        LakePlace(lake.folder.parent, "labs").open(),
    ):
        pass
    with pytest.raises(PlaceMissing, match="no topic lab"), LakePlace(tmp_path / "nowhere", "lab").open():
        pass
    shutil.rmtree(lake.folder / "events")
    with (
        pytest.raises(StoreFailed, match="all 6 files that the list names are gone"),
        LakePlace(lake.folder, "lab").open(),
    ):
        pass
    with pytest.raises(Misconfigured, match="no folder"):
        stored_at("lake:", topic="lab")


def test_its_files_read_as_files_tell_of_the_list(lake: LakeFolder) -> None:
    with stored_at(f"{lake.folder}/events").open() as rows:
        assert any(f"--at lake:{lake.folder}" in note for note in rows.notes())
    with pytest.raises(Misconfigured, match=f"Give --at lake:{lake.folder}"), stored_at(str(lake.folder)).open():
        pass


def summed_lab() -> Lab:
    """The run of the lake, whose shards say the sums of checksums of every 20 of their events."""
    lab = Lab(per_shard=60)
    for shard in range(2):
        crcs = [zlib.crc32(b"value %d" % (60 * shard + n)) for n in range(60)]
        windows = CrcWindows(size=20, sums=[sum(crcs[at : at + 20]) for at in range(0, 60, 20)])
        lab.manifests[shard] = lab.manifest(shard, crc=windows)
    return lab


def test_checksums_of_the_values_as_they_came_are_held_against_the_shards_sums(lake: LakeFolder) -> None:
    lab = summed_lab()
    whole = look(lake, lab)
    assert (whole.verdict, whole.findings.summed) == ("PASSED", 120)
    assert "the checksums of 120 values, as they came, add up to what was sent" in whole.reason
    edit_a_checksum(lake)
    odd = look(lake, lab)
    assert (odd.verdict, odd.findings.altered, odd.findings.summed) == ("FAILED", 1, 120)
    (named,) = odd.findings.examples["altered"]
    assert (named.shard, named.note) == (1, "a checksum of sequences 20 to 39 is not what the shard says")


def test_checksums_of_a_window_that_is_not_whole_say_nothing(lake: LakeFolder) -> None:
    remove_a_row(lake)
    result = look(lake, summed_lab(), compare=True)
    assert (result.findings.lost, result.findings.altered, result.findings.summed) == (1, 0, 100)
