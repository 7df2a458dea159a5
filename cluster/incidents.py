"""Asking the supervisor of a local stack for an incident: a broker or the registry is taken away for a while.

Two files for each, in ``incidents/`` of the state folder. ``<id>.ask.json`` is there for as long as somebody wants it.
``<id>.told.json`` is written by the supervisor alone, and says what became of it.

The supervisor ends an incident when its time is over, when the ask is taken back (:meth:`Asked.take_back`), and when
the process that asked has ended, however that ended. So nothing that was frozen stays so because somebody died.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.local import process_started

Kind = Literal["stop", "kill", "freeze"]

FOLDER = "incidents"
ASK, TOLD = ".ask.json", ".told.json"
# A supervisor looks several times a second; one that was started by an earlier version never does.
ANSWER_TIMEOUT_S = 20.0


class Ask(BaseModel):
    """What is asked for: ``service`` is its name in the record of the stack, ``asker`` the process whose wish it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    service: str
    for_s: float = Field(gt=0)
    asker: int
    asker_started: str

    def is_wanted(self) -> bool:
        """Tell whether the process that asked still runs."""
        return process_started(self.asker) == self.asker_started


class Told(BaseModel):
    """What became of it. Moments are ISO 8601, UTC, and ``None`` before they came.

    ``back_at``: when the service answered again. ``fault``: why it was not done, or did not end as it should.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    began_at: str | None = None
    ended_at: str | None = None
    back_at: str | None = None
    fault: str = ""

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more will be told."""
        return bool(self.fault) or self.back_at is not None


@dataclass(frozen=True, slots=True)
class Asked:
    """An incident that was asked for."""

    path: Path

    def told(self) -> Told | None:
        """Return what the supervisor said last, ``None`` before it said anything."""
        try:
            return Told.model_validate_json(told_file(self.path).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def take_back(self) -> None:
        """Want it no longer: what is away comes back. It stays told of until the supervisor has seen that."""
        self.path.unlink(missing_ok=True)


def ask(state: Path, kind: Kind, service: str, for_s: float) -> Asked:
    """Ask for an incident that begins at once.

    :raises OSError: the state folder cannot be written.
    """
    folder = state / FOLDER
    folder.mkdir(exist_ok=True)
    wish = Ask(
        kind=kind,
        service=service,
        for_s=for_s,
        asker=os.getpid(),
        asker_started=process_started(os.getpid()) or "",
    )
    path = folder / f"{secrets.token_hex(8)}{ASK}"
    replace_file(path, wish.model_dump_json())
    return Asked(path)


def told_file(asked: Path) -> Path:
    """Return where is told what became of an ask."""
    return asked.with_name(asked.name.removesuffix(ASK) + TOLD)


def replace_file(path: Path, text: str) -> None:
    """Write a file so that whoever looks sees all of it or nothing."""
    draft = path.with_name(f".{path.name}")
    draft.write_text(text)
    draft.replace(path)
