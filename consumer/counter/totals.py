"""The totals, and where in the topic they stand. One output record carries both, so that they always agree.

==================  ==================================================================================================
key                 ``totals``
value               ``{"productview":9278,"purchase":9301,"receiveAt":"2020-02-27T00:06:38UTC"}``
header `positions`  ``{"0":5120,"1":4980,"2":5003}``: the next offset of each partition; what lies before is counted
header `counting`   ``{"topic":...,"topic_id":...,"field":...,"apart":{"null":3}}``: of what the totals are, and how
                    many records are in none of them, by the reason
==================  ==================================================================================================
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as default
from datetime import UTC, datetime
from typing import Any

import numpy as np

from cluster.errors import DataRejected
from cluster.records import Headers, Records, Rows, Span
from cluster.transactions import Outgoing

KEY = b"totals"
RECEIVED_AT = "receiveAt"
POSITIONS, COUNTING = "positions", "counting"
# All names are in each record, and are columns where totals are proved. Values of which there are more are no names.
MOST_NAMES = 2_000

# Why a record is in no total.
NULL, NO_TEXT, RESERVED, TOO_LONG = "null", "no_text", "reserved", "too_long"
UNDECODABLE, TOMBSTONE, EXPIRED = "undecodable", "tombstone", "expired"
REASONS: dict[str, str] = {
    NULL: "have nothing in the field",
    NO_TEXT: "have something there that is no text",
    RESERVED: f"are called {RECEIVED_AT}, as the time in the output is",
    TOO_LONG: "have a text of more than 1,000 characters there",
    UNDECODABLE: "cannot be decoded",
    TOMBSTONE: "have no value (tombstones)",
    EXPIRED: "were deleted by retention before they were counted",
}
# Codes of records that have no name: one below zero for each reason that a record itself can have.
CODES = {
    reason: -1 - number for number, reason in enumerate((TOMBSTONE, UNDECODABLE, NULL, NO_TEXT, RESERVED, TOO_LONG))
}
REASON_OF = {code: reason for reason, code in CODES.items()}


@dataclass(frozen=True, slots=True)
class Totals:
    """What one output record says.

    :ivar totals: by name, in the order of the record.
    :ivar positions: the next offset of each partition.
    :ivar apart: records that are in no total, by the reason (``REASONS``).
    :ivar received_at: when it was made, as the record says it.
    """

    topic: str
    topic_id: str
    field: str
    totals: dict[str, int] = default(default_factory=dict)
    positions: dict[int, int] = default(default_factory=dict)
    apart: dict[str, int] = default(default_factory=dict)
    received_at: str = ""

    @property
    def events(self) -> int:
        """Return how many events are in the totals."""
        return sum(self.totals.values())


def read_totals(value: bytes | None, headers: Headers | None) -> Totals | None:
    """Read an output record; ``None`` for one that is not of a counter.

    :raises DataRejected: it says that it is one, and cannot be read.
    """
    told = dict(headers or [])
    if POSITIONS not in told or COUNTING not in told:
        return None
    try:
        positions = json.loads(told[POSITIONS] or b"")
        about = json.loads(told[COUNTING] or b"")
        totals = json.loads(value or b"")
        received_at = str(totals.pop(RECEIVED_AT))
        return Totals(
            topic=str(about["topic"]),
            topic_id=str(about["topic_id"]),
            field=str(about["field"]),
            totals={name: _number(total) for name, total in totals.items()},
            positions={int(partition): _number(at) for partition, at in positions.items()},
            apart={str(reason): _number(number) for reason, number in about["apart"].items()},
            received_at=received_at,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataRejected(
            "a record of totals cannot be read: somebody else writes to the topic, or another version did",
            hint="Count into another topic (--to)",
        ) from None


def _number(said: Any) -> int:
    if not isinstance(said, int) or isinstance(said, bool) or said < 0:
        raise ValueError
    return said


class RunningTotals:
    """Totals that grow. What changes is put together as text once, and joined for each output.

    :param start: where to go on from; its positions are the ones that hold.
    """

    def __init__(self, start: Totals) -> None:
        self._of = replace(start, totals={}, positions={}, apart={})
        self.names: list[str] = []
        self.place_of: dict[str, int] = {}
        self._totals: list[int] = []
        self._heads: list[str] = []
        self._parts: list[str] = []
        self.apart: Counter[str] = Counter(start.apart)
        self.positions: dict[int, int] = {}
        self._positions: dict[int, str] = {}
        for name, total in start.totals.items():
            self._totals[self.place(name)] = total
        self._parts = [f"{head}{total}" for head, total in zip(self._heads, self._totals, strict=True)]
        self.move(start.positions)

    @property
    def totals(self) -> dict[str, int]:
        """Return the total of each name."""
        return dict(zip(self.names, self._totals, strict=True))

    @property
    def events(self) -> int:
        """Return how many events are in the totals."""
        return sum(self._totals)

    def place(self, name: str) -> int:
        """Return the place of a name; one that was not met before begins with 0.

        :raises DataRejected: there are too many.
        """
        place = self.place_of.get(name)
        if place is None:
            if len(self.names) >= MOST_NAMES:
                raise DataRejected(
                    f"the field {self._of.field} has more than {MOST_NAMES:,} different values",
                    where=f"topic {self._of.topic}",
                    hint="One record holds all totals: count by a field with fewer values",
                )
            place = self.place_of[name] = len(self.names)
            self.names.append(name)
            self._totals.append(0)
            self._heads.append(f"{json.dumps(name, ensure_ascii=False)}:")
            self._parts.append(f"{self._heads[place]}0")
        return place

    def declare(self, names: Iterable[str]) -> None:
        """Make names known, so that they are there with 0."""
        for name in names:
            self.place(name)

    def move(self, positions: Mapping[int, int]) -> None:
        """Set positions."""
        for partition, at in positions.items():
            self.positions[partition] = at
            self._positions[partition] = f'"{partition}":{at}'

    def add(self, codes: Rows, spans: Iterable[Span]) -> None:
        """Count records.

        :param codes: for each record the place of its name, or one of ``CODES``.
        :param spans: the offsets that they cover.
        """
        named = codes[codes >= 0]
        for place, more in enumerate(np.bincount(named, minlength=len(self.names)).tolist()):
            if more:
                self._totals[place] += more
                self._parts[place] = f"{self._heads[place]}{self._totals[place]}"
        for code, more in zip(
            *(each.tolist() for each in np.unique(codes[codes < 0], return_counts=True)), strict=True
        ):
            self.apart[REASON_OF[code]] += more
        self.move({span.partition: span.end for span in spans})

    def after_each(self, records: Records, codes: Rows, spans: Iterable[Span], now: datetime) -> Iterator[Outgoing]:
        """Count records, and yield an output after each event; one more where the last records are no events.

        The positions of the last output cover the spans whole. Records behind an output are not counted in it.
        """
        tail = _tail(now)
        counting: bytes | None = None
        events = np.flatnonzero(codes >= 0)
        last = int(events[-1]) if len(events) else -1
        rows = zip(records.partitions.tolist(), records.offsets.tolist(), codes.tolist(), strict=True)
        for row, (partition, offset, code) in enumerate(rows):
            self.positions[partition] = offset + 1
            self._positions[partition] = f'"{partition}":{offset + 1}'
            if code < 0:
                self.apart[REASON_OF[code]] += 1
                counting = None
                continue
            counting = counting or self._counting()
            self._totals[code] += 1
            self._parts[code] = f"{self._heads[code]}{self._totals[code]}"
            if row == last and row == len(codes) - 1:
                self.move({span.partition: span.end for span in spans})
            yield self._output(tail, counting)
        if len(codes) and last != len(codes) - 1:
            self.move({span.partition: span.end for span in spans})
            yield self._output(tail, self._counting())
        self.move({span.partition: span.end for span in spans})

    def output(self, now: datetime) -> Outgoing:
        """Return the totals as they are."""
        return self._output(_tail(now), self._counting())

    def _output(self, tail: str, counting: bytes) -> Outgoing:
        value = f"{{{','.join(self._parts)}{',' if self._parts else ''}{tail}"
        positions = f"{{{','.join(self._positions.values())}}}"
        return Outgoing(value.encode(), KEY, ((POSITIONS, positions.encode()), (COUNTING, counting)))

    def _counting(self) -> bytes:
        of = {"topic": self._of.topic, "topic_id": self._of.topic_id, "field": self._of.field}
        return json.dumps(of | {"apart": {reason: number for reason, number in self.apart.items() if number}}).encode()


def _tail(now: datetime) -> str:
    return f'"{RECEIVED_AT}":"{now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SUTC")}"}}'
