"""Which files of a place are data: by their names, as jobs leave them.

What a name begins with a dot or an underscore for is no data: ``_SUCCESS``, ``.part-0.parquet.crc``, what is below
``_temporary``. Folders named ``key=value`` are columns.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from urllib.parse import unquote

from cluster.errors import Misconfigured, PlaceMissing
from cluster.text.nearest import meant

PARQUET, CSV, TSV, JSON = "Parquet", "CSV", "TSV", "JSON lines"
_KINDS = {".parquet": PARQUET, ".csv": CSV, ".tsv": TSV, ".jsonl": JSON, ".ndjson": JSON, ".json": JSON}
_PACKED = ".gz"
KNOWN = "*.parquet, *.csv, *.tsv, *.jsonl, *.ndjson, *.json; the last five also with .gz"
_MAGIC = re.compile(r"[*?\[]")
_HIDDEN = (".", "_")
# Folders of which a log says what counts: some of the files in them are not data any more.
_READ_OTHERWISE = {
    "_delta_log": "Give --at delta:{folder}",
    ".hoodie": "Have the table written out as plain files, or audit what reads it",
}
_TABLES_OF_FILES = {"_delta_log": "Delta Lake", ".hoodie": "Apache Hudi"}
_LIST_OF_A_LAKE = "committed.json"  # as consumer/lake/published.py writes it
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_TOLD = 3


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file is still the one that was found."""

    size_bytes: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of rows. ``parts`` are the columns that its folders say, ``name`` what messages call it."""

    path: str
    name: str
    stamp: Stamp
    parts: dict[str, str | None] = field(default_factory=dict)

    @property
    def packed(self) -> bool:
        """Tell whether it is compressed with gzip as a whole."""
        return self.path.lower().endswith(_PACKED)


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """What a place holds now.

    :ivar hidden: how many files were passed over as hidden.
    :ivar others: names of files that are of no kind that is known.
    :ivar lake: the folder of a lake that they are in, where a list says which of them count.
    """

    kind: str
    files: list[DataFile]
    hidden: int = 0
    others: list[str] = field(default_factory=list)
    lake: Path | None = None

    def notes(self) -> list[str]:
        """Return what was passed over."""
        notes = [f"hidden files passed over (names with . or _ in front): {self.hidden:,}"] if self.hidden else []
        if self.others:
            more = f" and {len(self.others) - _TOLD:,} more" if len(self.others) > _TOLD else ""
            notes.append(f"files of another kind passed over: {', '.join(self.others[:_TOLD])}{more}")
        if self.lake is not None:
            notes.append(f"files of a lake, committed or not; `--at lake:{self.lake}` reads those that its list names")
        return notes

    def changes(self, now: FoundFiles) -> str:
        """Return in words what is not as it was."""
        before, after = ({file.name: file.stamp for file in found.files} for found in (self, now))
        told = [
            ("new", [name for name in after if name not in before]),
            ("gone", [name for name in before if name not in after]),
            ("changed", [name for name, stamp in before.items() if after.get(name, stamp) != stamp]),
        ]
        return "; ".join(f"{what}: {_listed(names)}" for what, names in told if names)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _TOLD:,} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more


def kind_of(name: str) -> str | None:
    """Return the kind of a file by its name."""
    lower = name.lower()
    packed = lower.endswith(_PACKED)
    kind = _KINDS.get(Path(lower.removesuffix(_PACKED)).suffix)
    return None if packed and kind == PARQUET else kind


def find(where: str) -> FoundFiles:
    """Return the files of a place, sorted by their names.

    :param where: a file, a folder, or a path with ``*``, ``?``, ``[...]`` and ``**`` in it.
    :raises Misconfigured: there is nothing, or files of several kinds, or what is there is no folder of plain files.
    """
    path = Path(where)
    if path.is_file():
        return _sorted_out(where, [(path, Path(path.name))], told=True)
    if path.is_dir():
        return _sorted_out(where, [(each, each.relative_to(path)) for each in _below(path)])
    if not _MAGIC.search(where):
        there = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise PlaceMissing(f"there is no file or folder {path.name}{meant(path.name, there)}", where=where)
    base = _fixed_part(path)
    matched = base.glob(str(path.relative_to(base)))
    files: set[Path] = set()
    for each in matched:
        files |= {each} if each.is_file() else set(_below(each)) if each.is_dir() else set()
    return _sorted_out(where, [(each, each.relative_to(base)) for each in files])


def _fixed_part(path: Path) -> Path:
    """Return the folder in front of the first part that has a pattern in it."""
    fixed = Path(path.anchor)
    for part in path.parts[1 if path.anchor else 0 :]:
        if _MAGIC.search(part):
            break
        fixed /= part
    return fixed


def _below(folder: Path) -> Iterator[Path]:
    for name, what in _TABLES_OF_FILES.items():
        if (folder / name).is_dir():
            raise Misconfigured(
                f"the folder is a table of {what}: its log says which files count",
                where=str(folder),
                hint=_READ_OTHERWISE[name].format(folder=folder),
            )
    return _walked(folder)


def _walked(folder: Path) -> Iterator[Path]:
    """Yield what is below a folder and no folder itself; links are followed, each folder once.

    :raises OSError: a folder may not be read; none is left out.
    """
    met = {os.path.realpath(folder)}
    for root, folders, names in os.walk(folder, onerror=_raised, followlinks=True):
        fresh = {os.path.realpath(Path(root) / name): name for name in reversed(folders)}
        folders[:] = [name for place, name in fresh.items() if place not in met]
        met |= fresh.keys()
        yield from (Path(root) / name for name in names)


def _raised(error: OSError) -> None:
    raise error


def _sorted_out(where: str, found: Iterable[tuple[Path, Path]], *, told: bool = False) -> FoundFiles:
    """Return the data among files.

    :param found: each with its path below the place.
    :param told: whether a file was named itself: then it is data, whatever its name begins with.
    """
    files: dict[str, list[DataFile]] = {}
    hidden, others = 0, []
    for path, inside in sorted(found, key=lambda one: str(one[1])):
        if not told and any(part.startswith(_HIDDEN) for part in inside.parts):
            hidden += 1
            continue
        kind = kind_of(path.name)
        if kind is None:
            others.append(str(inside))
            continue
        try:
            stat = path.stat()
        except FileNotFoundError:
            if path.is_symlink():
                raise Misconfigured(f"{inside} is a link to nothing", where=where) from None
            continue  # gone meanwhile: as if it had been gone before
        stamp = Stamp(stat.st_size, stat.st_mtime_ns, stat.st_ino)
        files.setdefault(kind, []).append(DataFile(str(path), str(inside), stamp, parts_of(inside)))
    lake = next((up for up in (Path(where), *Path(where).absolute().parents) if (up / _LIST_OF_A_LAKE).is_file()), None)
    if len(files) > 1 and lake is not None:
        raise Misconfigured(
            "the folder is of a lake, whose list says which files count", where=where, hint=f"Give --at lake:{lake}"
        )
    if len(files) > 1:
        kinds = ", ".join(f"{len(some):,} {kind} ({some[0].name})" for kind, some in files.items())
        raise Misconfigured(
            f"there are files of several kinds: {kinds}", where=where, hint='Name one kind, as in "folder/*.parquet"'
        )
    if not files:
        passed = f"; {_listed(others)} is of no kind that is known" if others else ""
        raise PlaceMissing(f"there is no file of data{passed}", where=where, hint=f"Data are files named {KNOWN}")
    ((kind, some),) = files.items()
    return FoundFiles(kind, some, hidden, others, lake)


def parts_of(inside: PurePath) -> dict[str, str | None]:
    """Return what the folders above a file say: ``dt=2026-01-01/``."""
    said: dict[str, str | None] = {}
    for part in inside.parts[:-1]:
        name, mark, value = part.partition("=")
        if mark and name:
            said[unquote(name)] = None if value == _NO_VALUE else unquote(value)
    return said
