"""A table of Delta Lake is the files of its newest version: its log says which, by the library of the lake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.errors import Misconfigured, PlaceMissing, StoreFailed
from consumer.pipeline.result import PipelineResult
from consumer.pipeline.stored.lake import delta
from consumer.pipeline.stored.naming import stored_at
from stack.parts.spark import lake_python
from tests.unit.consumer.pipeline.lab import Lab

LAB = Lab(per_shard=60)
# Three versions: all rows but the last, these overwritten by themselves, and the last row; by event_type.
_WRITE = """
import sys, pyarrow.parquet as pq
from deltalake import write_deltalake
rows, table = pq.read_table(sys.argv[1]), sys.argv[2]
write_deltalake(table, rows.slice(0, len(rows) - 1), partition_by=["event_type"])
write_deltalake(table, rows.slice(0, len(rows) - 1), mode="overwrite")
write_deltalake(table, rows.slice(len(rows) - 1), mode="append")
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("delta")
    pq.write_table(LAB.rows(), folder / "rows.parquet")
    subprocess.run([lake_python(), "-c", _WRITE, folder / "rows.parquet", folder / "table"], check=True)
    return folder / "table"


@pytest.fixture
def table(written: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "table"
    subprocess.run(["cp", "-r", written, copied], check=True)
    return copied


def look(table: Path, **asked: object) -> PipelineResult:
    with stored_at(f"delta:{table}").open() as rows:
        return LAB.look(rows, **asked)


def live_file(table: Path) -> str:
    """Return a file of the newest version."""
    return delta.newest_version(table).files[0].path


def test_the_newest_version_is_read_and_what_it_replaced_is_not(table: Path) -> None:
    result = look(table, compare=True)
    assert (result.verdict, result.findings.arrived, result.findings.duplicated) == ("PASSED", 120, 0)
    assert result.as_of.startswith("version 2 of 20")
    assert "event_type" in result.findings.compared  # which its folders and its log say, and no file


def test_a_file_that_is_gone_or_changed_is_named(table: Path) -> None:
    path = table / live_file(table)
    pq.write_table(pa.concat_tables([pq.read_table(path, partitioning=None)] * 2), path)
    result = look(table)
    assert (result.verdict, result.findings.duplicated > 0) == ("FAILED", True)
    assert [f"{path.relative_to(table)} has" in each for each in result.findings.contradictions] == [True]
    path.unlink()
    result = look(table)
    assert (result.verdict, result.findings.lost > 0) == ("FAILED", True)
    assert [f"{path.relative_to(table)} of version 2 is gone" in each for each in result.findings.contradictions] == [
        True
    ]


def test_a_feature_that_changes_what_files_say_is_refused(table: Path) -> None:
    said = {
        "protocol": {
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": ["deletionVectors"],
            "writerFeatures": ["deletionVectors"],
        }
    }
    (table / "_delta_log" / f"{3:020d}.json").write_text(json.dumps(said) + "\n")
    with pytest.raises(Misconfigured, match="does not know: deletionVectors"):
        look(table)


def test_who_cannot_read_the_log_says_what_to_do(table: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAMPROOF_LAKE_PYTHON", str(tmp_path / "none"))
    with pytest.raises(Misconfigured, match="make lake"):
        look(table)
    monkeypatch.setenv("STREAMPROOF_LAKE_PYTHON", sys.executable)
    with pytest.raises(Misconfigured, match="has no library deltalake"):
        look(table)
    monkeypatch.delenv("STREAMPROOF_LAKE_PYTHON")
    (table / "_delta_log" / f"{2:020d}.json").write_text("{")
    with pytest.raises(StoreFailed, match="log of the Delta table cannot be read"):
        look(table)


def test_what_is_no_table_is_refused(table: Path, tmp_path: Path) -> None:
    with pytest.raises(PlaceMissing, match="no Delta table"):
        look(tmp_path)
    with pytest.raises(Misconfigured, match=f"Give --at delta:{table}"), stored_at(str(table)).open():
        pass
