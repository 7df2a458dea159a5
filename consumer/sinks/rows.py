"""Rows of the quarantine and of tombstones, as columns: what every store keeps of records that are not events."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.records import Records
from consumer.sinks.batch import Chunk, Reject, headers_column, ids_in_headers, times


def quarantine_rows(records: Records, rejects: list[Reject]) -> pa.Table:
    """Return the rows of the table ``quarantine``, all columns but the batch."""
    rows = np.array([reject.row for reject in rejects], dtype=np.int64)
    return pa.table(
        {
            "_partition": records.partitions[rows],
            "_offset": records.offsets[rows],
            **times(records, rows),
            "key": pa.array(records.keys(rows), pa.binary()),
            "value": pa.array([records.values[row] for row in rows.tolist()], pa.binary()),
            "headers": headers_column(records.headers(rows)),
            "schema_id": pa.array([reject.schema_id for reject in rejects], pa.int32()),
            "phase": [reject.phase for reject in rejects],
            "error_class": [reject.kind for reject in rejects],
            "error": [reject.message for reject in rejects],
            "crc32": records.crcs[rows],
        }
    )


def named_tombstones(chunk: Chunk) -> pa.Table | None:
    """Return the tombstones that say which event they stand for, ``None`` if there are none."""
    records = chunk.records
    if None not in records.values:
        return None
    rows = np.array([row for row, value in enumerate(records.values) if value is None], dtype=np.int64)
    table = pa.table(
        {
            "_partition": records.partitions[rows],
            "_offset": records.offsets[rows],
            **times(records, rows),
            "key": pa.array(records.keys(rows), pa.binary()),
            "event_id": ids_in_headers(records, rows),
        }
    )
    named = table.filter(pc.is_valid(table.column("event_id")))
    return named if len(named) else None
