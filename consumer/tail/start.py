"""Where in a topic a look begins: the start, the end, an offset, or a time."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cluster.errors import Misconfigured
from cluster.reading import Watermarks
from cluster.text.durations import seconds_in
from cluster.text.nearest import meant

START, END = "start", "end"
_OFFSET = re.compile(r"-?\d+")
_AGO = re.compile(r"\d+(\.\d+)?\s*(ms|s|m|h)")
_HINT = "Give start, end, an offset, -N for the last N of each partition, a time (2026-01-31T12:00:00Z), or 5m for ago"


@dataclass(frozen=True, slots=True)
class Start:
    """Where a look begins: exactly one is not ``None``.

    :param end: at the end, or the start if not.
    :param offset: of each partition; below 0 it is so many records before the end, which only reading can find.
    :param at_ms: milliseconds since 1970: the first record that is not older.
    """

    end: bool | None = None
    offset: int | None = None
    at_ms: int | None = None

    @classmethod
    def parse(cls, text: str, *, now: dt.datetime) -> Start:
        """Return what a text says; a time without a zone is UTC.

        :raises Misconfigured: it says none.
        """
        text = text.strip()
        if text in {START, END}:
            return cls(end=text == END)
        if _OFFSET.fullmatch(text):
            return cls(offset=int(text))
        if _AGO.fullmatch(text):
            return cls(at_ms=int(now.timestamp() * 1000 - seconds_in(text) * 1000))
        try:
            moment = dt.datetime.fromisoformat(text)
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            return cls(at_ms=int(zoned.timestamp() * 1000))
        except (ValueError, OverflowError):
            raise Misconfigured(f"{text!r} says no place to begin{meant(text, (START, END))}", hint=_HINT) from None

    def positions(
        self, topic: str, marks: Mapping[int, Watermarks], at_time: Mapping[int, int], *, alone: bool
    ) -> dict[int, int]:
        """Return the first offset of each partition; one that was deleted is the first that is there.

        Not for an offset below 0.

        :param at_time: the first offset that is not older than ``at_ms``, below 0 where all are.
        :param alone: whether one partition was asked for by number.
        :raises Misconfigured: the offset lies beyond the end of every partition.
        """
        if self.at_ms is not None:
            return {p: at if (at := at_time[p]) >= 0 else mark.high for p, mark in marks.items()}
        if self.offset is None:
            return {p: mark.high if self.end else mark.low for p, mark in marks.items()}
        furthest = max((mark.high for mark in marks.values()), default=0)
        if self.offset > furthest:
            of = f"partition {next(iter(marks))}" if alone else "every partition"
            raise Misconfigured(
                f"offset {self.offset} lies beyond the end of {of}",
                where=f"topic {topic}, which ends at {furthest}",
                hint="Give a smaller one, or `--from end`",
            )
        return {p: min(max(mark.low, self.offset), mark.high) for p, mark in marks.items()}
