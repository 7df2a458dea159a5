"""A place of files: a file, a folder, or a pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import pyarrow as pa

from cluster.errors import StoreFailed, StreamproofError
from consumer.pipeline.stored import WHERE, StoredColumn
from consumer.pipeline.stored.files.csv_rows import CsvReader
from consumer.pipeline.stored.files.found import CSV, JSON, PARQUET, TSV, DataFile, FoundFiles, find
from consumer.pipeline.stored.files.json_rows import JsonReader
from consumer.pipeline.stored.files.parquet import ParquetReader
from consumer.pipeline.stored.sessions import reading_session
from consumer.pipeline.stored.tabled import TabledRows, now_in_words


class FileReader(Protocol):
    """How files of one kind are read."""

    @property
    def columns(self) -> Sequence[StoredColumn]:
        """Return the columns of all files."""
        ...

    def tables(self, file: DataFile, columns: Sequence[StoredColumn]) -> Iterator[pa.Table]:
        """Yield the rows of a file in their order, as tables that are no slices."""
        ...


@dataclass(frozen=True, slots=True)
class FilesPlace:
    """Files of one kind."""

    where: str

    @property
    def shown(self) -> str:
        """Return the path as it was given."""
        return self.where

    @contextmanager
    def open(self) -> Iterator[FileRows]:
        """Find the files, and what columns they have.

        :raises Misconfigured: there is none, or there are several kinds.
        :raises StoreFailed: one cannot be read.
        """
        with ExitStack() as opened:
            with file_errors(self.where):
                found = find(self.where)
                reader = opened.enter_context(_reader(found))
                rows = FileRows(self.where, found, reader, partial(find, self.where))
            yield rows


class FileRows(TabledRows):
    """Files that were found.

    :param again: finds the files that are there now.
    """

    def __init__(self, where: str, found: FoundFiles, reader: FileReader, again: Callable[[], FoundFiles]) -> None:
        self._where = where
        self._again = again
        self._found = found
        self._reader = reader
        self._of_folders = _columns_of_folders(found.files, reader.columns)
        super().__init__(where, [*reader.columns, *self._of_folders], now_in_words())

    def tables(self, columns: Sequence[StoredColumn], *, located: bool) -> Iterator[pa.Table]:
        """Yield the rows, file by file."""
        names = [column.name for column in columns]
        inside = [column for column in columns if column not in self._of_folders]
        located = located or not names
        for file in self._found.files:
            row = 0
            with file_errors(self._where, file):
                for read in self._reader.tables(file, inside):
                    table = read
                    for column in columns:
                        if column in self._of_folders:
                            value = pa.scalar(file.parts.get(column.name), pa.string())
                            table = table.append_column(column.name, pa.repeat(value, read.num_rows))
                    if located:
                        where = [f"{file.name} row {row + number}" for number in range(1, read.num_rows + 1)]
                        table = table.append_column(WHERE, pa.array(where, pa.string()))
                    row += read.num_rows
                    yield table.select([*names, WHERE] if located else names)

    def changed(self) -> str:
        """Return which files are new, gone or changed."""
        try:
            return self._found.changes(self._again())
        except StreamproofError as error:
            return error.message

    def notes(self) -> list[str]:
        """Return which files were passed over."""
        return self._found.notes()


@contextmanager
def _reader(found: FoundFiles) -> Iterator[FileReader]:
    if found.kind == PARQUET:
        with reading_session() as session:
            yield ParquetReader(session, found.files)
        return
    made: dict[str, Callable[[list[DataFile]], FileReader]] = {
        CSV: CsvReader,
        TSV: partial(CsvReader, delimiter="\t"),
        JSON: JsonReader,
    }
    yield made[found.kind](found.files)


def _columns_of_folders(files: Sequence[DataFile], inside: Sequence[StoredColumn]) -> list[StoredColumn]:
    """Return the columns that folders say and files do not."""
    taken = {column.name.lower() for column in inside}
    names = dict.fromkeys(name for file in files for name in file.parts if name.lower() not in taken)
    return [StoredColumn(name, "VARCHAR", declared="folder") for name in names]


@contextmanager
def file_errors(where: str, file: DataFile | None = None) -> Iterator[None]:
    """Raise what the file system says inside as an error of the tree."""
    try:
        yield
    except OSError as error:
        named = file.name if file is not None else error.filename or ""
        raise StoreFailed(
            f"{named} cannot be read: {error.strerror or type(error).__name__}", where=where, hint="Check whose it is"
        ) from error
