"""What a worker does with its share of a batch, without Spark: files, counts, and what the driver has to find out."""

from __future__ import annotations

import io
import json
import struct
import sys
import zlib
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumer.lake.job.columns import LakeColumns
from consumer.lake.job.files import HourlyFiles
from consumer.lake.job.shelf import Judged, Shelf
from consumer.lake.job.task import BatchPlan, Share, run_task
from schemas.formats import WrittenSchema
from schemas.formats.headers import VALUE_SCHEMA
from schemas.types.tree import parse
from schemas.undecodable import UndecodableValue
from tests.kit.carried import KnownSchemas

TEXT = '{"type":"record","name":"N","fields":[{"name":"n","type":"long"},{"name":"at","type":"long"}]}'
HOUR_MS = 3_600_000


def value(n: int, at: int, schema_id: int = 7) -> bytes:
    payload = io.BytesIO()
    fastavro.schemaless_writer(payload, fastavro.parse_schema(json.loads(TEXT)), {"n": n, "at": at})
    return struct.pack(">bI", 0, schema_id) + payload.getvalue()


def batch(
    values: list[bytes | None],
    first: int = 0,
    *,
    headers: list[dict[str, Any]] | None = None,
    key: bytes = b"k",
    time_us: int = 1_000,
) -> pa.RecordBatch:
    """Make records as Spark gives them; each has the same headers."""
    count = len(values)
    said = None if headers is None else json.dumps(headers)
    return pa.RecordBatch.from_pydict(
        {
            "partition": pa.array([0] * count, pa.int32()),
            "offset": pa.array(range(first, first + count), pa.int64()),
            "timestamp": pa.array([time_us] * count, pa.timestamp("us", tz="UTC")),
            "key": pa.array([key] * count, pa.binary()),
            "value": pa.array(values, pa.binary()),
            "headers": pa.array([said] * count, pa.string()),
        }
    )


def planned(folder: Path, **more: Any) -> BatchPlan:
    written = WrittenSchema(TEXT)
    columns, places = LakeColumns().grown(parse(TEXT))
    return BatchPlan(str(folder), 3, columns, {7: Judged(written, places, "at", record_name="N")}, **more)


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


def header(name: str, content: bytes) -> dict[str, str]:
    return {"key": name, "value": b64encode(content).decode()}


def rows_of(folder: Path, said: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for file, _ in said["files"] for row in pq.read_table(folder / file, partitioning=None).to_pylist()]


def test_what_a_record_carries_is_in_columns_of_its_own(tmp_path: Path) -> None:
    key_text = '{"type":"record","name":"K","namespace":"com.a","fields":[{"name":"id","type":"long"}]}'
    key = struct.pack(">bI", 0, 5) + b"\x0e"
    share = Share(planned(tmp_path, plain_asked=True, keys={(5, False): key_text}), "part-0.parquet")
    strange_us = 253_402_300_800_000_000
    share.take(batch([value(1, 0)], headers=[header("a", b"\xff"), {"key": "b"}], key=key, time_us=strange_us))
    share.take(batch([value(2, 0)], first=1))
    first, second = rows_of(tmp_path, share.end())
    assert first["kafka_headers"] == [{"name": "a", "value": b"\xff"}, {"name": "b", "value": None}]
    assert (first["kafka_timestamp"], first["kafka_timestamp_ms"]) == (None, strange_us // 1_000)
    assert (first["kafka_key"], first["kafka_key_json"]) == (key, '{"id":7}')
    assert [second[f"kafka_{name}"] for name in ("headers", "timestamp_ms", "key_json")] == [None] * 3
    assert [row["kafka_record_name"] for row in (first, second)] == ["N", "N"]


def test_a_schema_or_a_key_that_nobody_asked_about_is_asked_for(tmp_path: Path) -> None:
    share = Share(planned(tmp_path, plain_asked=True), "part-0.parquet")
    guid = UUID(int=7)
    share.take(batch([value(1, 0)], headers=[header(VALUE_SCHEMA, b"\1" + guid.bytes)]))
    assert share.end() == {"unknown": [], "plain": False, "guids": [str(guid)]}
    share = Share(planned(tmp_path, plain_asked=True), "part-1.parquet")
    share.take(batch([value(1, 0)], key=struct.pack(">bI", 0, 5) + b"\x0e"))
    assert share.end() == {"unknown": [], "plain": False, "keys": [(5, False)]}


def test_a_foreign_schema_gets_columns_only_after_a_value_of_it_was_decoded(tmp_path: Path) -> None:
    plan = planned(tmp_path, plain_asked=True)
    plan = replace(plan, judged={**plan.judged, 8: Judged(WrittenSchema(TEXT), None)})
    share = Share(plan, "part-0.parquet")
    share.take(batch([value(1, 0), value(2, 0, schema_id=8)[:-1]]))
    assert share.end()["counts"]["0"][:2] == [1, 1]
    share = Share(plan, "part-1.parquet")
    share.take(batch([value(1, 0), value(2, 0, schema_id=8)]))
    assert share.end() == {"unknown": [], "plain": False, "read": [8]}


def test_the_driver_makes_columns_of_the_topics_own_schemas_at_once_and_of_foreign_ones_when_they_are_read(
    tmp_path: Path,
) -> None:
    foreign = {"type": "record", "name": "F", "namespace": "x", "fields": [{"name": "theirs", "type": "string"}]}
    known = KnownSchemas({7: json.loads(TEXT), 8: foreign}, subjects={7: ["t-value"], 8: ["other-value"]})
    shelf = Shelf(tmp_path, "t", known, event_time="", widen=True)
    shelf.learn([8, 7])
    assert "theirs" not in shelf.columns.arrow_schema().names
    assert shelf.judged[7].places is not None
    assert (shelf.judged[8].places, sorted(shelf.kept)) == (None, [7])
    shelf.place(8)
    assert "theirs" in shelf.columns.arrow_schema().names
    assert shelf.judged[8].record_name == "x.F"
