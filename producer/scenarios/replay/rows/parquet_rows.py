"""Rows of Parquet. Not there yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cluster.errors import Misconfigured
from producer.scenarios.replay.rows.opening import Opened
from schemas.types.tree import Node


def parquet_rows(opened: Opened, root: Node) -> Iterator[Any]:  # noqa: ARG001
    """Yield the rows of a file."""
    raise Misconfigured("files of Parquet cannot be replayed yet", where=str(opened.path))


def parquet_fields(paths: Sequence[Path], looked: Any) -> dict[str, Any]:  # noqa: ARG001
    """Return the types of the columns."""
    raise Misconfigured("files of Parquet cannot be replayed yet", where=str(paths[0]))
