"""What of an event a fault can be put into, and how it is told afterwards.

A scenario says it, the manifest keeps it, and the audit reads it there: so a detector knows any scenario's columns.
"""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.identity import IDENTITY_FIELD

# A key counts as hot when it has more events than the busiest one can have without the fault: so many standard
# deviations more than the sample says, up to as much again, and a few more.
_DEVIATIONS, _MORE = 10, 10
# By so many standard deviations a number that chance decides stays above another.
_CERTAIN = 4


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KeySample(_Part):
    """How busy the busiest key is without a fault: ``most`` of the first ``events`` events of a shard."""

    events: int = Field(gt=0)
    most: int = Field(ge=0)

    def limit(self, total: int) -> int:
        """Return how many of ``total`` events a key may have and not be hot."""
        most = self.most + min(self.most, _DEVIATIONS * math.sqrt(self.most))
        return _MORE + math.ceil(most * max(1.0, total / self.events))

    def least(self, total: int) -> int:
        """Return how many hot events are certain to stand out of ``total``, when chance decides how many there are."""
        limit = self.limit(total)
        return limit + math.ceil(_CERTAIN * math.sqrt(limit)) + _MORE


class FaultTargets(_Part):
    """Fields of the value by their paths; one within a record as ``details.play_duration``.

    :param event_time: when the event happened; those of a shard go up, but for less than 30 seconds. A timestamp, a
        ``long`` of milliseconds, an ``int`` of seconds, or a text (ISO 8601, UTC, with ``Z`` or ``UTC`` behind
        it). It is never null.
    :param date: a time or a date that never lies after the record; the event time unless given.
    :param duration: a number that is never below zero.
    :param choice: a text that is always one of ``choices``.
    :param text: a text at the top of the schema.
    :param hot_key: whether the key can be one that no other event has.
    :param keys: how busy keys are by themselves; the producer fills it in.
    """

    event_time: str | None = None
    date: str | None = None
    duration: str | None = None
    choice: str | None = None
    choices: tuple[str, ...] = ()
    text: str | None = IDENTITY_FIELD
    hot_key: bool = True
    keys: KeySample | None = None

    @model_validator(mode="before")
    @classmethod
    def _dated_by_its_time(cls, said: Any) -> Any:
        if isinstance(said, dict) and "date" not in said:
            return said | {"date": said.get("event_time")}
        return said
