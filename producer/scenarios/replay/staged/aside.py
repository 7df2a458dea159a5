"""What was set aside, as JSON lines: one object for each, with its bytes."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from producer.scenarios.replay.rows import SetAside

NAME = "set_aside.jsonl"


@dataclass(frozen=True, slots=True)
class SetAsideOf:
    """What was set aside of a file, by its name."""

    file: str
    aside: SetAside


class AsideWriter:
    """Writes what is set aside, and counts it by reason. A line in parts counts once."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / NAME).open("w", encoding="utf-8")
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._file.close()

    def write(self, name: str, asides: Iterable[SetAside]) -> int:
        """Write what was set aside of a file, and return how many rows that is."""
        rows = 0
        for aside in asides:
            part = {"part": aside.part} if aside.part else {}
            self._file.write(
                json.dumps(
                    {
                        "file": name,
                        "line": aside.line,
                        "reason": aside.reason,
                        "detail": aside.detail,
                        **part,
                        "raw": base64.b64encode(aside.raw).decode(),
                    },
                    ensure_ascii=False,
                )
                + "\n"
            )
            rows += aside.part == 0
            self.counts[aside.reason] += aside.part == 0
        return rows


def read_aside(folder: Path) -> Iterator[SetAsideOf]:
    """Yield what was set aside, in the order of the files and their lines."""
    with (folder / NAME).open(encoding="utf-8") as file:
        for line in file:
            told = json.loads(line)
            raw = base64.b64decode(told["raw"])
            aside = SetAside(told["line"], told["reason"], told["detail"], raw, told.get("part", 0))
            yield SetAsideOf(told["file"], aside)
