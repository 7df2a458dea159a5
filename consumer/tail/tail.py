"""Looking at the records of a topic, one after the other: the main path of this package."""

from __future__ import annotations

import base64
import datetime as dt
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cluster.connection import Connection
from cluster.errors import BrokerSilent, Misconfigured
from cluster.reading import SILENCE_S, TopicFollower, Watermarks
from cluster.records import Headers, Message, Records
from consumer.tail.reveal import BYTES, TOMBSTONE, Reveal, Revealed, Schemas
from consumer.tail.start import Start
from consumer.tail.wanted import Wanted

_FETCH_ROWS = 2_000
_MOST_BACK = 1_000_000  # offsets that are looked at for the last records of a partition


@dataclass(frozen=True, slots=True)
class Seen:
    """One record, and what it is.

    :param at_ms: its time, milliseconds since 1970; ``None`` where it carries none.
    :param raw: the bytes of its value; ``None`` for a tombstone.
    :param key_json: what a key is that Avro wrote, as JSON has it.
    """

    topic: str
    partition: int
    offset: int
    at_ms: int | None
    key: bytes | None
    headers: Headers
    raw: bytes | None
    revealed: Revealed
    key_json: Any = None

    @property
    def at(self) -> str | None:
        """Its time as ISO 8601 in UTC, with milliseconds; ``None`` for one that no calendar has."""
        if self.at_ms is None:
            return None
        try:
            moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=self.at_ms)
        except OverflowError:
            return None
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping. Bytes that are no UTF-8 are ``{"base64": ...}``."""
        found, schema = self.revealed, self.revealed.schema
        document: dict[str, Any] = {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "timestamp": self.at,
            "key": text_or_base64(self.key),
            "headers": [{"name": name, "value": text_or_base64(value)} for name, value in self.headers],
            "format": found.kind,
            "schema": None
            if schema is None
            else {"id": schema.id, "subject": schema.subject, "version": schema.version},
            "value": {"base64": base64.b64encode(self.raw or b"").decode()} if found.kind == BYTES else found.value,
        }
        if self.key_json is not None:
            document["key_json"] = self.key_json
        if found.fault is not None:
            document["undecodable"] = {"class": found.fault[0], "reason": found.fault[1]}
        return document


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked at.

    :param partition: the only partition, or all of them.
    :param most: end after so many records that are shown.
    :param follow: go on when what is there now was looked at.
    """

    topic: str
    start: Start
    partition: int | None = None
    wanted: Wanted = field(default_factory=Wanted)
    most: int | None = None
    follow: bool = False


def tail(connection: Connection, asked: Asked, *, stop: threading.Event, show: Callable[[Seen], bool]) -> int:
    """Show records of a topic until what was there is shown, enough are, or ``stop``; return how many were.

    Records come in the order of each partition, and among partitions as they arrive. Nothing is stored, and no consumer
    group is asked or told.

    :param show: takes one record, and returns whether anybody still looks.
    :raises Misconfigured: there is no such partition, or the offset lies beyond the end.
    :raises TopicMissing: there is no such topic.
    :raises BrokerSilent: records are there, and none came for a minute.
    :raises StreamproofError: Kafka, or the registry where a value names a schema, does not answer.
    """
    shown = 0
    with ExitStack() as opened:
        reveal = Reveal(asked.topic, _registry(connection, opened))
        follower = opened.enter_context(TopicFollower(connection.kafka, asked.topic, purpose="tail"))
        for records in _fetched(follower, asked, stop):
            for seen in _seen(records, asked, reveal):
                shown += 1
                if not show(seen) or shown == asked.most:
                    return shown
                if stop.is_set():
                    return shown
    return shown


def _registry(connection: Connection, opened: ExitStack) -> Callable[[], Schemas] | None:
    """Return what opens a client of the registry; ``None`` if none is known."""
    settings = connection.known_registry
    if settings is None:
        return None

    def open_registry() -> Schemas:
        from schemas.registry.client import Registry  # deferred: its HTTP client takes as long as the rest to import

        return opened.enter_context(Registry(settings))

    return open_registry


