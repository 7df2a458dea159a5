"""When events happened, as milliseconds since 1970."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.types.tree import Node

# 36 million years: the difference of two times fits into 64 bits.
MOST_MS = 1 << 60


def holds_times(node: Node) -> bool:
    """Tell whether a field can be the event's time: a timestamp, or a ``long`` of milliseconds."""
    family = node.logical.rpartition("-")[0]
    return family in ("timestamp", "local-timestamp") or (node.kind == "long" and not node.logical)


def milliseconds(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the times of a column, and where there is none. A number far beyond any time counts as the last one."""
    missing: NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    raw: NDArray[np.int64] = column.cast(pa.int64()).fill_null(0).to_numpy().astype(np.int64)
    if pa.types.is_timestamp(column.type) and column.type.unit == "us":
        raw = raw // 1000
    return np.clip(raw, -MOST_MS, MOST_MS), missing
