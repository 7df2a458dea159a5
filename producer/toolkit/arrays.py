"""From NumPy to Arrow. The one place that hides how little the type stubs of Arrow know about NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def column(values: NDArray[Any], *, missing: NDArray[np.bool_] | None = None) -> Any:
    """Return ``values`` as an Arrow array, null where ``missing``."""
    return pa.array(values, mask=missing)


def taken(pool: Any, rows: NDArray[np.integer[Any]], *, missing: NDArray[np.bool_] | None = None) -> Any:
    """Return ``pool[rows]`` of an Arrow array or batch, null where ``missing``."""
    return pool.take(column(rows, missing=missing))


def timestamps(milliseconds: NDArray[np.int64]) -> Any:
    """Return milliseconds since the epoch as a timestamp column."""
    return column(milliseconds).cast(pa.timestamp("ms"))


def lists(lengths: NDArray[np.int64], items: Any) -> Any:
    """Return ``items`` cut into lists of ``lengths``."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.ListArray.from_arrays(column(offsets), items)


def strings(text: NDArray[np.uint8]) -> Any:
    """Return the rows of a matrix of ASCII characters as a column of strings."""
    rows, width = text.shape
    offsets: Any = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    characters: Any = np.ascontiguousarray(text)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(characters))


def plain(values: Any) -> list[Any]:
    """Return a column as a list of Python values."""
    found: list[Any] = values.to_pylist()
    return found
