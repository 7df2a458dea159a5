"""Proving the outputs of a counter from the two topics alone: nothing that the counter says of itself is needed.

An output carries totals and positions. So each one is right exactly if its totals are the counts of the records below
its positions, and none repeats or undoes another exactly if positions go forward from each to the next.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.connection import Connection
from cluster.errors import Interrupted
from cluster.reading import TopicReader, Watermarks
from consumer.counter.naming import FieldNames
from consumer.counter.output import PARTITION
from consumer.counter.totals import EXPIRED, KEY, REASON_OF, RunningTotals, Totals, read_totals
from consumer.load.readers import source_of_schemas
from schemas.formats import WrittenSchema

_ROWS = 10_000
_MOST_FAULTS = 10

Offsets = NDArray[np.int64]
What = tuple[str, str]  # a name that is counted, or a reason to be apart: ("total", "search"), ("apart", "null")


@dataclass(frozen=True, slots=True)
class Examination:
    """What was proved of the outputs, or what is wrong with them.

    :ivar outputs: records of totals that were looked at, all of them committed; ``events``: in the last one.
    :ivar faults: what is wrong, a sentence each, the first few.
    :ivar last: the last output.
    :ivar gone: what retention left to be believed, in words; empty where everything could be counted again.
    """

    outputs: int
    events: int
    faults: list[str]
    last: Totals | None
    gone: str = ""

    @property
    def holds(self) -> bool:
        """Tell whether every output is right."""
        return not self.faults and self.outputs > 0

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {
            "holds": self.holds,
            "outputs": self.outputs,
            "events": self.events,
            "totals": {} if self.last is None else self.last.totals,
            "faults": self.faults,
            "gone": self.gone,
        }


def examine(
    connection: Connection,
    topic: str,
    output: str,
    *,
    by: str,
    stop: threading.Event,
    written: str | None = None,
    plain: WrittenSchema | None = None,
) -> Examination:
    """Count the topic again, and hold every committed output against it.

    1. count: where in the topic the records of each name are
    2. hold: each output's totals against the records below its positions, and its positions against those before

    :raises Interrupted: stopped.
    :raises TopicMissing: one of the topics is not there.
    """
    # 1. count
    with (
        source_of_schemas(connection, needed=False) as registry,
        TopicReader(connection.kafka, topic, purpose="count") as source,
    ):
        info = source.identify()
        marks = source.watermarks(range(info.partitions))
        names = FieldNames(connection.kafka, topic, by, registry, written=written, told=plain)
        places = _places(source, marks, names, Totals(topic, info.topic_id, by), stop)
    # 2. hold
    holding = _Holding(places, marks, topic_id=info.topic_id, field=by)
    with TopicReader(connection.kafka, output, purpose="count") as source:
        for offset, totals in _outputs(source, stop):
            holding.hold(offset, totals)
    return holding.examination()


def _places(
    source: TopicReader, marks: Mapping[int, Watermarks], names: FieldNames, empty: Totals, stop: threading.Event
) -> dict[What, dict[int, Offsets]]:
    """Return the offsets of the records of each name, and of each reason to be apart, by partition."""
    known = RunningTotals(empty)
    parts: dict[tuple[What, int], list[Offsets]] = {}
    source.assign({p: mark.low for p, mark in marks.items()}, {p: mark.high for p, mark in marks.items()})
    while not source.finished:
        records, spans = source.fetch(_ROWS, stop)
        _go_on(stop, source.topic)
        codes = names.of(records, spans, known)
        for code in np.unique(codes).tolist():
            of_name = codes == code
            what = ("total", known.names[code]) if code >= 0 else ("apart", REASON_OF[code])
            for partition in np.unique(records.partitions[of_name]).tolist():
                here = records.offsets[of_name & (records.partitions == partition)]
                parts.setdefault((what, partition), []).append(here)
    places: dict[What, dict[int, Offsets]] = {}
    for (what, partition), found in parts.items():
        places.setdefault(what, {})[partition] = np.concatenate(found)
    return places


def _outputs(source: TopicReader, stop: threading.Event) -> Iterator[tuple[int, Totals]]:
    mark = source.watermarks([PARTITION])[PARTITION]
    source.assign({PARTITION: mark.low}, {PARTITION: mark.high})
    for message in source.messages(stop):
        if message.key() == KEY and (totals := read_totals(message.value(), message.headers())) is not None:
            yield message.offset(), totals
    _go_on(stop, source.topic)


class _Holding:
    """Holds one output after the other against the records of the topic."""

    def __init__(
        self,
        places: Mapping[What, Mapping[int, Offsets]],
        marks: Mapping[int, Watermarks],
        *,
        topic_id: str,
        field: str,
    ) -> None:
        self._places, self._marks = places, marks
        self._topic_id, self._field = topic_id, field
        self._before: tuple[int, Totals] | None = None
        self._base: dict[What, int] = {}
        self._based = False
        self._outputs = 0
        self._faults: list[str] = []
        self._gone = ""

    def hold(self, offset: int, said: Totals) -> None:
        """Take one more output.

        :param offset: where it is.
        """
        self._outputs += 1
        if (said.topic_id, said.field) != (self._topic_id, self._field):
            self._fault(offset, f"is of another topic, or by the field {said.field}")
            return
        if self._before is not None:
            self._hold_positions(offset, said, *self._before)
        self._before = (offset, said)
        told = {("total", name): number for name, number in said.totals.items()}
        told |= {("apart", reason): number for reason, number in said.apart.items() if reason != EXPIRED}
        if not self._based and not self._take_base(offset, said, told):
            return
        for what in sorted(told.keys() | self._places.keys()):
            there = self._base.get(what, 0) + self._count(what, said.positions)
            if told.get(what, 0) != there:
                self._fault(
                    offset, f"says {' '.join(what)} {told.get(what, 0):,}, and it is {there:,} at its positions"
                )

    def examination(self) -> Examination:
        """Return what was found."""
        last = None if self._before is None else self._before[1]
        return Examination(self._outputs, 0 if last is None else last.events, self._faults, last, self._gone)

    def _hold_positions(self, offset: int, said: Totals, before: int, earlier: Totals) -> None:
        back = [p for p, at in earlier.positions.items() if said.positions.get(p, 0) < at]
        if back:
            self._fault(offset, f"goes back in partition {back[0]} behind the output at offset {before}")
        elif said.positions == earlier.positions:
            self._fault(offset, f"stands where the output at offset {before} stands")

    def _take_base(self, offset: int, said: Totals, told: Mapping[What, int]) -> bool:
        """Find where totals can be held from: where retention took records that were counted, one output is believed.

        :return: whether it is this one, or there is nothing to believe.
        """
        gone = sum(mark.low for mark in self._marks.values())
        if gone > said.apart.get(EXPIRED, 0):
            if any(said.positions.get(p, 0) < mark.low for p, mark in self._marks.items()):
                return False
            self._base = {what: number - self._count(what, said.positions) for what, number in told.items()}
            self._gone = f"the topic holds {gone:,} offsets no more: the output at offset {offset} is taken as it is"
        self._based = True
        return True

    def _count(self, what: What, positions: Mapping[int, int]) -> int:
        found = self._places.get(what, {})
        return sum(int(np.searchsorted(offsets, positions.get(p, 0))) for p, offsets in found.items())

    def _fault(self, offset: int, what: str) -> None:
        if len(self._faults) < _MOST_FAULTS:
            self._faults.append(f"the output at offset {offset} {what}")


def _go_on(stop: threading.Event, topic: str) -> None:
    if stop.is_set():
        raise Interrupted("stopped while totals were held against their topic", where=topic)
