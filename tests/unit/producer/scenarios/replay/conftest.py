"""Files of a replay, and what is read out of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows import SetAside
from producer.scenarios.replay.rows.csv_rows import CsvFile
from producer.scenarios.replay.rows.opening import opened


@dataclass
class Read:
    """One file of CSV, read."""

    header: list[str] | None
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)

    @property
    def told(self) -> list[tuple[int, str, bytes]]:
        return [(one.line, one.reason, one.raw) for one in self.aside]


ReadCsv = Callable[..., Read]


@pytest.fixture(scope="session")
def read_csv(tmp_path_factory: pytest.TempPathFactory) -> ReadCsv:
    """Read bytes as a file of CSV."""
    path = tmp_path_factory.mktemp("csv") / "rows.csv"

    def read(
        content: bytes, *, fast: bool = True, chunk_bytes: int = 1 << 20, compression: str | None = "none", **more: Any
    ) -> Read:
        path.write_bytes(content)
        with opened(path, compression) as stream:
            file = CsvFile(stream, Reading("csv", "row", **more), fast=fast, chunk_bytes=chunk_bytes)
            found = Read(file.header)
            for texts in file.rows():
                found.rows += list(zip(*(column.to_pylist() for column in texts.columns), strict=True))
                found.lines += texts.lines.tolist()
                found.raws += [texts.raw(row) for row in range(len(texts))]
                found.aside += texts.aside
        return found

    return read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made
