"""Finding the files of a replay: by the beginning and the end of their names, in natural order."""

from __future__ import annotations

import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import Misconfigured, StoreFailed

PACKED = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
_SHOWN = 5
_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True, slots=True)
class Files:
    """Which files: those of a folder whose names have this beginning and this end, one of ``PACKED`` behind it or not.

    Folders within the folder, and names that begin with a dot, are left alone.
    """

    folder: Path
    prefix: str = ""
    suffix: str = ""

    def find(self) -> list[Path]:
        """Return the files in natural order: ``clicks_hour_2`` before ``clicks_hour_10``.

        :raises Misconfigured: the folder or such a file is not there; what is there is named.
        :raises StoreFailed: the folder cannot be read, or a link leads to no file.
        """
        there = self._there()
        found = sorted((path for path in there if self._means(path.name) and _is_file(path)), key=natural)
        if not found:
            raise Misconfigured(
                f"no file {self.said}", where=str(self.folder), hint=_there([path.name for path in there])
            )
        self._refuse_twice(found)
        return found

    def left_alone(self) -> list[str]:
        """Return the names that begin as they should, and are no such file: what a wrong end has, or is a folder.

        :raises StreamproofError: as :meth:`find`.
        """
        if not self.prefix:
            return []
        there = [path for path in self._there() if path.name.startswith(self.prefix)]
        return [
            readable(path.name)
            for path in sorted(there, key=natural)
            if not self._means(path.name) or not _is_file(path)
        ]

    @property
    def said(self) -> str:
        """What the names are like, in words."""
        parts = [f"begins with {self.prefix!r}"] if self.prefix else []
        parts += [f"ends with {self.suffix!r} (or with .gz or .zst behind it)"] if self.suffix else []
        return " and ".join(parts) or "is there"

    def _means(self, name: str) -> bool:
        return (
            name.startswith(self.prefix)
            and len(name) >= len(self.prefix) + len(self.suffix)
            and any(name.endswith(self.suffix + packed) for packed in ("", *PACKED))
        )

    def _there(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if not path.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._no_folder(isinstance(error, NotADirectoryError)) from None
        except OSError as error:
            raise StoreFailed(
                f"the folder of the replay cannot be read: {error.strerror}", where=readable(str(self.folder))
            ) from None
        except ValueError as error:  # a NUL in its name
            raise Misconfigured(f"the folder of the replay is none: {error}", where=repr(str(self.folder))) from None

    def _no_folder(self, a_file: bool) -> Misconfigured:
        hint = "Give the folder that the files are in"
        with suppress(OSError):  # what may not be looked at is not named
            near = next((parent for parent in self.folder.absolute().parents if parent.is_dir()), None)
            if near is not None and near != Path(near.anchor):
                names = [f"{path.name}/" for path in near.iterdir() if path.is_dir() and not path.name.startswith(".")]
                hint = f"In {near} {_there(names, 'there are the folders')}"
        what = "is a file, not a folder" if a_file else "is not there"
        return Misconfigured(f"the folder of the replay {what}", where=str(self.folder), hint=hint)

    def _refuse_twice(self, found: list[Path]) -> None:
        """Refuse files of which one is the other packed: their rows would be sent twice."""
        plain: dict[str, Path] = {}
        for path in found:
            name = path.name.removesuffix(path.suffix) if path.suffix in PACKED else path.name
            other = plain.setdefault(name, path)
            if other is not path:
                raise Misconfigured(
                    f"{other.name} and {path.name} would both be replayed, and one looks like the other packed",
                    where=str(self.folder),
                    hint="Take one of them away, or say the suffix to its end, such as .csv.gz",
                )


def natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Return what to sort by, so that numbers within names count as numbers."""
    parts = enumerate(_DIGITS.split(path.name))  # every other one is digits
    return [(1, int(part), "") if place % 2 else (0, 0, part) for place, part in parts if part], path.name


def readable(name: str) -> str:
    """Return a name as text that can be written anywhere: a byte of it that is none is its number."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def unreadable(path: Path, error: OSError) -> StoreFailed:
    """Return the error of a file that the disk does not give."""
    return StoreFailed(
        f"the file cannot be read: {error.strerror or error}",
        where=readable(str(path)),
        hint="See that it is there and may be read, and run the same command again",
    )


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:  # such as a link that leads nowhere
        raise unreadable(path, error) from None


def _there(names: list[str], beginning: str = "There is") -> str:
    names = sorted(map(readable, names))
    if not names:
        return "nothing is in it" if beginning[0].islower() else "The folder is empty"
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{beginning} {', '.join(names[:_SHOWN])}{more}"
