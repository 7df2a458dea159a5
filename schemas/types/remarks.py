"""What is to be said about a schema that is taken: where a type is read otherwise than it may have been meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RemarkKind = Literal["logical_type", "default", "no_fields", "recursion"]


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about one place; an empty path is the record itself."""

    path: str
    kind: RemarkKind
    sentence: str

    def __str__(self) -> str:
        """Return the sentence behind its place."""
        return f"{self.path}: {self.sentence}" if self.path else self.sentence
