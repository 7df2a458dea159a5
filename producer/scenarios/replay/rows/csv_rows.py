"""Rows of CSV as columns of text: what Python's strict reader of CSV gives, and nothing else.

Where a group of lines has no quote and nothing odd, its lines are its rows, and Arrow cuts them into columns; all
other lines go through Python's ``csv`` (``csv_strict.py``). Both give the same, which a test holds.

A record that Python refuses (broken quotes, one that does not end within ``MOST_ROW_BYTES``) costs its first line:
that line is set aside, and reading goes on at the next.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from producer.scenarios.replay.reading import Reading
from producer.scenarios.replay.rows import MOST_ROW_BYTES, SetAside, Texts
from producer.scenarios.replay.rows.csv_header import header_in, no_header
from producer.scenarios.replay.rows.csv_strict import Strict, dialect, ragged, too_long
from producer.scenarios.replay.rows.lines import CHUNK_BYTES, TOO_LONG, Lines, read_lines, split_lines
from producer.scenarios.replay.rows.marks import newline_of, without_mark
from producer.scenarios.replay.rows.opening import Opened
from producer.toolkit.arrays import taken

# Their stubs know less than they take.
pc: Any = pyarrow.compute
arrow_csv: Any = pyarrow.csv

HEADER = "repeated_header"
_LF, _CR = 0x0A, 0x0D
_UTF8_MARK = b"\xef\xbb\xbf"


class CsvFile:
    """One file of CSV, of which the rows are read once.

    :param fast: take the quick way where it gives the same.
    :ivar header: the names of its columns; ``None`` where the file is empty.
    :raises Misconfigured: its first record is no header.
    :raises StoreFailed: it cannot be read.
    """

    def __init__(self, opened: Opened, reading: Reading, *, fast: bool = True, chunk_bytes: int = CHUNK_BYTES) -> None:
        # A field may be as long as a row. The limit is one of the process; nobody else in it reads CSV.
        csv.field_size_limit(MOST_ROW_BYTES)
        self._reading = reading
        self._dialect = dialect(reading.delimiter, reading.quote)
        self._said: list[str] = []  # the names as they stand in the file
        self._fast = fast and len(reading.delimiter.encode()) == 1
        self._encoding, self._mark, begun = without_mark(opened, reading.encoding)
        self._newline = newline_of(self._encoding)
        groups = read_lines(opened, newline=self._newline, begun=begun, chunk_bytes=chunk_bytes)
        first = next(groups, None)
        self.header, first = self._take_header(first, str(opened.path))
        self._groups = groups if first is None else _with_first(first, groups)

    def rows(self) -> Iterator[Texts]:
        """Yield the rows in groups, with what was set aside among them, in the order of the file.

        :raises StoreFailed: the file cannot be read.
        """
        waiting: list[bytes] = []
        began = 1
        for group in self._groups:
            if isinstance(group, SetAside):
                if waiting:
                    yield self._strict(waiting, began, final=True)[0]
                waiting = []
                yield self._nothing(group)
                continue
            quick = self._quick(group) if self._fast and not waiting else None
            if quick is not None:
                yield self._without_headers(quick)
                continue
            began = began if waiting else group.first
            lines = [*waiting, *split_lines(group.data, self._newline, len(self._newline))]
            found, left = self._strict(lines, began, final=False)
            yield found
            waiting, began = lines[left:], began + left
        if waiting:
            yield self._strict(waiting, began, final=True)[0]

    def _take_header(
        self, first: Lines | SetAside | None, path: str
    ) -> tuple[list[str] | None, Lines | SetAside | None]:
        """Return the names of the columns, and the first group without the lines that say them."""
        names = None if self._reading.names is None else list(self._reading.names)
        if not isinstance(first, Lines):
            if first is not None and names is None and first.reason == TOO_LONG:
                raise no_header("its first line is longer than a row may be", path)
            return names, first
        lines = split_lines(first.data[: 2 * MOST_ROW_BYTES], self._newline, len(self._newline))
        header, used = header_in(lines, self._encoding, self._dialect, names, path)
        if used:
            self._mark = b""
        self._said = header
        return self._reading.fields_of(header, Path(path)), Lines(
            first.first + used, first.data[sum(map(len, lines[:used])) :]
        )

    def _nothing(self, *aside: SetAside) -> Texts:
        empty = [pa.array([], pa.string()) for _ in self.header or ()]
        return Texts(empty, np.zeros(0, dtype=np.int64), lambda _: b"", list(aside))

    def _strict(self, lines: list[bytes], first: int, *, final: bool) -> tuple[Texts, int]:
        """Return the rows of lines as Python's csv gives them, and how many lines they took."""
        width = len(self.header or ())
        read = Strict(lines, first, self._encoding, self._dialect, width, self._mark, final)
        read.read()
        if not read.rows:
            return self._nothing(*read.aside), read.start
        columns = [pa.array(values, pa.string()) for values in zip(*read.rows, strict=True)]
        numbers = np.array([begin for begin, _ in read.spans], dtype=np.int64) + first
        texts = Texts(columns, numbers, lambda row: read.raw(*read.spans[row]), read.aside)
        return self._without_headers(texts), read.start

    def _quick(self, group: Lines) -> Texts | None:
        """Return the rows of lines that are a row each, ``None`` where it takes more to tell."""
        text = self._plain(group.data)
        if text is None:
            return None
        if not text:
            return self._nothing()
        a = np.frombuffer(text, dtype=np.uint8)
        ends = np.flatnonzero(a == _LF)
        if not len(ends) or ends[-1] != len(a) - 1:
            ends = np.append(ends, len(a))
        starts = np.concatenate([[0], ends[:-1] + 1])
        blank = (ends == starts) | ((ends == starts + 1) & (a[np.minimum(starts, len(a) - 1)] == _CR))
        delimiters = np.flatnonzero(a == ord(self._reading.delimiter))
        fields = np.diff(np.searchsorted(delimiters, ends), prepend=0) + 1
        fields[blank] = 0
        width = len(self.header or ())
        whole = np.minimum(ends + 1, len(a)) - starts
        raws = None if text is group.data else split_lines(group.data, self._newline, len(self._newline))
        sizes = whole if raws is None else np.array([len(raw) for raw in raws])
        good = (fields == width) & (sizes <= MOST_ROW_BYTES)

        def raw_line(place: int) -> bytes:
            found = raws[place] if raws is not None else group.data[starts[place] : starts[place] + whole[place]]
            return self._mark + found if group.first + place == 1 else found

        aside = [
            too_long(group.first + place, raw_line(place))
            if sizes[place] > MOST_ROW_BYTES
            else ragged(group.first + place, int(fields[place]), width, raw_line(place))
            for place in np.flatnonzero(~good).tolist()
        ]
        kept = np.flatnonzero(good)
        if len(kept) < len(good):
            text = a[np.repeat(good, whole)].tobytes()
        columns = self._cut(text) if len(kept) else [pa.array([], pa.string())] * width
        return Texts(columns, group.first + kept, lambda row: raw_line(int(kept[row])), aside)

    def _plain(self, data: bytes) -> bytes | None:
        """Return lines in UTF-8 if each is a row, ``None`` where that takes more to tell."""
        text = data
        if len(self._newline) > 1 or not data.isascii():
            try:
                decoded = data.decode(self._encoding)
            except UnicodeDecodeError:
                return None
            text = data if self._encoding == "utf-8" else decoded.encode()
        quote = self._reading.quote
        if b"\0" in text or text.startswith(_UTF8_MARK) or (quote and quote.encode() in text):
            return None
        # A carriage return is the end of a line, or it takes more to tell.
        return text if text.count(b"\r") == text.count(b"\r\n") else None

    def _cut(self, text: bytes) -> list[Any]:
        names = [str(number) for number in range(len(self.header or ()))]
        table: Any = arrow_csv.read_csv(
            pa.BufferReader(text),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(text) + 1),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self._reading.delimiter, quote_char=False, double_quote=False, ignore_empty_lines=False
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
        return [table.column(name).combine_chunks() for name in names]

    def _without_headers(self, texts: Texts) -> Texts:
        """Return rows without those that say the names of the columns again, as in files that were put together."""
        names = self._said
        if len(names) < 2 or not len(texts):
            return texts
        # A file that was put behind another may have brought its mark.
        first = pa.array([names[0], f"\ufeff{names[0]}"])
        same: Any = pc.is_in(texts.columns[0], value_set=first).to_numpy(zero_copy_only=False)
        if not same.any():
            return texts
        for values, name in zip(texts.columns[1:], names[1:], strict=True):
            same = same & pc.equal(values, name).to_numpy(zero_copy_only=False)
        if not same.any():
            return texts
        told = [
            SetAside(int(texts.lines[row]), HEADER, "the names of the columns again", texts.raw(row))
            for row in np.flatnonzero(same).tolist()
        ]
        kept, raw = np.flatnonzero(~same), texts.raw
        return Texts(
            [taken(values, kept) for values in texts.columns],
            texts.lines[kept],
            lambda row: raw(int(kept[row])),
            sorted([*texts.aside, *told], key=lambda each: each.line),
        )


def _with_first(first: Lines | SetAside, rest: Iterator[Lines | SetAside]) -> Iterator[Lines | SetAside]:
    yield first
    yield from rest
