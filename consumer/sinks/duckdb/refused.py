"""Rows that decode and that DuckDB still refuses: a number or a time beyond the range of the table's type.

They are rare (the decoder checks ranges first), so they are looked for only after an insert has failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa

from consumer.sinks.batch import Chunk, EventGroup, Reject

# What a row can be blamed for; everything else that DuckDB raises is the store's.
DATA_ERRORS = (
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.OutOfRangeException,
    duckdb.TypeMismatchException,
    duckdb.ConstraintException,
    duckdb.NotImplementedException,
    pa.ArrowException,
)


def set_apart(chunk: Chunk, insert: Callable[[pa.Table], None]) -> Chunk:
    """Return the chunk with the rows that ``insert`` fails on as rejects of phase ``insert``."""
    groups: list[EventGroup] = []
    rejects = list(chunk.rejects)
    for group in chunk.groups:
        refused = _refused_rows(group.table, insert)
        rejects += [
            Reject(int(group.rows[at]), group.schema_id, "insert", "refused_by_store", why)
            for at, why in refused.items()
        ]
        keep = np.setdiff1d(np.arange(len(group.rows)), list(refused))
        if len(keep):
            groups.append(_only(group, keep) if refused else group)
    rejects.sort(key=lambda reject: reject.row)
    return replace(chunk, groups=groups, rejects=rejects)


def _only(group: EventGroup, keep: np.ndarray) -> EventGroup:
    """Return some rows of a group. ``take`` copies: DuckDB must never see a slice of nested Arrow."""
    return replace(group, rows=group.rows[keep], table=group.table.take(pa.array(keep)))


def _refused_rows(table: pa.Table, insert: Callable[[pa.Table], None]) -> dict[int, str]:
    """Return the rows that cannot be inserted, with DuckDB's reason, by halving what fails."""
    refused: dict[int, str] = {}
    pending = [(0, table.num_rows)]
    while pending:
        start, end = pending.pop()
        try:
            insert(table.take(pa.array(range(start, end))))
        except DATA_ERRORS as error:
            if end - start == 1:
                refused[start] = _reason(error)
            else:
                middle = (start + end) // 2
                pending += [(middle, end), (start, middle)]
    return refused


def _reason(error: Exception) -> str:
    """Return DuckDB's sentence without the value that it quotes: an error carries no payload."""
    return str(error).split("\n", 1)[0].split(" with value ", 1)[0][:200]
