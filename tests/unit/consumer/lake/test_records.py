"""Records as Spark hands them over, with the members that the loader's code asks for."""

from __future__ import annotations

import zlib

import numpy as np
import pyarrow as pa

from consumer.lake.job.records import SparkRecords


def test_records_of_spark_say_what_kafkas_messages_say() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "partition": pa.array([1, 1, 0], pa.int32()),
            "offset": pa.array([5, 6, 9], pa.int64()),
            "timestamp": pa.array([1_000_000, -1_000, None], pa.timestamp("us", tz="UTC")),
            "key": pa.array([b"k", None, b""], pa.binary()),
            "value": pa.array([b"value", None, b""], pa.binary()),
            "headers": pa.array(['[{"key":"a","value":"AP8="},{"key":"b"}]', None, "[]"]),
        }
    )
    records = SparkRecords.of_batch(batch)
    every = np.arange(3)
    assert records.values == [b"value", None, b""]
    assert records.partitions.tolist() == [1, 1, 0]
    assert records.crcs.tolist() == [zlib.crc32(b"value"), 0, 0]
    assert records.keys(every) == [b"k", None, b""]
    assert records.times_ms(every).tolist() == [1_000, -1, -1]
    assert records.headers(every) == [[("a", b"\x00\xff"), ("b", None)], None, []]
    assert records.keys(np.array([2])) == [b""]
    assert records.payloads(np.array([0]), 2) == [b"lue"]
