"""Finding the files of a replay: by the beginning and the end of their names, in natural order."""

from __future__ import annotations

import re
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
        :raises StoreFailed: the folder cannot be read.
        """
        try:
            there = [path for path in self.folder.iterdir() if not path.name.startswith(".")]
            found = sorted((path for path in there if self._means(path.name) and path.is_file()), key=natural)
        except (FileNotFoundError, NotADirectoryError):
            raise self._no_folder() from None
        except OSError as error:
            raise StoreFailed(
                f"the folder of the replay cannot be read: {error.strerror}", where=str(self.folder)
            ) from None
        if not found:
            raise Misconfigured(
                f"no file {self.said}", where=str(self.folder), hint=_there([path.name for path in there])
            )
        self._refuse_twice(found)
        return found

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

    def _no_folder(self) -> Misconfigured:
        near = next((parent for parent in self.folder.absolute().parents if parent.is_dir()), None)
        hint = "Give the folder that the files are in"
        if near is not None and near != Path(near.anchor):
            names = [f"{path.name}/" for path in near.iterdir() if path.is_dir() and not path.name.startswith(".")]
            hint = f"In {near} {_there(names, 'there are the folders')}"
        what = "is a file, not a folder" if self.folder.exists() else "is not there"
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
    parts = _DIGITS.split(path.name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts if part], path.name


def _there(names: list[str], beginning: str = "There is") -> str:
    names = sorted(names)
    if not names:
        return "nothing is in it" if beginning[0].islower() else "The folder is empty"
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{beginning} {', '.join(names[:_SHOWN])}{more}"
