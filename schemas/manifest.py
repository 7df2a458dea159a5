"""The manifest: what one shard of one run says it delivered.

A shard writes two records to the control topic ``<topic>.manifests`` (compacted, key ``<run id>/<shard>``, value JSON):
``running`` before the first event, ``finished`` after the last acknowledgement. Whoever can read Kafka can audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cluster.text.names import check_companion
from schemas.fault_targets import FaultTargets
from schemas.identity import MAX_SHARDS

CONTROL_SUFFIX = ".manifests"
MAX_CRC_WINDOWS = 4096
MAX_PLACE_WINDOWS = 2048
_SHOWN_SHARDS = 5

# Half-open [start, end) range of sequences.
Range = tuple[int, int]


def control_topic_of(topic: str) -> str:
    """Return the name of the control topic of ``topic``.

    :raises Misconfigured: Kafka allows no name of that length.
    """
    check_companion(topic, CONTROL_SUFFIX)
    return topic + CONTROL_SUFFIX


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SchemaUsed(_Document):
    """The schema that the values were written with.

    ``fingerprint`` is of the text that the registry gives for ``id`` (``schemas/fingerprint.py``); ``None`` in
    manifests of earlier versions, and where the registry has no single text for it.
    """

    subject: str
    version: int
    id: int
    fingerprint: str | None = None


class RateWindow(_Document):
    """Events in one second of the run, or in several, where a run is too long for a window each."""

    second: int = Field(ge=0, description="seconds since the start of the schedule")
    seconds: int = Field(default=1, ge=1, description="how many the window spans")
    intended: int = Field(ge=0, description="fell due")
    sent: int = Field(default=0, ge=0, description="handed over to be sent")
    achieved: int = Field(ge=0, description="were acknowledged")
    skipped: int = Field(default=0, ge=0, description="were given up after a stall")
    delay_ms: float | None = Field(
        default=None,
        ge=0,
        description="the longest publish delay of those acknowledged; null where none were, and in earlier versions",
    )

    @property
    def end(self) -> int:
        """The second after it."""
        return self.second + self.seconds


class RateGap(_Document):
    """Seconds for which there are no rate windows: an attempt that was killed took its figures with it."""

    second: int = Field(ge=0, description="the first, as windows count them")
    seconds: int = Field(ge=0, description="how many, by the schedule; 0: nothing tells, the run had none")
    events: int = Field(ge=1, description="that were found in the topic when the shard was continued")

    @property
    def end(self) -> int:
        """The second after it."""
        return self.second + self.seconds


class Sending(_Document):
    """The time of one attempt's sending, by a monotonic clock; its start-up is apart."""

    began_at: str = Field(description="ISO 8601, UTC: when its schedule began")
    startup_s: float = Field(ge=0, description="before that")
    seconds: float = Field(ge=0, description="from there to the last acknowledgement")
    due_s: float = Field(ge=0, description="what the schedule asked for, up to its end or a stop; 0: without one")
    due: int = Field(ge=0, description="events that fell due in that time")
    acknowledged: int = Field(ge=0, description="events, with those that were dropped on purpose")
    generator_s: float = Field(default=0.0, ge=0, description="late, and waiting for events to be made and encoded")
    kafka_s: float = Field(default=0.0, ge=0, description="waiting for Kafka to make room, or for its last answers")


class CrcWindows(_Document):
    """Sums of CRC-32 (zlib) over the framed values of acknowledged events, a sum per window of sequences.

    Window ``i`` covers sequences ``[first + i * size, first + (i + 1) * size)``; sums are not reduced modulo 2^32.
    One altered event changes the sum of its window, so a difference names a window, not only a shard.
    """

    size: int = Field(gt=0)
    sums: list[int] = Field(max_length=MAX_CRC_WINDOWS)


class PlaceWindows(_Document):
    """Where the acknowledged records of a shard lie, second ones of injected duplicates included.

    A row is ``(partition, number, records, sum)``: window ``number`` covers offsets ``[number * size, (number + 1) *
    size)`` of the partition, ``sum`` adds up what ``schemas/places.py`` makes of each of its records, modulo 2^64.
    Records that were never answered are in no window.
    """

    size: int = Field(gt=0)
    windows: list[tuple[int, int, int, int]]


