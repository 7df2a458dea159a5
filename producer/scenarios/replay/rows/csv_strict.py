"""Rows of CSV as Python's strict reader of CSV gives them, with the lines that each was read from."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from producer.scenarios.replay.rows import MOST_ROW_BYTES, SetAside
from producer.scenarios.replay.rows.lines import TOO_LONG

BLANK, FEW, MANY, ENCODING, NUL = "blank_line", "too_few_fields", "too_many_fields", "encoding", "nul"
QUOTES, OPEN_QUOTE, RETURN = "broken_quotes", "quote_not_closed", "carriage_return"
LONE_RETURN = "carriage return without a line feed: a line ends with LF or CRLF"
# By the words of Python's csv.
_REASONS = (
    ("unexpected end", OPEN_QUOTE),
    ("field larger", TOO_LONG),
    ("new-line character", RETURN),
    ("expected after", QUOTES),
)


def dialect(delimiter: str, quote: str | None) -> dict[str, Any]:
    """Return how Python's csv is told to read."""
    quoting = csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL
    return {"delimiter": delimiter, "quotechar": quote, "quoting": quoting, "strict": True}


def ragged(line: int, fields: int, width: int, raw: bytes) -> SetAside:
    """Return what is set aside of a row that has another number of fields than the header."""
    if not fields:
        return SetAside(line, BLANK, "nothing stands in the line", raw)
    return SetAside(line, FEW if fields < width else MANY, f"{fields} fields, the header has {width}", raw)


def too_long(line: int, raw: bytes) -> SetAside:
    """Return what is set aside of a line that no row may be as long as."""
    return SetAside(line, TOO_LONG, f"longer than {MOST_ROW_BYTES:,} bytes", raw)


@dataclass(slots=True)
class Strict:
    """Some lines of a file, read to their end.

    :param lines: each with its end.
    :param first: number of the first.
    :param mark: what stands before the first line of the file.
    :param final: nothing follows; else a record that does not end yet is left, from line ``start`` on.
    :ivar spans: of each row its first line, and the one behind its last, counted from 0.
    """

    lines: Sequence[bytes]
    first: int
    encoding: str
    dialect: dict[str, Any]
    width: int
    mark: bytes
    final: bool
    rows: list[list[str]] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    start: int = 0
    _at: int = 0
    _texts: list[str] = field(default_factory=list)
    _undecodable: frozenset[int] = frozenset()
    _nul: bool = False

    def read(self) -> None:
        """Read the lines. A record that is refused costs its first line, and reading goes on at the next."""
        self._decode()
        self._nul = any("\0" in text for text in self._texts)
        while self.start < len(self.lines):
            if len(self.lines[self.start]) > MOST_ROW_BYTES:
                self.aside.append(too_long(self.first + self.start, self.raw(self.start, self.start + 1)))
                self._go_on()
                continue
            try:
                self._records()
            except csv.Error as error:
                reason = next((reason for words, reason in _REASONS if words in str(error)), QUOTES)
                if (
                    reason == OPEN_QUOTE
                    and not self.final
                    and self._bytes(self.start, len(self.lines)) <= MOST_ROW_BYTES
                ):
                    return
                self._refuse(reason, f"a {LONE_RETURN}" if reason == RETURN else str(error))

    def raw(self, begin: int, end: int) -> bytes:
        """Return the bytes of lines."""
        joined = self.lines[begin] if end == begin + 1 else b"".join(self.lines[begin:end])
        return self.mark + joined if self.first + begin == 1 else joined

    def _records(self) -> None:
        """Take records until one is too long, or the lines end."""
        for row in csv.reader(self._source(), **self.dialect):
            begin, end = self.start, self._at
            if end - begin > 1 and self._bytes(begin, end) > MOST_ROW_BYTES:
                self._refuse(TOO_LONG, f"a record of more than {MOST_ROW_BYTES:,} bytes begins here")
                return
            if len(row) != self.width or self._nul or self._undecodable:
                self._take_odd(row, begin, end)
            else:
                self.rows.append(row)
                self.spans.append((begin, end))
            self.start = end
            if end < len(self.lines) and len(self.lines[end]) > MOST_ROW_BYTES:
                return

    def _take_odd(self, row: list[str], begin: int, end: int) -> None:
        """Take a row that something may be wrong with, or set it aside."""
        line = self.first + begin
        if not self._undecodable.isdisjoint(range(begin, end)):
            self.aside.append(SetAside(line, ENCODING, f"not {self.encoding}", self.raw(begin, end)))
        elif any("\0" in value for value in row):
            self.aside.append(SetAside(line, NUL, "it holds a NUL", self.raw(begin, end)))
        elif len(row) != self.width:
            self.aside.append(ragged(line, len(row), self.width, self.raw(begin, end)))
        else:
            self.rows.append(row)
            self.spans.append((begin, end))

    def _source(self) -> Iterator[str]:
        while self._at < len(self._texts):
            self._at += 1
            yield self._texts[self._at - 1]

    def _refuse(self, reason: str, detail: str) -> None:
        raw = self.raw(self.start, self.start + 1)
        self.aside.append(SetAside(self.first + self.start, reason, detail, raw))
        self._go_on()

    def _go_on(self) -> None:
        self.start += 1
        self._at = self.start

    def _bytes(self, begin: int, end: int) -> int:
        return sum(map(len, self.lines[begin:end]))

    def _decode(self) -> None:
        """Decode the lines. The quotes of one that is not of the encoding count all the same."""
        try:
            self._texts = [line.decode(self.encoding) for line in self.lines]
            return
        except UnicodeDecodeError:
            pass
        lenient = "replace" if self.encoding.startswith("utf-16") else "surrogateescape"
        bad = set()
        for number, line in enumerate(self.lines):
            try:
                self._texts.append(line.decode(self.encoding))
            except UnicodeDecodeError:
                self._texts.append(line.decode(self.encoding, lenient))
                bad.add(number)
        self._undecodable = frozenset(bad)
