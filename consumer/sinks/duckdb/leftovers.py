"""What a killed process left beside a warehouse, removed by whoever holds the file."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from consumer.sinks.duckdb.settings import spill_folder

_SPILLED = "duckdb_temp_*"  # DuckDB's own names
_RANDOM = r"[a-z0-9_]{8}"  # tempfile's


@contextmanager
def workshop(path: Path) -> Iterator[Path]:
    """Give a folder beside ``path`` to build its file in, and take it away at the end."""
    with tempfile.TemporaryDirectory(prefix=_prefix(path), dir=path.parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def clear(path: Path) -> None:
    """Remove what a killed creation and a killed session left behind. The caller holds the file's lock.

    Whoever builds the same file at this moment comes too late: it is there. Losing the folder costs nothing.
    """
    built = re.compile(re.escape(_prefix(path)) + _RANDOM)
    for folder in path.parent.glob(f"{_prefix(path).replace('[', '[[]')}*"):
        if built.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
    spilled = spill_folder(path)
    with suppress(OSError):
        for file in spilled.glob(_SPILLED):
            file.unlink()
        spilled.rmdir()


def _prefix(path: Path) -> str:
    return f".{path.name}."
