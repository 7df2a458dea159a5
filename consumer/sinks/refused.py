"""Rows that decode and that a store still refuses.

They are rare (the decoder checks ranges first), so they are looked for only after an insert has failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from consumer.sinks.batch import Chunk, EventGroup, Reject

# Says why a store refused a row, without the value; ``None`` where the row is not at fault: then nothing is set apart.
ReasonOf = Callable[[Exception], str | None]


def set_apart(chunk: Chunk, insert: Callable[[pa.Table], None], reason_of: ReasonOf) -> Chunk:
    """Return the chunk with the rows that ``insert`` fails on as rejects of phase ``insert``.

    :param insert: tries rows, and keeps nothing of them.
    """
    groups: list[EventGroup] = []
    rejects = list(chunk.rejects)
    for group in chunk.groups:
        refused = _refused_rows(group.table, insert, reason_of)
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


def _refused_rows(table: pa.Table, insert: Callable[[pa.Table], None], reason_of: ReasonOf) -> dict[int, str]:
    """Return the rows that cannot be inserted, with the store's reason, by halving what fails."""
    refused: dict[int, str] = {}
    pending = [(0, table.num_rows)]
    while pending:
        start, end = pending.pop()
        try:
            insert(table.take(pa.array(range(start, end))))
        except Exception as error:
            reason = reason_of(error)
            if reason is None:
                raise
            if end - start == 1:
                refused[start] = reason
            else:
                middle = (start + end) // 2
                pending += [(middle, end), (start, middle)]
    return refused
