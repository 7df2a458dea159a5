"""Rows of JSON lines. Not there yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cluster.errors import Misconfigured
from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows.opening import Opened
from schemas.types.tree import Node


def json_rows(opened: Opened, reading: Reading, root: Node) -> Iterator[Any]:  # noqa: ARG001
    """Yield the rows of a file."""
    raise Misconfigured("files of JSON lines cannot be replayed yet", where=str(opened.path))


def json_fields(paths: Sequence[Path], reading: Reading, looked: Any) -> dict[str, Any]:  # noqa: ARG001
    """Return the types of the columns."""
    raise Misconfigured("files of JSON lines cannot be replayed yet", where=str(paths[0]))