class FaultTruth(_Document):
    """The events of one shard that one kind of fault was injected into. ``schemas/faults.py`` has the kinds."""

    kind: str
    sequences: list[Range] = Field(default_factory=list)
    unsure: list[Range] = Field(
        default_factory=list, description="the faulty record was sent and never answered: found or not, either is right"
    )


class VersionWritten(_Document):
    """How many acknowledged events were written with one version of the schema, values that no longer decode aside."""

    schema_used: SchemaUsed
    events: int = Field(ge=0)


class Terms(BaseModel):
    """What a shard was begun with. Read out of a manifest alone, the rest of it is not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str = Field(min_length=1, max_length=250)
    shard: int = Field(ge=0, lt=MAX_SHARDS)
    shards: int = Field(gt=0, le=MAX_SHARDS, description="shards of the run: how many manifests an audit waits for")
    topic: str
    topic_id: str | None = Field(
        default=None, description="Kafka's id of the topic: another one when it is made anew; None before it was kept"
    )
    scenario: str
    scenario_version: int
    seed: int
    settings: dict[str, int | float | str | None] = Field(
        default_factory=dict, description="the rest of what the data depends on; equal for every attempt at this shard"
    )
    common: list[str] = Field(
        default_factory=list, description="names of the settings that are equal for every shard of the run"
    )
    schema_used: SchemaUsed
    value_format: str = Field(
        default="avro", description="how values are written; manifests of earlier versions do not say: Avro"
    )

    def agreed(self, names: Sequence[str]) -> dict[str, object]:
        """Return what every shard of the run must have been begun with, the settings ``names`` among it.

        What a manifest of an earlier version does not say is left out: it speaks against nothing.
        """
        said = {"topic id": self.topic_id, "schema fingerprint": self.schema_used.fingerprint}
        return (
            {
                "topic": self.topic,
                "scenario": self.scenario,
                "scenario version": self.scenario_version,
                "shards": self.shards,
                "seed": self.seed,
                "schema id": self.schema_used.id,
                "format": self.value_format,
            }
            | {name: value for name, value in said.items() if value is not None}
            | {name: self.settings.get(name) for name in names}
        )


class Manifest(Terms):
    """What a shard says about itself. Sequences are dense: ``[first_sequence, next_sequence)`` were generated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    status: Literal["running", "finished"]
    contract: str | None = Field(
        default=None, description="text of the contract, where values do not name their schema; null where they do"
    )
    pack: dict[str, str] = Field(
        default_factory=dict,
        description="queries that the scenario brought for those who judge and read its events, by kind and name, with "
        "their severities: see schemas/packs.py",
    )
    started_at: str = Field(description="ISO 8601, UTC: the first attempt's first moment")
    ended_at: str | None = None
    start_offsets: dict[int, int] = Field(
        default_factory=dict, description="end of each partition of the topic before the first event"
    )
    brokers: str | None = Field(default=None, description="addresses of the brokers, as they are shown")
    registry: str | None = Field(default=None, description="address of the registry, as it is shown")
    asked: int | None = Field(
        default=None,
        ge=0,
        description="events that the whole run was asked for, over all shards; null where something else ends it, and "
        "in manifests of earlier versions",
    )
    first_sequence: int = 0
    next_sequence: int = 0
    acknowledged: int = 0
    failed: list[Range] = Field(default_factory=list, description="reported as not written")
    unknown: list[Range] = Field(default_factory=list, description="sent, neither acknowledged nor refused")
    crc: CrcWindows | None = None
    placed: PlaceWindows | None = Field(
        default=None, description="where the acknowledged records lie; None in manifests of earlier versions"
    )
    dropped: int = Field(default=0, ge=0, description="sequences that were left out on purpose: an injected fault")
    faults: list[FaultTruth] = Field(default_factory=list, description="injected faults: the truth, by kind")
    fault_pages: int = Field(
        default=0, ge=0, description="records that hold the truth instead, where it does not fit: see FaultPage"
    )
    injected: dict[str, int] = Field(
        default_factory=dict, description="events of each kind in the truth, wherever that is; the unsure ones aside"
    )
    injected_unsure: int = Field(default=0, ge=0, description="unsure events in the truth, wherever that is")
    fault_targets: FaultTargets | None = Field(
        default=None, description="what of an event faults are put into: where detectors look"
    )
    truth_complete: bool = Field(
        default=True, description="whether the truth covers all that was sent; a shard that is continued completes it"
    )
    versions: list[VersionWritten] = Field(
        default_factory=list, description="events by schema version, where a run mixes them"
    )
    skipped: int = Field(
        default=0, ge=0, description="slots of the schedule that were given up after a stall; they have no event"
    )
    rate_windows: list[RateWindow] = Field(default_factory=list)
    rate_gaps: list[RateGap] = Field(default_factory=list, description="what the windows do not tell of")
    sending: list[Sending] = Field(
        default_factory=list, description="how long sending took, of every attempt that ended in order"
    )
    publish_delay_ms: dict[str, float] = Field(
        default_factory=dict,
        description="percentiles from intended time to acknowledgement, as p50, p99 ..., max; of the last attempt",
    )
    resumed: int = Field(default=0, ge=0, description="attempts before this one")
    interrupted: bool = Field(
        default=False, description="ended before its end, by a signal or a failure: the same command continues it"
    )

    @model_validator(mode="after")
    def _balance(self) -> Self:
        """A finished manifest accounts for every sequence that it claims."""
        ends = [self.first_sequence]
        for start, end in sorted([*self.failed, *self.unknown]):
            if not ends[-1] <= start < end <= self.next_sequence:
                raise ValueError(f"the range [{start}, {end}) is empty, overlaps another, or was not generated")
            ends.append(end)
        if self.status == "finished":
            generated = self.next_sequence - self.first_sequence
            accounted = self.acknowledged + count(self.failed) + count(self.unknown) + self.dropped
            if generated != accounted:
                raise ValueError(f"{generated} events generated, {accounted} accounted for")
        return self

    def key(self) -> str:
        """Return the record key on the control topic."""
        return f"{self.run_id}/{self.shard}"


