"""A topic in a lake of ours: the files that its published list names, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import duckdb
import pyarrow as pa

from cluster.errors import PlaceMissing, StoreFailed
from cluster.text.nearest import meant
from consumer.lake.published import COMMITTED, Published, read_published
from consumer.pipeline.stored.files.found import PARQUET, DataFile, FoundFiles, Stamp, parts_of
from consumer.pipeline.stored.files.parquet import ParquetReader
from consumer.pipeline.stored.files.place import FileRows, file_errors
from consumer.pipeline.stored.lake.delta import newest_version
from consumer.pipeline.stored.lake.held import contradictions, held_classes, set_aside, unlisted
from consumer.pipeline.stored.sessions import reading_session

_TOLD = 3


@dataclass(frozen=True, slots=True)
class LakePlace:
    """A topic of a lake.

    :param lake: its folder, or that of the topic itself.
    """

    lake: Path
    topic: str

    @property
    def shown(self) -> str:
        """Return ``lake:FOLDER``."""
        return f"lake:{self.lake}"

    @contextmanager
    def open(self) -> Iterator[LakeRows]:
        """Read the list, and what columns its files have.

        :raises PlaceMissing: nothing of the topic is committed yet.
        :raises StoreFailed: list or files cannot be read, or every file is gone.
        """
        folder = self._folder()
        published = read_published(folder)
        if published.table_format == "delta":
            published = _with_files_of_delta(folder, published)
        files = _listed_files(folder, published)
        listed = sum(len(batch.events) for batch in published.batches)
        if not files:
            if listed:
                raise StoreFailed(f"all {listed:,} files that the list names are gone", where=str(folder / COMMITTED))
            raise PlaceMissing("no event is committed yet", where=str(folder / COMMITTED))
        with file_errors(str(folder)), reading_session() as session:
            yield LakeRows(self.shown, folder, published, files, session)

    def _folder(self) -> Path:
        if (self.lake / COMMITTED).is_file():
            return self.lake
        folder = self.lake / self.topic
        if not folder.is_dir():
            there = [path.parent.name for path in self.lake.glob(f"*/{COMMITTED}")]
            raise PlaceMissing(
                f"the lake has no topic {self.topic}{meant(self.topic, there, listed=True)}", where=str(self.lake)
            )
        return folder


def _with_files_of_delta(folder: Path, published: Published) -> Published:
    """Return a list whose batches name the files that the newest version of the Delta table has of them."""
    root = folder / "events"
    if not any(batch.rows for batch in published.batches):
        return published
    names: dict[str, list[str]] = {}
    for file in newest_version(root).files:
        names.setdefault(file.parts.get("batch_id") or "", []).append(f"events/{file.path}")
    batches = [replace(batch, events=names.get(str(batch.batch_id), [])) for batch in published.batches]
    return replace(published, batches=batches)


def _listed_files(folder: Path, published: Published) -> list[DataFile]:
    """Return the files of events that are listed, those that are gone left out."""
    found = []
    for batch in published.batches:
        for name in batch.events:
            path = folder / name
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            stamp = Stamp(stat.st_size, stat.st_mtime_ns, stat.st_ino)
            found.append(DataFile(str(path), name, stamp, parts_of(PurePosixPath(name))))
    return found


class LakeRows(FileRows):
    """The events of the batches that are listed."""

    def __init__(
        self,
        shown: str,
        folder: Path,
        published: Published,
        files: list[DataFile],
        session: duckdb.DuckDBPyConnection,
    ) -> None:
        def again() -> FoundFiles:
            return FoundFiles(PARQUET, _listed_files(folder, published))

        super().__init__(shown, FoundFiles(PARQUET, files), ParquetReader(session, files), again)
        # A field that is called as a folder has another name in the files: the folder is not it.
        names = {column.name for column in self.columns}
        self.columns = [each for each in self.columns if each.declared != "folder" or f"{each.name}_2" not in names]
        self._folder = folder
        self._published = published
        self._files = files
        self._session = session
        written = datetime.fromtimestamp((folder / COMMITTED).stat().st_mtime, UTC).isoformat(timespec="seconds")
        number = len(published.batches)
        self.as_of = f"{written}, its list of {number:,} batch{'' if number == 1 else 'es'}"

    def contradictions(self) -> list[str]:
        """Return what the batches hold otherwise than their list says, a sentence for each batch."""
        return contradictions(self._session, self._folder, self._published)

    def set_aside(self) -> Iterator[pa.Table]:
        """Yield what lies in the quarantine of the listed batches."""
        return set_aside(self._session, self._folder, self._published)

    def held_classes(self) -> Iterator[tuple[int, int, str]]:
        """Yield partition, offset, and phase and class in one text of each quarantined record."""
        return held_classes(self._session, self._folder, self._published)

    def notes(self) -> list[str]:
        """Return how many records were set aside, and which files are in no batch that is listed."""
        aside = sum(batch.quarantined for batch in self._published.batches)
        notes = [f"records that the lake set aside in its quarantine: {aside:,}"] if aside else []
        tombstones = sum(each.tombstones for batch in self._published.batches for each in batch.partitions)
        notes += [f"records without a value (tombstones): {tombstones:,}"] if tombstones else []
        if others := unlisted(self._folder, self._published):
            more = f" and {len(others) - _TOLD:,} more" if len(others) > _TOLD else ""
            notes.append(f"files of no batch that is listed, which do not count: {', '.join(others[:_TOLD])}{more}")
        return notes
