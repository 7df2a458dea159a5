"""How the files of a replay are read. Whatever of it changes a row is part of what the copy is known by."""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster.errors import Misconfigured
from producer.scenarios.replay.files import PACKED
from producer.scenarios.replay.options import COMPRESSIONS, FORMATS

# Raised when the same bytes are read as other rows than before, or when a copy has another form.
VERSION = 3
BY_NAME = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
_WIDE = {"utf-16": 2, "utf-16-le": 2, "utf-16-be": 2}
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read.

    :param format: one of ``FORMATS``.
    :param record: name of the record in a schema that is inferred.
    :param schema: text of the contract; ``None`` infers it from all rows.
    :param event_time: field with the event's time.
    :param compression: one of ``COMPRESSIONS``; ``None`` looks at the content.
    :param encoding: as :func:`encoding_named` gives it.
    :param quote: ``None`` where nothing is quoted.
    :param names: of the columns, where files of CSV have no header.
    :param columns: name in the files and name of the field, where those differ.
    """

    format: str
    record: str
    schema: str | None = None
    event_time: str | None = None
    compression: str | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str | None = '"'
    names: tuple[str, ...] | None = None
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def unit(self) -> int:
        """Bytes of a character's smallest part."""
        return _WIDE.get(self.encoding, 1)

    def fields_of(self, names: Sequence[str], path: Path) -> list[str]:
        """Return what the fields of a file's columns are called.

        :raises Misconfigured: it lacks a column that is to be called otherwise, or two are called the same.
        """
        called = dict(self.columns)
        missing = [name for name in called if name not in names]
        found = [called.get(name, name) for name in names]
        twice = sorted({name for name in found if called and found.count(name) > 1})
        if missing or twice:
            what = f"has no {', '.join(map(repr, missing))}" if missing else f"would have {', '.join(twice)} twice"
            raise Misconfigured(f"the file {what}, as columns says", where=str(path), hint="Correct columns")
        return found

    def renamed(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return an object with its members called as fields; a member that takes the name of another stands twice.

        :raises ValueError: names the field that would have two values.
        """
        if not self.columns:
            return row
        called = dict(self.columns)
        found = {called.get(name, name): value for name, value in row.items()}
        if len(found) < len(row):
            raise ValueError(next(name for name in called.values() if name in row))
        return found

    def known_by(self) -> str:
        """Return a text that differs when the same bytes are read differently."""
        return json.dumps(asdict(self) | {"version": VERSION}, sort_keys=True)


def format_named(given: str | None, paths: list[Path]) -> str:
    """Return the format of files: as it is given, or by their names.

    :raises Misconfigured: their names do not say it, or say two.
    """
    if given is not None:
        return given
    found = {path.name: BY_NAME.get(_bare(path).suffix.lower()) for path in paths}
    told = sorted({name for name in found.values() if name is not None})
    unnamed = [name for name, format_ in found.items() if format_ is None]
    if len(told) == 1 and not unnamed:
        return told[0]
    what = f"the name {unnamed[0]} does not say" if unnamed else f"the names of the files say both {' and '.join(told)}"
    raise Misconfigured(
        f"{what}{' how the file is written' if unnamed else ''}",
        where=str(paths[0].parent),
        hint=f"Say the format: {', '.join(FORMATS)}",
    )


def _bare(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in PACKED else path


def encoding_named(given: str) -> str:
    """Return an encoding under the name that Python has for it.

    :raises ValueError: there is none, or lines cannot be told apart in it.
    """
    try:
        name = codecs.lookup(given).name
    except LookupError:
        raise ValueError(f"{given!r} is no encoding; utf-8, utf-16 and latin-1 are some") from None
    if name in ("utf-8", "utf-8-sig", "ascii") or name in _WIDE:
        return "utf-8" if name == "utf-8-sig" else name
    every, ascii_ = bytes(range(256)), bytes(range(128))
    try:
        plain = ascii_.decode(name) == ascii_.decode() and len(every.decode(name, "replace")) == len(every)
    except (LookupError, ValueError):
        plain = False
    if not plain:  # a byte is not a character, or another one
        raise ValueError(f"files in {given} cannot be read line by line: convert them to utf-8")
    return name


def delimiter_named(given: str) -> str:
    """Return what stands between two fields.

    :raises ValueError: it is not one character, or one that means something else.
    """
    found = _NAMED.get(given, given)
    if len(found) != 1 or found in '"\r\n\0':
        raise ValueError(f"the delimiter is {given!r}, it must be one character, or 'tab'")
    return found


def quote_named(given: str | None, delimiter: str) -> str | None:
    """Return what fields are quoted with.

    :raises ValueError: it is not one character, or the delimiter.
    """
    if given in (None, "", "none"):
        return None
    if len(str(given)) != 1 or given in f"\r\n\0 {delimiter}":
        raise ValueError(f"the quote is {given!r}, it must be one character that is not the delimiter, or 'none'")
    return given


def compression_named(given: str | None) -> str | None:
    """Return one of ``COMPRESSIONS``, or ``None`` for what the content says.

    :raises ValueError: it is none of them.
    """
    if given is not None and given not in COMPRESSIONS:
        raise ValueError(f"the compression is {given!r}, it must be one of {', '.join(COMPRESSIONS)}")
    return given
