"""Reading the rows of one file, in pieces that fit into memory. What cannot be taken is set aside, never changed.

Open ``read.py`` first. ``opening`` unpacks, ``lines`` cuts into lines, ``csv_rows``, ``json_rows`` and ``parquet_rows``
read each format, ``text_types`` makes values of text, and ``guess`` finds types over all rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# A row that is longer is set aside: Kafka takes records of about this size unless it is told otherwise.
MOST_ROW_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SetAside:
    """What was not taken.

    :param line: the physical line that it begins at, from 1; the row's number in Parquet.
    :param reason: one of those that docs/replay.md lists.
    :param detail: more about it, without a value.
    :param raw: its bytes, as they are in the file, or unpacked.
    :param part: its number, from 0, where one line is too long for one piece.
    """

    line: int
    reason: str
    detail: str
    raw: bytes
    part: int = 0


@dataclass(slots=True)
class Texts:
    """Rows whose values are text still: columns of strings in the order of the file.

    :param lines: the physical line that each row begins at.
    :param raw: gives the bytes of a row.
    """

    columns: list[Any]
    lines: NDArray[np.int64]
    raw: Callable[[int], bytes]
    aside: list[SetAside] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(slots=True)
class Rows:
    """Rows of one file in the order of the file, and what was set aside among them.

    :param batch: the columns of the schema.
    """

    batch: pa.RecordBatch
    aside: list[SetAside] = field(default_factory=list)
