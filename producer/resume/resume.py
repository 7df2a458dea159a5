"""What an earlier attempt left: the broker is asked which events are there, nothing is guessed."""

from __future__ import annotations

import math
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import structlog
from confluent_kafka import Message
from numpy.typing import NDArray

from cluster.connection import KafkaSettings
from cluster.errors import Busy, DataRejected, Interrupted, TopicRecreated
from cluster.reading import TopicReader, Watermarks
from producer.resume.placing import Placing
from producer.scenarios import Identity
from producer.shapes import Schedule
from schemas.formats import identity as identity_in
from schemas.identity import ID_CHARACTERS, event_id, event_ids_begin, id_in_header, sequence_in
from schemas.manifest import Manifest, RateGap, control_topic_of

log = structlog.get_logger()

_SHARD_CHARACTERS = 18  # of an id: run, version and shard
# Records that a killed process had already handed to the network may still arrive.
_QUIET_S = 0.5
_QUIET_ATTEMPTS = 20
_PLACED_AT_ONCE = 64  # records whose values are held meanwhile


@dataclass(frozen=True, slots=True)
class Landed:
    """Events that are in the topic, by sequence: ``there[n]``, and the CRC-32 of the value as it is there.

    ``again[n]``: more than once. ``placing`` has the places of all of their records.
    """

    there: NDArray[np.bool_]
    checksums: NDArray[np.int64]
    again: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    placing: Placing = field(default_factory=Placing)

    @classmethod
    def nothing(cls) -> Landed:
        """Return what a first attempt finds."""
        return cls(np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        """Return the sequence after the last that is there."""
        return len(self.there)

    @property
    def count(self) -> int:
        """Events that are there."""
        return int(self.there.sum())

    def has(self, sequences: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the sequences are there."""
        return _looked_up(self.there, sequences)

    def twice(self, sequences: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the sequences are there more than once."""
        return _looked_up(self.again, sequences)

    def missing(self, first: int, end: int) -> NDArray[np.int64]:
        """Return the sequences of ``[first, end)`` that are not there."""
        sequences = np.arange(first, end, dtype=np.int64)
        known = np.zeros(end - first, dtype=np.bool_)
        part = self.there[first:end]
        known[: len(part)] = part
        return sequences[~known]


def find_landed(
    kafka: KafkaSettings, manifest: Manifest, identity: Identity = "field", *, stop: threading.Event
) -> Landed:
    """Read the topic from where the run began and return which events of the shard are there.

    Reads on until no further event of the shard arrives for half a second.

    :raises TopicRecreated: records of the run's time are gone.
    :raises Interrupted: ``stop`` was set.
    :raises Busy: the shard is still growing: another process is writing it.
    """
    prefix = event_id(manifest.run_id, manifest.shard, 0)[:_SHARD_CHARACTERS].encode()
    identity_of = _id_in_header if identity == "header" else _id_in_value
    found: dict[int, int] = {}
    again: set[int] = set()
    placing = Placing()
    seen = 0
    with TopicReader(kafka, manifest.topic) as reader:
        partitions = range(reader.identify().partitions)
        bounds = reader.watermarks(partitions)
        starts = _starts(bounds, manifest)
        for attempt in range(_QUIET_ATTEMPTS):
            ends = {partition: mark.high for partition, mark in bounds.items()}
            before = seen
            for message in _up_to(reader, starts, ends, stop):
                value = message.value()
                identifier = identity_of(message)
                if not identifier.startswith(prefix):
                    identifier = _id_in_header(message)
                    if not identifier.startswith(prefix):
                        continue
                seen += 1
                placing.note(message)
                if not seen % _PLACED_AT_ONCE:
                    placing.settle()
                sequence = sequence_in(identifier)
                if sequence in found:
                    again.add(sequence)
                found[sequence] = zlib.crc32(value if isinstance(value, bytes) else b"")
            placing.settle()
            if attempt and seen == before:
                break
            starts = ends
            stop.wait(_QUIET_S)
            bounds = reader.watermarks(partitions)
        else:
            raise Busy(
                f"shard {manifest.shard} of run {manifest.run_id} is still being written",
                where=f"topic {manifest.topic}",
                hint="Another process sends it; wait for that one, or stop it",
            )
    return _as_arrays(found, again, placing)


def refuse_unaccounted(
    kafka: KafkaSettings,
    announced: Manifest,
    unaccounted: Mapping[int, int],
    *,
    taken_back: bool,
    stop: threading.Event,
) -> None:
    """Look for events that no manifest accounts for any more, before the first event is sent.

    They are there when the control topic was deleted and made anew, or when the manifest of the shard was taken back:
    they would be sent a second time.

    :param unaccounted: ends of the partitions to look at; none where there is no need.
    :param taken_back: look for events of the shard, not of the whole run: other shards may have their manifests.
    :raises DataRejected: there are some.
    :raises Interrupted: ``stop`` was set.
    """
    if not unaccounted:
        return
    # An id begins with the run and the version digit; the shard follows.
    of_shard = event_id(announced.run_id, announced.shard, 0)[:_SHARD_CHARACTERS]
    prefix = (of_shard if taken_back else event_ids_begin(announced.run_id)).encode()
    control = control_topic_of(announced.topic)
    why = f"the manifest of the shard was taken back in {control}" if taken_back else f"{control} is empty"
    log.info("looking whether the topic holds events of the run", topic=announced.topic, reason=why)
    with TopicReader(kafka, announced.topic) as reader:
        lows = {partition: mark.low for partition, mark in reader.watermarks(unaccounted).items()}
        for message in _up_to(reader, lows, unaccounted, stop):
            if _id_in_value(message).startswith(prefix) or _id_in_header(message).startswith(prefix):
                place = f"partition {message.partition()}, offset {message.offset()} of topic {announced.topic}"
                raise DataRejected(
                    f"the topic holds events of run {announced.run_id}, and its manifests are gone",
                    where=f"{place}; {why}",
                    hint="Sent again, they would be there twice; use a new run id",
                )


def rate_gaps(earlier: Manifest | None, landed: Landed, schedule: Schedule | None) -> list[RateGap]:
    """Return what the rate windows of earlier attempts leave out.

    An attempt that ended in order told its own. One that was killed left nothing but its events: with a schedule
    they say how far it came.
    """
    if earlier is None:
        return []
    new = landed.count - earlier.acknowledged
    if earlier.status == "finished" or new <= 0:
        return earlier.rate_gaps
    second = max([0, *(each.end for each in earlier.rate_windows), *(each.end for each in earlier.rate_gaps)])
    seconds = 0
    if schedule is not None:
        first, last = earlier.next_sequence + earlier.skipped, len(landed) - 1 + earlier.skipped
        seconds = math.ceil(max(schedule.at(last) - schedule.at(min(first, last)), 0.0)) or 1
    return [*earlier.rate_gaps, RateGap(second=second, seconds=seconds, events=new)]


def _looked_up(flags: NDArray[np.bool_], sequences: NDArray[np.int64]) -> NDArray[np.bool_]:
    known = sequences < len(flags)
    found = np.zeros(len(sequences), dtype=np.bool_)
    found[known] = flags[sequences[known]]
    return found


def _id_in_value(message: Message) -> bytes:
    value = message.value()
    return identity_in(value) if isinstance(value, bytes) else b""


def _id_in_header(message: Message) -> bytes:
    headers: Any = message.headers()  # a list of pairs; the stubs allow more
    found = id_in_header(headers) or b""
    return found if len(found) == ID_CHARACTERS else b""


def _up_to(
    reader: TopicReader, starts: Mapping[int, int], ends: Mapping[int, int], stop: threading.Event
) -> Iterator[Message]:
    """Yield every record in ``[start, end)`` of each partition.

    :raises Interrupted: ``stop`` was set before the ends.
    """
    reader.assign(starts, ends)
    yield from reader.messages(stop)
    if not reader.finished:
        raise Interrupted(
            f"stopped while reading topic {reader.topic}, before anything was sent", hint="The same command continues"
        )


def _starts(bounds: Mapping[int, Watermarks], manifest: Manifest) -> dict[int, int]:
    starts = {partition: manifest.start_offsets.get(partition, low) for partition, (low, _) in bounds.items()}
    for partition, (low, high) in bounds.items():
        if not low <= starts[partition] <= high:
            raise TopicRecreated(
                f"the run began at offset {starts[partition]}, the topic now holds {low} to {high}",
                where=f"topic {manifest.topic}, partition {partition}",
                hint="The topic was made anew or its records expired; start a new run",
            )
    return starts


def _as_arrays(found: dict[int, int], again: set[int], placing: Placing) -> Landed:
    size = max(found, default=-1) + 1
    there = np.zeros(size, dtype=np.bool_)
    checksums = np.zeros(size, dtype=np.int64)
    sequences = np.fromiter(found, dtype=np.int64, count=len(found))
    there[sequences] = True
    checksums[sequences] = np.fromiter(found.values(), dtype=np.int64, count=len(found))
    more = np.zeros(size, dtype=np.bool_)
    more[list(again)] = True
    return Landed(there, checksums, more, placing)
