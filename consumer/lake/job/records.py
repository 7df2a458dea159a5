"""Records as Spark hands them to a worker, with the members that the loader's code asks for."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cluster.records import Headers, Records, Rows


class SparkRecords(Records):
    """Records of Spark's source for Kafka: ``messages`` is the batch with its columns.

    The columns are ``partition, offset, timestamp, key, value, headers``; headers are JSON, with bytes in base64.
    """

    __slots__ = ()

    @classmethod
    def of_batch(cls, batch: pa.RecordBatch) -> Self:
        """Read what everybody needs."""
        values: list[bytes | None] = batch.column("value").to_pylist()
        solid: list[Any] = [value or b"" for value in values] if None in values else list(values)
        columns: Any = batch  # indexed by name below
        return cls(
            columns,
            values,
            _numbers(batch.column("partition")).astype(np.int32),
            _numbers(batch.column("offset")),
            np.fromiter(map(zlib.crc32, solid), np.uint32, len(values)),
            np.fromiter(map(len, solid), np.int64, len(values)),
        )

    def keys(self, rows: Rows) -> list[bytes | None]:
        """Return the keys of ``rows``."""
        keys: list[bytes | None] = self._some("key", rows).to_pylist()
        return keys

    def times_ms(self, rows: Rows) -> NDArray[np.int64]:
        """Return the timestamps of ``rows``; below 0 where a record carries none."""
        return _numbers(self._some("timestamp", rows).cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64()))

    def headers(self, rows: Rows) -> list[Headers | None]:
        """Return the headers of ``rows``."""
        return [None if each is None else _headers(each) for each in self._some("headers", rows).to_pylist()]

    def _some(self, name: str, rows: Rows) -> Any:
        batch: Any = self.messages
        column = batch.column(name)
        return column if len(rows) == len(column) else column.take(pa.array(rows))


def _headers(said: str) -> Headers:
    return [(one["key"], b64decode(one["value"]) if "value" in one else None) for one in json.loads(said)]


def _numbers(column: Any) -> NDArray[np.int64]:
    found: NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    return found
