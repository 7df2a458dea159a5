"""Rows of JSON files: an object a line, or one array of objects; each member is a column of text.

Nothing is guessed and nothing rounded: :mod:`consumer.pipeline.topic.json_members` says what the text of a member is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import IO

import pyarrow as pa

from cluster.errors import DataRejected, Misconfigured
from consumer.pipeline.stored import StoredColumn
from consumer.pipeline.stored.files.csv_rows import unpacked
from consumer.pipeline.stored.files.found import DataFile
from consumer.pipeline.stored.tabled import TABLE_BYTES, gathered, names_apart
from consumer.pipeline.topic.json_members import MemberDecoder, Members, read_object
from schemas.undecodable import UndecodableValue

_ROWS_AT_ONCE = 2_000  # many objects at once keep Python's garbage collector busy
_MOST_LINE_BYTES = 256 * 1024 * 1024
# An array is read as a whole.
_MOST_ARRAY_BYTES = 256 * 1024 * 1024
_SPACE = b" \t\r\n"
_MARK = b"\xef\xbb\xbf"


class JsonReader:
    """Reads files of objects. Every object is looked at once before, to know the members."""

    def __init__(self, files: Sequence[DataFile]) -> None:
        members = Members()
        for file in files:
            for number, value in _objects(file):
                try:
                    members.look_at(read_object(value))
                except UndecodableValue as fault:
                    raise _no_row(file, number, fault) from None
                except Misconfigured as error:
                    error.where = file.name
                    raise
        self._names = {column: member for member, column in names_apart(members.names).items()}
        self.columns = [
            StoredColumn(column, "VARCHAR", declared=members.declared(member)) for column, member in self._names.items()
        ]

    def tables(self, file: DataFile, columns: Sequence[StoredColumn]) -> Iterator[pa.Table]:
        """Yield the rows of a file.

        :raises DataRejected: a line is not one JSON object.
        """
        yield from gathered(self._batches(file, [column.name for column in columns]))

    def _batches(self, file: DataFile, names: list[str]) -> Iterator[pa.RecordBatch]:
        decoder = MemberDecoder([self._names[name] for name in names])
        held: dict[int, bytes] = {}
        size_bytes = 0
        for number, value in _objects(file):
            held[number] = value
            size_bytes += len(value)
            if len(held) >= _ROWS_AT_ONCE or size_bytes >= TABLE_BYTES:
                yield _decoded(decoder, held, file, names)
                held, size_bytes = {}, 0
        if held:
            yield _decoded(decoder, held, file, names)


def _decoded(decoder: MemberDecoder, held: dict[int, bytes], file: DataFile, names: list[str]) -> pa.RecordBatch:
    """Return objects, by their numbers, as rows."""
    salvaged = decoder.salvage(list(held.values()))
    for at, fault in salvaged.faults.items():
        raise _no_row(file, list(held)[at], fault)
    if not names:
        return pa.record_batch({"": pa.nulls(len(held))})
    return salvaged.batch.rename_columns(names)


def _objects(file: DataFile) -> Iterator[tuple[int, bytes]]:
    """Yield each object's bytes with its number, from 1 on: the line that it is on, or its place in the array."""
    with unpacked(file) as raw:
        number = 0
        while line := raw.readline(_MOST_LINE_BYTES):
            number += 1
            if len(line) == _MOST_LINE_BYTES:
                raise DataRejected(f"line {number:,} is longer than {_MOST_LINE_BYTES:,} bytes", where=file.name)
            value = line.strip(_SPACE) if number > 1 else line.removeprefix(_MARK).strip(_SPACE)
            if number == 1 and value[:1] == b"[":
                yield from _in_array(file, line.removeprefix(_MARK), raw)
                return
            if value:
                yield number, value


def _in_array(file: DataFile, first: bytes, raw: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    whole = first + raw.read(_MOST_ARRAY_BYTES)
    if len(whole) > _MOST_ARRAY_BYTES:
        raise Misconfigured(
            f"the file is one array of more than {_MOST_ARRAY_BYTES:,} bytes",
            where=file.name,
            hint="Write an object a line: such files may be of any size",
        )
    try:
        for number, item in enumerate(_items(whole.decode()), 1):
            yield number, item.encode()
    except (ValueError, IndexError, RecursionError):
        raise DataRejected(
            "the file is not one JSON array", where=file.name, hint="Is somebody still writing it? Then try again"
        ) from None


def _items(text: str) -> Iterator[str]:
    """Yield the items of an array as they are written.

    :raises ValueError: it is none; an :class:`IndexError` says that it is cut off.
    """
    decoder, at = json.JSONDecoder(), _after_space(text, text.index("[") + 1)
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = _after_space(text, end)
        if text[at] == ",":
            at = _after_space(text, at + 1)
        elif text[at] != "]":
            raise ValueError(text[at])
    if text[at + 1 :].strip():
        raise ValueError(text[at])


def _after_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def _no_row(file: DataFile, number: int, fault: UndecodableValue) -> DataRejected:
    return DataRejected(
        f"object {number:,} is no row: {fault.message}",
        where=file.name,
        hint="A file has one JSON object in each line; the last one may be half written: then try again",
    )