class FaultPage(_Document):
    """A part of the truth about injected faults, of a shard that has too much of it for one record.

    Written before the finished manifest, under a key of its own. It counts where ``attempt`` is what the manifest says
    as ``resumed``.
    """

    format: Literal[1] = 1
    holds: Literal["faults"] = "faults"
    run_id: str
    shard: int = Field(ge=0, lt=MAX_SHARDS)
    attempt: int = Field(ge=0)
    page: int = Field(ge=0)
    faults: list[FaultTruth]

    def key(self) -> str:
        """Return the record key on the control topic."""
        return f"{self.run_id}/{self.shard}/faults/{self.page}"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing that the shards of a run should have in common. ``said`` gives each value with its shards."""

    name: str
    said: tuple[tuple[object, tuple[int, ...]], ...]

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.name} is " + ", ".join(f"{value} in {_shards(shards)}" for value, shards in self.said)


def disagreements(terms: Sequence[Terms]) -> list[Disagreement]:
    """Return in what the shards of one run were begun differently; nothing, when they are of one run."""
    names = sorted({name for term in terms for name in term.common})
    values: dict[str, dict[object, list[int]]] = {}
    for term in terms:
        for name, value in term.agreed(names).items():
            values.setdefault(name, {}).setdefault(value, []).append(term.shard)
    return [
        Disagreement(name, tuple((value, tuple(sorted(shards))) for value, shards in said.items()))
        for name, said in values.items()
        if len(said) > 1
    ]


def _shards(numbers: tuple[int, ...]) -> str:
    """Return numbers of shards in words, the first few of many."""
    shown = ", ".join(map(str, numbers[:_SHOWN_SHARDS]))
    more = f" and {len(numbers) - _SHOWN_SHARDS} more" if len(numbers) > _SHOWN_SHARDS else ""
    return f"shard{'s' if len(numbers) > 1 else ''} {shown}{more}"


def count(ranges: list[Range]) -> int:
    """Return how many sequences the ranges hold."""
    return sum(end - start for start, end in ranges)


def to_ranges(sequences: list[int]) -> list[Range]:
    """Fold sequences, in any order, into sorted half-open ranges."""
    ranges: list[Range] = []
    for sequence in sorted(set(sequences)):
        if ranges and ranges[-1][1] == sequence:
            ranges[-1] = (ranges[-1][0], sequence + 1)
        else:
            ranges.append((sequence, sequence + 1))
    return ranges
