"""The index of a staged copy: its files and what became of them, and where each group of rows lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.errors import WarehouseDamaged

INDEX, GROUPS = "index.json", "groups.parquet"
GROUP_COLUMNS = pa.schema(
    [pa.field(name, pa.int32()) for name in ("file", "part", "group")]
    + [
        pa.field(name, pa.int64())
        for name in ("rows", "bytes", "time_min", "time_max", "time_first", "time_last", "late_ms")
    ]
    + [pa.field("in_order", pa.bool_())]
)


class FileOfCopy(BaseModel):
    """One file: how many of its rows were taken, and how many set aside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size: int
    sha256: str
    rows: int
    set_aside: int


class Index(BaseModel):
    """A whole copy.

    ``content`` is what it is known by, ``contract`` the text of its schema, ``inferred`` tells whether that was found
    in the rows. ``never_negative`` are the numbers that are never null and never below zero. ``set_aside`` counts rows
    by reason. ``seconds`` is how long it took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    content: str
    contract: str
    inferred: bool
    event_time: str | None
    never_negative: list[str]
    block_events: int = Field(gt=0)
    rows: int
    set_aside: dict[str, int]
    files: list[FileOfCopy]
    seconds: float


class Groups:
    """Where rows lie: an array of each of ``GROUP_COLUMNS``, in the order of the files. Times are milliseconds."""

    def __init__(self, columns: dict[str, NDArray[np.int64]]) -> None:
        self.columns = columns

    def __getitem__(self, name: str) -> NDArray[np.int64]:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["rows"])

    def of_files(self, wanted: NDArray[np.bool_]) -> Groups:
        """Return those of the files whose number is ``True`` in a mask."""
        chosen = wanted[self.columns["file"]] if len(self) else np.zeros(0, dtype=np.bool_)
        return Groups({name: values[chosen] for name, values in self.columns.items()})


def read_index(folder: Path) -> tuple[Index, Groups]:
    """Read the index of a copy.

    :raises WarehouseDamaged: it is not one.
    """
    try:
        index = Index.model_validate_json((folder / INDEX).read_bytes())
        table: Any = pq.read_table(folder / GROUPS)
    except (OSError, ValidationError, pa.ArrowException) as error:
        raise damaged(folder, error) from None
    columns = {name: table.column(name).cast(pa.int64()).to_numpy().astype(np.int64) for name in GROUP_COLUMNS.names}
    return index, Groups(columns)


def damaged(folder: Path, error: Exception) -> WarehouseDamaged:
    """Return the error of a copy that cannot be read."""
    said = " ".join(str(error).split())[:200]
    return WarehouseDamaged(
        f"the staged copy of the files cannot be read: {said}",
        where=str(folder),
        hint="Delete that folder, and run the same command again: it is made anew",
    )
