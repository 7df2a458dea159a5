"""Rows of CSV files: the strict reader of Python's library, every column as text.

A file begins with the names of its columns. The delimiter is the one that its first line has most of: comma,
semicolon, tab or bar. Quotes are doubled inside quotes; nothing else is special. A line with another number of fields
than the first, a quote that is not closed and bytes that are not UTF-8 are errors, and never rows. An empty field is
NULL: nothing tells it from an empty text.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from cluster.errors import DataRejected, Misconfigured, StoreFailed
from consumer.pipeline.stored import StoredColumn
from consumer.pipeline.stored.files.found import DataFile
from consumer.pipeline.stored.tabled import TABLE_BYTES
from schemas.types.arrow import Column

_c: Any = pc  # the stubs describe each function by the types of its arguments, which are known only while running
_DELIMITERS = ",;\t|"
_MOST_FIELD_BYTES = 64 * 1024 * 1024
_ROWS_AT_ONCE = 500
# Python's texts take more room than Arrow's, and many lists at once keep its garbage collector busy.
_MOST_ROWS, _MOST_BYTES = 10_000, TABLE_BYTES // 4
# What is no name of a column: a number, a date, an identity.
_VALUE = re.compile(r"\s*([+-]?[0-9.]+([eE][+-]?[0-9]+)?|\d{4}-\d\d-\d\d.*|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-.*|)\s*")


class CsvReader:
    """Reads files that may have different columns, or the same in another order.

    :raises Misconfigured: a file has no header.
    """

    def __init__(self, files: Sequence[DataFile], delimiter: str | None = None) -> None:
        self._delimiter = delimiter
        names: dict[str, str] = {}  # by the name in lower case, which is what columns are told apart by
        # A job leaves a file of no bytes where it had no row to write; alone, it is a file without a header.
        for file in [file for file in files if file.stamp.size_bytes] or files:
            for name in self._header(file):
                names.setdefault(name.lower(), name)
        self.columns = [StoredColumn(name, "VARCHAR", says_null=False) for name in names.values()]

    def tables(self, file: DataFile, columns: Sequence[StoredColumn]) -> Iterator[pa.Table]:
        """Yield the rows of a file.

        :raises DataRejected: a line is no row.
        :raises StoreFailed: the file is cut off, or not compressed as its name says.
        """
        with _opened(file) as text:
            lines = self._lines(file, text)
            header = [name.lower() for name in next(lines)[0]]
            places = [header.index(column.name.lower()) if column.name.lower() in header else -1 for column in columns]
            names = [column.name for column in columns]
            for rows in lines:
                fields = list(zip(*rows, strict=True))
                arrays = [_nulled(fields[at]) if at >= 0 else pa.nulls(len(rows), pa.string()) for at in places]
                yield pa.table(arrays, names) if names else pa.table({"": pa.nulls(len(rows))})

    def _header(self, file: DataFile) -> list[str]:
        with _opened(file) as text:
            names = next(self._lines(file, text))[0]
        if not names or any(map(_VALUE.fullmatch, names)):
            raise Misconfigured(
                "the file has no header: its first line does not name columns",
                where=file.name,
                hint="Write the names of the columns into the first line",
            )
        if len({name.lower() for name in names}) < len(names):
            raise Misconfigured("the header has one name twice", where=file.name, hint="Names of columns ignore case")
        return names

    def _lines(self, file: DataFile, text: IO[str]) -> Iterator[list[list[str]]]:
        """Yield the header alone, then rows of as many fields, some at a time."""
        row = 0
        try:
            first = next(text, "")
            delimiter = self._delimiter or max(_DELIMITERS, key=first.count)
            csv.field_size_limit(_MOST_FIELD_BYTES)
            reader = csv.reader(itertools.chain([first] if first else [], text), delimiter=delimiter, strict=True)
            header = next(reader, [])
            yield [header]
            for rows in _gathered(reader):
                whole = _of_width(rows, len(header), row, file)
                if whole:
                    yield whole
                row += len(whole)
        except csv.Error as error:
            raise DataRejected(f"behind row {row:,}, it is not CSV: {error}", where=file.name) from None
        except UnicodeDecodeError:
            raise DataRejected(f"behind row {row:,}, it is not UTF-8", where=file.name) from None


def _of_width(rows: list[list[str]], width: int, before: int, file: DataFile) -> list[list[str]]:
    """Return rows without the empty lines among them, which are rows of one column and of no other number.

    :raises DataRejected: one has another number of fields.
    """
    if set(map(len, rows)) == {width}:
        return rows
    rows = [row or [""] for row in rows] if width == 1 else [row for row in rows if row]
    for number, row in enumerate(rows, before + 1):
        if len(row) != width:
            raise DataRejected(f"row {number:,} has {len(row)} fields, and the header {width}", where=file.name)
    return rows


def _nulled(texts: Sequence[str]) -> Column:
    """Return texts, the empty ones as null."""
    column = pa.array(texts, pa.string())
    return _c.if_else(_c.equal(column, ""), pa.scalar(None, pa.string()), column)


@contextmanager
def _opened(file: DataFile) -> Iterator[IO[str]]:
    """Open a file as text, unpacked.

    :raises StoreFailed: it is cut off, or not compressed as its name says.
    """
    with unpacked(file) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        yield text


@contextmanager
def unpacked(file: DataFile) -> Iterator[IO[bytes]]:
    """Open a file, unpacked.

    :raises StoreFailed: it is cut off, or not compressed as its name says.
    """
    try:
        with gzip.open(file.path, "rb") if file.packed else Path(file.path).open("rb") as raw:
            yield raw  # type: ignore[misc]  # both are binary files
    except EOFError:
        raise StoreFailed(
            "the compressed file is cut off", where=file.name, hint="Is somebody still writing it? Then try again"
        ) from None
    except (gzip.BadGzipFile, zlib.error):
        raise StoreFailed("the file is not compressed as its name says, or damaged", where=file.name) from None


def _gathered(lines: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """Yield lines some at a time."""
    held: list[list[str]] = []
    size_bytes = 0
    while some := list(itertools.islice(lines, _ROWS_AT_ONCE)):
        held += some
        size_bytes += sum(map(len, itertools.chain.from_iterable(some)))
        if size_bytes >= _MOST_BYTES or len(held) >= _MOST_ROWS:
            yield held
            held, size_bytes = [], 0
    if held:
        yield held
