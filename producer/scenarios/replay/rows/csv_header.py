"""The first record of a file of CSV: the names of its columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any

from cluster.errors import Misconfigured
from producer.scenarios.replay.rows.csv_strict import LONE_RETURN

_MOST_LINES = 1000
# What else stands between two fields, in files of others.
_DELIMITERS = {";": ";", "\t": "tab", "|": "|", ",": ","}


def header_in(
    lines: Sequence[bytes], encoding: str, dialect: dict[str, Any], names: Sequence[str] | None, path: str
) -> tuple[list[str], int]:
    """Return the names of the columns, and how many lines say them.

    :param names: of files without a header; a first record that says the same is one all the same.
    :raises Misconfigured: the first record is no header.
    """
    lines = lines[:_MOST_LINES]
    try:
        said, used = _first_record(lines, encoding, dialect)
    except (UnicodeDecodeError, csv.Error) as error:
        if names is not None:
            return list(names), 0
        raise no_header(f"its first line {_reason(error, encoding)}", path) from None
    if names is not None:
        return list(names), used if said == list(names) else 0
    twice = sorted({name for name in said if said.count(name) > 1})
    if not said or twice or any("\0" in name for name in said):
        why = "is blank" if not said else f"names {', '.join(map(repr, twice))} twice" if twice else "holds a NUL"
        raise no_header(f"its first line {why}", path)
    others = [named for one, named in _DELIMITERS.items() if len(said) == 1 and one in said[0]]
    if others:
        raise no_header(f"its first line is one name that holds {others[0]!r}", path, f"Say the delimiter: {others[0]}")
    return said, used


def no_header(why: str, path: str, hint: str = "") -> Misconfigured:
    """Return the error of a file whose first record says no names."""
    return Misconfigured(
        f"the file has no header: {why}",
        where=path,
        hint=hint or "Its first line names the columns; give names where there is no such line, and its encoding",
    )


def _reason(error: UnicodeDecodeError | csv.Error, encoding: str) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"is not {encoding}"
    return f"has a {LONE_RETURN}" if "new-line character" in str(error) else f"cannot be read: {error}"


def _first_record(lines: Sequence[bytes], encoding: str, dialect: dict[str, Any]) -> tuple[list[str], int]:
    used = 0

    def texts() -> Iterator[str]:
        nonlocal used
        for line in lines:
            used += 1
            yield line.decode(encoding)

    return next(csv.reader(texts(), **dialect), []), used
