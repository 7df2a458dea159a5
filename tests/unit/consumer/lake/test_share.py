"""What a worker does with its share of a batch, without Spark: files, counts, and what the driver has to find out."""

from __future__ import annotations

import io
import json
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumer.lake.job.columns import LakeColumns
from consumer.lake.job.files import HourlyFiles
from consumer.lake.job.shelf import Judged
from consumer.lake.job.task import BatchPlan, Share, run_task
from schemas.formats import WrittenSchema
from schemas.types.tree import parse
from schemas.undecodable import UndecodableValue

TEXT = '{"type":"record","name":"N","fields":[{"name":"n","type":"long"},{"name":"at","type":"long"}]}'
HOUR_MS = 3_600_000


def value(n: int, at: int, schema_id: int = 7) -> bytes:
    payload = io.BytesIO()
    fastavro.schemaless_writer(payload, fastavro.parse_schema(json.loads(TEXT)), {"n": n, "at": at})
    return struct.pack(">bI", 0, schema_id) + payload.getvalue()


def batch(values: list[bytes | None], first: int = 0) -> pa.RecordBatch:
    count = len(values)
    return pa.RecordBatch.from_pydict(
        {
            "partition": pa.array([0] * count, pa.int32()),
            "offset": pa.array(range(first, first + count), pa.int64()),
            "timestamp": pa.array([1_000] * count, pa.timestamp("us", tz="UTC")),
            "key": pa.array([b"k"] * count, pa.binary()),
            "value": pa.array(values, pa.binary()),
            "headers": pa.nulls(count, pa.string()),
        }
    )


def planned(folder: Path, **more: Any) -> BatchPlan:
    written = WrittenSchema(TEXT)
    columns, places = LakeColumns().grown(parse(TEXT))
    return BatchPlan(str(folder), 3, columns, {7: Judged(written, places, "at")}, **more)


def test_rows_go_to_the_hour_of_their_event_and_every_record_is_counted(tmp_path: Path) -> None:
    share = Share(planned(tmp_path, plain_asked=True), "part-0.parquet")
    values = [value(n, n % 2 * HOUR_MS) for n in range(4)]
    share.take(batch([*values, None]))
    share.take(batch([b"broken", value(9, -(1 << 62))], first=5))
    said = share.end()
    files = [f"events/date=1970-01-01/hour=0{hour}/batch_id=3/part-0.parquet" for hour in (0, 1)]
    assert [tuple(each) for each in said["files"]] == [(files[0], "1970-01-01/00"), (files[1], "1970-01-01/01")]
    # A time that no folder can name gives way to that of the record.
    assert pq.read_table(tmp_path / files[0], partitioning=None)["n"].to_pylist() == [0, 2, 9]
    sums = sum(zlib.crc32(one) for one in (*values, b"broken", value(9, -(1 << 62))))
    assert said["counts"] == {"0": [5, 1, 1, sums, 0, 6]}
    (aside,) = said["quarantine"]
    assert pq.read_table(tmp_path / aside, partitioning=None)["value"].to_pylist() == [b"broken"]


def test_a_schema_that_nobody_judged_is_asked_for_and_nothing_of_the_share_counts(tmp_path: Path) -> None:
    share = Share(planned(tmp_path), "part-0.parquet")
    share.take(batch([value(1, 0)]))
    share.take(batch([value(2, 0, schema_id=8), b"plain"]))
    share.take(batch([value(3, 0, schema_id=9)]))
    assert share.end() == {"unknown": [8, 9], "plain": True}


def test_a_schema_that_was_judged_unfit_sends_its_values_aside(tmp_path: Path) -> None:
    plan = planned(tmp_path, plain_asked=True)
    fault = UndecodableValue("schema_conflict", "n is text now", phase="schema")
    judged = {**plan.judged, 8: Judged(None, fault=fault)}
    share = Share(replace(plan, judged=judged), "part.parquet")
    share.take(batch([value(1, 0, schema_id=8)]))
    (aside,) = share.end()["quarantine"]
    kept = pq.read_table(tmp_path / aside, partitioning=None).to_pylist()[0]
    assert (kept["error_class"], kept["phase"], kept["schema_id"]) == ("schema_conflict", "schema", 8)


def test_a_full_disk_is_said_and_no_error_of_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(HourlyFiles, "close", full)
    outside = SimpleNamespace(TaskContext=SimpleNamespace(get=lambda: None))  # pyspark is not in this environment
    monkeypatch.setitem(sys.modules, "pyspark", outside)
    (said,) = run_task(planned(tmp_path), iter([batch([value(1, 0)])]))
    assert said.to_pydict() == {"said": ['{"failed": {"full": true, "why": "No space left on device"}}']}