def _fetched(follower: TopicFollower, asked: Asked, stop: threading.Event) -> Iterator[Records]:
    """Yield what comes: from the start that was asked for, up to where the topic ends now, and on if it is followed."""
    marks = _watermarks(follower, asked)
    ends = {partition: mark.high for partition, mark in marks.items()}
    if asked.start.offset is not None and asked.start.offset < 0:
        yield from _last(follower, marks, -asked.start.offset, stop)
        begins = ends
    else:
        at_time = {} if asked.start.at_ms is None else follower.offsets_at(marks, asked.start.at_ms)
        begins = asked.start.positions(asked.topic, marks, at_time, alone=asked.partition is not None)
    if not asked.follow:
        yield from _up_to(follower, begins, ends, stop, asked.most)
        return
    follower.assign(begins)
    while not stop.is_set():
        records, _ = follower.fetch(_rows(asked.most), stop)
        if len(records):
            yield records


def _last(
    follower: TopicFollower, marks: Mapping[int, Watermarks], number: int, stop: threading.Event
) -> Iterator[Records]:
    """Yield the last records of each partition: ``number`` of them, or all that are there.

    Offsets may hold none: transactions leave a marker behind each, and those that were rolled back all of theirs. So it
    is looked further and further back.
    """
    left, back = dict(marks), 2 * number
    while left and not stop.is_set():
        begins = {partition: max(mark.low, mark.high - back) for partition, mark in left.items()}
        kept: dict[int, deque[Message]] = {partition: deque(maxlen=number) for partition in left}
        for records in _up_to(follower, begins, {p: mark.high for p, mark in left.items()}, stop, None):
            for message in records.messages:
                kept[message.partition()].append(message)
        found = [p for p, mark in left.items() if len(kept[p]) == number or begins[p] == mark.low or back >= _MOST_BACK]
        yield Records.of([message for partition in found for message in kept[partition]])
        left = {partition: mark for partition, mark in left.items() if partition not in found}
        back *= 8


def _up_to(
    follower: TopicFollower,
    begins: Mapping[int, int],
    ends: Mapping[int, int],
    stop: threading.Event,
    most: int | None,
) -> Iterator[Records]:
    """Yield the records between two offsets of each partition.

    :raises BrokerSilent: they are there, and nothing came for too long.
    """
    follower.assign({partition: at for partition, at in begins.items() if at < ends[partition]})
    heard = time.monotonic()
    while not stop.is_set() and any(at < ends[partition] for partition, at in follower.positions.items()):
        records, spans = follower.fetch(_rows(most), stop)
        if spans:
            heard = time.monotonic()
        elif time.monotonic() - heard > SILENCE_S:
            raise BrokerSilent(
                f"nothing came for {SILENCE_S:.0f} s although records are there",
                where=f"topic {follower.topic}",
                hint="Run the same command again when the broker answers",
            )
        inside = records.offsets < np.array([ends[partition] for partition in records.partitions.tolist()], np.int64)
        records = records if inside.all() else records.only(inside)
        if len(records):
            yield records


def _rows(most: int | None) -> int:
    return _FETCH_ROWS if most is None else min(most, _FETCH_ROWS)


def _watermarks(follower: TopicFollower, asked: Asked) -> Mapping[int, Watermarks]:
    partitions = follower.identify().partitions
    if asked.partition is not None and not 0 <= asked.partition < partitions:
        raise Misconfigured(
            f"there is no partition {asked.partition}",
            where=f"topic {asked.topic}",
            hint=f"It has {partitions}: 0 to {partitions - 1}",
        )
    return follower.watermarks(range(partitions) if asked.partition is None else [asked.partition])


def _seen(records: Records, asked: Asked, reveal: Reveal) -> Iterator[Seen]:
    """Yield the records that are wanted, revealed; a value is decoded only if the key of its record is wanted."""
    messages = [message for message in records.messages if asked.wanted.has_key(message.key())]
    values, headers = [message.value() for message in messages], [message.headers() for message in messages]
    keys = reveal.keys([message.key() for message in messages], headers)
    for message, revealed, key in zip(messages, reveal(values, headers), keys, strict=True):
        if revealed.kind in {BYTES, TOMBSTONE} and asked.wanted.where:
            continue
        if not asked.wanted.has_fields(revealed.value):
            continue
        at_ms = message.timestamp()[1]
        yield Seen(
            asked.topic,
            message.partition(),
            message.offset(),
            at_ms if at_ms >= 0 else None,
            message.key(),
            message.headers() or [],
            message.value(),
            revealed,
            key,
        )


def text_or_base64(part: bytes | None) -> Any:
    """Return bytes as the text that they are, or as base64."""
    if part is None:
        return None
    try:
        return part.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(part).decode()}
