"""The newest records of a topic, fetched now and then: a few from the end of each partition, never all that come.

They are shown one by one, and they are the sample that totals by name are taken from where nobody counts.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from cluster.connection import Connection
from cluster.errors import StreamproofError
from cluster.reading import TopicReader, Watermarks
from cluster.records import Message
from consumer.live.asking import moment
from consumer.live.offsets import Marks
from consumer.live.shortening import shown_bytes, shown_fields
from consumer.live.snapshot import RecordSight
from consumer.tail.reveal import BYTES, TEXT, TOMBSTONE, Reveal, Revealed, SchemaSeen
from schemas.registry.gate import Registry

SHOWN = 20
# A partition may end with offsets without a record, so more of them are looked at where too little came.
_LOOK_BACK, _MOST_BACK = SHOWN, 1_280
_FETCH_ROWS = 2_000
# The sample is of the last looks; more would be out of date, and decoding costs.
SAMPLE = 1_000
_SILENCE_S = 3.0
_KEY_LETTERS, _VALUE_LETTERS = 80, 400
# What a field that names the kind of an event is called, the first that a value has.
NAME_FIELDS = ("eventName", "event_name", "event_type", "eventType", "type", "event", "action", "name")
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest records, the latest first, and how many of the last ones that were decoded have which name."""

    records: tuple[RecordSight, ...]
    field: str | None
    names: tuple[tuple[str, int], ...]
    sampled: int


class NewestQuestion:
    """Fetches the newest records of each topic."""

    def __init__(self, connection: Connection, marks: Marks) -> None:
        self._connection = connection
        self._marks = marks
        self._tails: dict[str, _Tail] = {}
        self._opened: dict[str, ExitStack] = {}

    def ask(self, topic: str) -> Newest:
        """Return the newest records.

        :raises StreamproofError: Kafka does not deliver them.
        """
        marks = self._marks(topic)
        if topic not in self._tails:
            with ExitStack() as opening:
                known = self._connection.known_registry
                registry = None if known is None else opening.enter_context(Registry(known))
                self._tails[topic] = opening.enter_context(_Tail(self._connection, topic, registry))
                self._opened[topic] = opening.pop_all()
        try:
            return self._tails[topic].newest(marks)
        except StreamproofError:
            self._drop(topic)
            raise

    def keep(self, topics: Collection[str]) -> None:
        """Close the readers of other topics."""
        for topic in [topic for topic in self._tails if topic not in topics]:
            self._drop(topic)

    def _drop(self, topic: str) -> None:
        del self._tails[topic]
        self._opened.pop(topic).close()


class _Tail(AbstractContextManager["_Tail"]):
    """The end of one topic."""

    def __init__(self, connection: Connection, topic: str, registry: Registry | None) -> None:
        self._reader = TopicReader(connection.kafka, topic, purpose="live", silence_s=_SILENCE_S)
        self._reveal = Reveal(topic, None if registry is None else lambda: registry)
        self._stop = threading.Event()  # nobody sets it: what is waited for has a deadline
        self._back = _LOOK_BACK
        self._seen: dict[int, int] = {}
        self._shown: dict[tuple[int, int], RecordSight] = {}
        self._sample: deque[dict[str, Any]] = deque(maxlen=SAMPLE)

    def newest(self, marks: Mapping[int, Watermarks]) -> Newest:
        """Return the newest records before the ends that are known."""
        ends = {partition: mark.high for partition, mark in marks.items()}
        if any(ends.get(partition, 0) < at for partition, at in self._seen.items()):  # the topic was made anew
            self._seen, self._shown = {}, {}
            self._sample.clear()
        starts = {p: max(mark.low, mark.high - self._back, self._seen.get(p, 0)) for p, mark in marks.items()}
        if any(starts[partition] < end for partition, end in ends.items()):
            self._read(starts, ends)
        self._seen = ends
        left = sum(mark.high - mark.low for mark in marks.values())
        if len(self._shown) < min(SHOWN, left) and self._back < _MOST_BACK:
            self._back, self._seen = self._back * 4, {}  # markers and gaps: look further back next time
        field, names = self._names()
        return Newest(tuple(self._shown.values()), field, names, len(self._sample))

    def close(self) -> None:
        """Leave Kafka."""
        self._reader.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, starts: dict[int, int], ends: dict[int, int]) -> None:
        self._reader.assign(starts, ends)
        messages: list[Message] = []
        while not self._reader.finished:
            records, _ = self._reader.fetch(_FETCH_ROWS, self._stop)
            rows = np.flatnonzero(records.offsets >= 0)
            messages += [records.messages[row] for row in rows.tolist()]
        messages.sort(key=lambda message: (message.timestamp()[1], message.offset()))
        known = {(message.partition(), message.offset()) for message in messages}
        self._shown = {place: row for place, row in self._shown.items() if place not in known}
        last = messages[-SHOWN:]
        rows_new = {
            (message.partition(), message.offset()): self._sight(message, revealed)
            for message, revealed in zip(last, self._revealed(last), strict=True)
        }
        newest = {**dict(reversed(rows_new.items())), **self._shown}
        order = sorted(newest.items(), key=lambda item: (item[1].at or "", item[0][1]), reverse=True)
        self._shown = dict(order[:SHOWN])

    def _revealed(self, messages: Sequence[Message]) -> list[Revealed]:
        try:
            values = [message.value() for message in messages]
            return self._reveal(values, [message.headers() for message in messages])
        except StreamproofError as error:  # the registry: the records are there all the same
            return [Revealed(BYTES, fault=("registry", error.message)) for _ in messages]

    def _sight(self, message: Message, revealed: Revealed) -> RecordSight:
        if isinstance(revealed.value, dict):
            self._sample.append(revealed.value)
        at_ms, value = message.timestamp()[1], message.value()
        raw = revealed.kind in {BYTES, TEXT, TOMBSTONE}
        return RecordSight(
            partition=message.partition(),
            offset=message.offset(),
            at=moment(at_ms / 1000) if at_ms >= 0 else None,
            key=shown_bytes(message.key(), _KEY_LETTERS),
            schema_id=None if revealed.schema is None else revealed.schema.id,
            schema_version=None if revealed.schema is None else revealed.schema.version,
            schema="" if revealed.schema is None else _schema(revealed.schema),
            format=None if raw else revealed.kind,
            value=shown_bytes(value, _VALUE_LETTERS) if raw else shown_fields(revealed.value, _VALUE_LETTERS),
            fault="" if revealed.fault is None else f"{revealed.fault[0]}: {revealed.fault[1]}",
        )

    def _names(self) -> tuple[str | None, tuple[tuple[str, int], ...]]:
        """Return the field that names events, and the numbers of the sample by it."""
        for field in NAME_FIELDS:
            named = Counter(str(event[field]) for event in self._sample if isinstance(event.get(field), str))
            if named and len(named) <= _MOST_NAMES:
                return field, tuple(named.most_common())
        return None, ()


def _schema(seen: SchemaSeen) -> str:
    return f"id {seen.id}" if seen.subject is None else f"{seen.subject} v{seen.version} (id {seen.id})"
