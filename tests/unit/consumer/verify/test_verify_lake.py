"""A topic of a lake is proved from its list, and held against a warehouse of the same topic."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from consumer.sinks.duckdb.warehouse import lay_tables
from consumer.verify import Verification
from consumer.verify.lake import is_lake, verify_lake
from tests.kit.lake_folder import LakeFolder, SetAside, lay_lake
from tests.unit.consumer.pipeline.lab import Lab

ASIDE = [SetAside(None, b"a", "truncated"), SetAside(None, b"b", "trailing_bytes")]


@pytest.fixture
def lake(tmp_path: Path) -> LakeFolder:
    return lay_lake(tmp_path / "lake", "lab", Lab(per_shard=30).rows(), aside=ASIDE)


def warehouse_of(lake: LakeFolder, path: Path, change: str = "") -> Path:
    """Write what the loader would have: one batch for each partition, over all of the lake's."""
    listed = lake.published
    with duckdb.connect(str(path)) as file:
        lay_tables(file)
        file.execute("INSERT INTO meta VALUES ('format', '5')")
        for partition, end in listed.next_offsets.items():
            parts = [each for batch in listed.batches for each in batch.partitions if each.partition == partition]
            rows, aside, sums = (
                sum(getattr(each, name) for each in parts) for name in ("rows", "quarantined", "crc_sum")
            )
            file.execute("INSERT INTO load_offsets VALUES ('cluster', 'lab', 'topic-id', ?, ?)", [partition, end])
            file.execute(
                "INSERT INTO load_batches VALUES (0, 'x', now(), ?, 0, ?, ?, ?, 0, 0, 0, [1], ?, 0, 0, 0, 0)",
                [partition, end, rows, aside, sums],
            )
        first = listed.next_offsets[0] - len(ASIDE)
        for number, each in enumerate(ASIDE):
            file.execute(
                "INSERT INTO quarantine VALUES (0, ?, NULL, NULL, ?, NULL, NULL, 'decode', ?, 'x', 0, 0, NULL)",
                [first + number, each.value, each.error_class],
            )
        file.execute(change or "SELECT 1")
    return path


def said(found: Verification) -> dict[str, list[str]]:
    return {proof.name: proof.faults for proof in found.proofs}


def test_lake_and_warehouse_of_the_same_records_agree_whatever_their_batches_are(
    lake: LakeFolder, tmp_path: Path
) -> None:
    assert is_lake(lake.folder)
    assert not is_lake(lake.folder.parent)
    found = verify_lake(lake.folder, warehouse_of(lake, tmp_path / "w.duckdb"))
    assert (found.verdict, said(found)) == ("PASSED", {"list": [], "parity": []})
    assert found.proofs[1].looked_at == "2 ranges, 62 offsets"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            "UPDATE load_batches SET events = events + 1 WHERE partition = 1",
            "events: 30 in the lake, 31 in the warehouse",
        ),
        ("UPDATE load_batches SET tombstones = 1 WHERE partition = 1", "tombstones: 0 in the lake, 1"),
        ("UPDATE load_batches SET crc_sum = crc_sum + 1 WHERE partition = 1", "sum of checksums"),
        (
            "UPDATE quarantine SET error_class = 'truncated'",
            "quarantined as decode trailing_bytes: 1 in the lake, 0 in the warehouse",
        ),
    ],
)
def test_each_difference_is_named_with_its_range(lake: LakeFolder, tmp_path: Path, change: str, fault: str) -> None:
    found = verify_lake(lake.folder, warehouse_of(lake, tmp_path / "w.duckdb", change))
    assert found.verdict == "FAILED"
    assert any(each.startswith("partition ") and fault in each for each in said(found)["parity"])


def test_what_only_one_of_them_has_is_told_and_not_compared(lake: LakeFolder, tmp_path: Path) -> None:
    whole = warehouse_of(lake, tmp_path / "w.duckdb")
    lake.relist(lake.published.batches[:1], {0: 10, 1: 10})
    for batch in (1, 2):
        for folder in lake.folder.rglob(f"batch_id={batch}"):
            shutil.rmtree(folder)
    found = verify_lake(lake.folder, whole)
    assert (found.verdict, found.proofs[1].looked_at) == ("UNKNOWN", "0 ranges, 0 offsets")
    assert any("were not compared" in note for note in found.proofs[1].notes)


def test_a_lake_of_another_topic_and_a_damaged_one_fail(lake: LakeFolder, tmp_path: Path) -> None:
    other = warehouse_of(lake, tmp_path / "o.duckdb", "UPDATE load_offsets SET topic_id = 'another'")
    assert "the warehouse is of" in said(verify_lake(lake.folder, other))["parity"][0]
    lake.file(1).unlink()
    assert "is gone" in said(verify_lake(lake.folder))["list"][0]
