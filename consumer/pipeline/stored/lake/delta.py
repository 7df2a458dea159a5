"""A table of Delta Lake: the files of its newest version, as its log says."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cluster.errors import Misconfigured, PlaceMissing, StoreFailed
from cluster.local import PROJECT_ROOT
from consumer.pipeline.stored.files.found import PARQUET, DataFile, FoundFiles, Stamp
from consumer.pipeline.stored.files.parquet import ParquetReader
from consumer.pipeline.stored.files.place import FileRows, file_errors
from consumer.pipeline.stored.lake import delta_log
from consumer.pipeline.stored.sessions import reading_session

_PYTHON = "STREAMPROOF_LAKE_PYTHON"  # as stack/parts/spark.py reads it
_ASK_S = 120.0


@dataclass(frozen=True, slots=True)
class DeltaFile:
    """A file that a version has: its path below the table, size, rows where they are told, and partition values."""

    path: str
    size_bytes: int
    rows: int | None
    parts: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeltaVersion:
    """The newest version of a table."""

    number: int
    at: datetime | None
    files: list[DeltaFile]

    def data_files(self, folder: Path) -> list[DataFile]:
        """Return the files that are there."""
        found = []
        for file in self.files:
            path = folder / file.path
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            found.append(DataFile(str(path), file.path, Stamp(stat.st_size, stat.st_mtime_ns, stat.st_ino), file.parts))
        return found


def newest_version(folder: Path) -> DeltaVersion:
    """Ask the log of a table, by the library if it is here, else by the Python of the lake.

    :raises PlaceMissing: there is no table.
    :raises Misconfigured: nobody here can read the log, or the table has a feature that its files alone do not show.
    :raises StoreFailed: the log cannot be read.
    """
    if not (folder / "_delta_log").is_dir():
        raise PlaceMissing("there is no Delta table, which has a folder _delta_log", where=str(folder))
    said = _listed(folder)
    if said["refused"]:
        raise Misconfigured(
            f"the table has features that this reader does not know: {', '.join(said['refused'])}",
            where=str(folder),
            hint="Its files alone do not say which rows count. Take the feature off (ALTER TABLE ... DROP FEATURE), "
            "or audit a copy of the table",
        )
    at = None if said["at"] is None else datetime.fromtimestamp(said["at"] / 1000, UTC)
    files = [DeltaFile(one["path"], one["bytes"], one["rows"], one["parts"]) for one in said["files"]]
    return DeltaVersion(said["version"], at, files)


def _listed(folder: Path) -> dict:  # type: ignore[type-arg]
    if importlib.util.find_spec("deltalake") is not None:
        try:
            return delta_log.listed(str(folder))
        except Exception as error:
            raise _unread(folder, str(error)) from error
    python = Path(os.environ.get(_PYTHON) or PROJECT_ROOT / ".venv-lake" / "bin" / "python")
    if not python.is_file():
        raise Misconfigured(
            "the log of a Delta table is read by the library deltalake, which is not here",
            where=str(python),
            hint=f"Run `make lake`, set {_PYTHON} to a Python that has it, or install deltalake",
        )
    try:
        ran = subprocess.run(
            [python, "-I", delta_log.__file__, folder.absolute()],
            capture_output=True, text=True, timeout=_ASK_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unread(folder, f"{python} does not answer: {error}") from error
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or [""])[-1]
        if "No module named" in last:
            raise Misconfigured(
                f"{python} has no library deltalake", where=str(folder), hint="Run `make lake`, or install it there"
            )
        raise _unread(folder, last)
    found: dict = json.loads(ran.stdout)  # type: ignore[type-arg]
    return found


def _unread(folder: Path, said: str) -> StoreFailed:
    return StoreFailed(f"the log of the Delta table cannot be read: {said[:200]}", where=str(folder))


@dataclass(frozen=True, slots=True)
class DeltaPlace:
    """A table of Delta Lake."""

    folder: Path

    @property
    def shown(self) -> str:
        """Return ``delta:FOLDER``."""
        return f"delta:{self.folder}"

    @contextmanager
    def open(self) -> Iterator[DeltaRows]:
        """Read the log, and what columns the files have.

        :raises PlaceMissing: there is no table, or it has no file.
        :raises StreamproofError: log or files cannot be read.
        """
        version = newest_version(self.folder)
        with file_errors(str(self.folder)), reading_session() as session:
            files = version.data_files(self.folder)
            if not files:
                gone = f", and the {len(version.files):,} files that its log names are gone" if version.files else ""
                raise PlaceMissing(f"version {version.number} has no rows{gone}", where=str(self.folder))
            yield DeltaRows(self.shown, self.folder, version, ParquetReader(session, files))


class DeltaRows(FileRows):
    """The rows of one version."""

    def __init__(self, shown: str, folder: Path, version: DeltaVersion, reader: ParquetReader) -> None:
        def again() -> FoundFiles:
            return FoundFiles(PARQUET, version.data_files(folder))

        super().__init__(shown, again(), reader, again)
        self._folder = folder
        self._version = version
        at = "" if version.at is None else f" of {version.at.isoformat(timespec='seconds')}"
        self.as_of = f"version {version.number}{at}"

    def contradictions(self) -> list[str]:
        """Return which files of the version are gone, or not of the size that the log says."""
        told = []
        for file in self._version.files:
            path = self._folder / file.path
            rows = "" if file.rows is None else f", which has {file.rows:,} rows"
            if not path.is_file():
                told.append(f"{file.path} of version {self._version.number} is gone{rows}")
            elif (size := path.stat().st_size) != file.size_bytes:
                told.append(f"{file.path} has {size:,} bytes, and the log says {file.size_bytes:,}{rows}")
        return told
