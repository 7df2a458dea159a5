"""One topic at one moment: what the questions found out, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cluster.reading import Watermarks
from consumer.live.asking import Reading, moment
from consumer.live.claims import FINISHED, INTERRUPTED, RUNNING, SILENT, Claims, ShardClaim
from consumer.live.newest import Newest
from consumer.live.offsets import Ends, Loaded
from consumer.live.published import Published
from consumer.live.rates import Rate, RateHistory
from consumer.live.snapshot import (
    ACKNOWLEDGED,
    COUNTS,
    GENERATED,
    IN_TOPIC,
    LOADED,
    PUBLISHED,
    STAGES,
    GroupSight,
    GroupsSight,
    IncidentSight,
    LastKnown,
    NameTotal,
    NewestSight,
    PartitionSight,
    PartitionsSight,
    QuarantineSight,
    RunSight,
    RunsSight,
    ShardSight,
    Stage,
    TopicSight,
    TotalsSight,
)
from schemas.incidents import RunIncidents

SHOWN_RUNS = 5
_NO_SUCH_TOPIC = "the topic does not exist"
_NOBODY_LOADS = "no load told its group how far it is"


@dataclass(frozen=True, slots=True)
class Readings:
    """What is known of one topic, question by question."""

    ends: Reading[Ends]
    claims: Reading[Claims]
    loaded: Reading[Loaded]
    published: Reading[Published]
    groups: Reading[tuple[GroupSight, ...]]
    newest: Reading[Newest]
    counted: Reading[TotalsSight | None]


# A count, why there is none, and what it leaves out.
Counted = tuple[int | None, str, str]


def _stage_counts(known: Readings) -> dict[str, tuple[Reading[Any], Callable[[Any], Counted]]]:
    """Return, for each stage, what is known and how it is counted."""
    marks = known.ends.value.marks if known.ends.value is not None else {}
    return {
        GENERATED: (known.claims, lambda claims: (claims.generated, "", _mute(claims))),
        ACKNOWLEDGED: (known.claims, lambda claims: (claims.acknowledged, "", _mute(claims))),
        IN_TOPIC: (known.ends, _in_topic),
        LOADED: (known.loaded, lambda loaded: _loaded(loaded, marks)),
        PUBLISHED: (known.published, lambda published: (published.rows, "", "")),
    }


def _moment_of(reading: Reading[Any]) -> float:
    """Return the moment that counts are of, seconds since 1970."""
    return reading.value.at_s if isinstance(reading.value, Claims) else reading.at_s


def _mute(claims: Claims) -> str:
    if not claims.mute:
        return ""
    return f"without {claims.mute} shard{'s that have' if claims.mute > 1 else ' that has'} not told how far"


def _in_topic(ends: Ends) -> Counted:
    if not ends.exists:
        return None, _NO_SUCH_TOPIC, ""
    return sum(marks.high for marks in ends.marks.values()), "", ""


def _loaded(loaded: Loaded, marks: Mapping[int, Watermarks]) -> Counted:
    if not loaded.positions:
        return None, _NOBODY_LOADS, ""
    silent = sorted(partition for partition, mark in marks.items() if mark.high and partition not in loaded.positions)
    note = f"without partition{'s' if len(silent) > 1 else ''} {', '.join(map(str, silent))}" if silent else ""
    return sum(loaded.positions.values()), "", note


class TopicView:
    """Keeps what one topic needs from one moment to the next: rates, and their history."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._topic_id = ""
        self._rates = {stage: Rate() for stage in STAGES}
        self._partitions: dict[int, Rate] = {}
        self._history = RateHistory()

    def sight(self, known: Readings, now_s: float) -> TopicSight:
        """Return the topic as it is known now.

        :param now_s: seconds since 1970.
        """
        ends = known.ends.known
        if ends is not None and ends.exists and ends.topic_id != self._topic_id:
            self._topic_id = ends.topic_id
            self._rates = {stage: Rate() for stage in STAGES}
            self._partitions = {}
        stages = self._stages(known)
        self._history.add(now_s, {stage.name: stage.rate for stage in stages})
        groups = _groups(known.groups)
        outward = [group.rate for group in groups.rows if group.rate is not None]
        return TopicSight(
            name=self._name,
            exists=None if ends is None else ends.exists,
            stages=stages,
            rate_in=next(stage.rate for stage in stages if stage.name == IN_TOPIC),
            rate_out=sum(outward) if outward else None,
            partitions=self._partition_sights(known.ends),
            totals=_totals(known.counted, known.newest),
            groups=groups,
            newest=_newest(known.newest),
            quarantine=_quarantine(known.loaded),
            runs=_runs(known),
            history=self._history.history(),
        )

    def _stages(self, known: Readings) -> tuple[Stage, ...]:
        stages: list[Stage] = []
        for name, (reading, counting) in _stage_counts(known).items():
            count, unknown, note = (None, "", "") if reading.value is None else counting(reading.value)
            last = None
            if reading.unknown:
                last = None if count is None else LastKnown(count, reading.as_of or "")
                count, unknown, note = None, reading.unknown, ""
            at_s = _moment_of(reading)
            rate = self._rates[name]
            rate.see(at_s, count)
            stages.append(
                Stage(
                    name=name,
                    counts=COUNTS[name],
                    count=count,
                    rate=rate.value,
                    gap=self._gap(stages[-1].name, name) if stages else None,
                    as_of=None if count is None else moment(at_s),
                    unknown=unknown,
                    note=note,
                    last=last,
                )
            )
        return tuple(stages)

    def _gap(self, before: str, after: str) -> int | None:
        """Return the gap between two stages, both as of one moment: the later of which both are known."""
        first, second = self._rates[before], self._rates[after]
        if first.seen_s is None or second.seen_s is None:
            return None
        # What is published comes at once, and not bit by bit: there is nothing between two looks.
        at_s = max(first.seen_s, second.seen_s) if after == PUBLISHED else min(first.seen_s, second.seen_s)
        earlier, later = first.at(at_s), second.at(at_s)
        return None if earlier is None or later is None else round(earlier - later)

    def _partition_sights(self, reading: Reading[Ends]) -> PartitionsSight:
        ends = reading.known
        if ends is None:
            return PartitionsSight(unknown=reading.unknown)
        if not ends.exists:
            return PartitionsSight(as_of=reading.as_of, unknown=_NO_SUCH_TOPIC)
        rows = []
        for partition, marks in sorted(ends.marks.items()):
            rate = self._partitions.setdefault(partition, Rate())
            rate.see(reading.at_s, marks.high)
            rows.append(PartitionSight(partition, marks.low, marks.high, rate.value))
        return PartitionsSight(tuple(rows), reading.as_of)


def _totals(counted: Reading[TotalsSight | None], newest: Reading[Newest]) -> TotalsSight:
    """Return the totals of a counter; those of a sample where there is none."""
    if counted.value is not None:
        if counted.unknown:
            return replace(counted.value, rows=(), behind=None, received_at=None, as_of=None, unknown=counted.unknown)
        return replace(counted.value, as_of=counted.as_of)
    sample = newest.known
    if sample is None:
        return TotalsSight(unknown=newest.unknown)
    if sample.field is None:
        return TotalsSight(
            sampled=sample.sampled, as_of=newest.as_of, unknown="no field of the newest records names events"
        )
    rows = tuple(NameTotal(name, count) for name, count in sample.names)
    return TotalsSight(rows, sampled=sample.sampled, field=sample.field, as_of=newest.as_of)


def _groups(reading: Reading[tuple[GroupSight, ...]]) -> GroupsSight:
    groups = reading.known
    if groups is None:
        return GroupsSight(unknown=reading.unknown)
    return GroupsSight(tuple(replace(group, as_of=reading.as_of) for group in groups), reading.as_of)


def _newest(reading: Reading[Newest]) -> NewestSight:
    newest = reading.known
    return NewestSight(unknown=reading.unknown) if newest is None else NewestSight(newest.records, reading.as_of)


def _quarantine(reading: Reading[Loaded]) -> QuarantineSight:
    loaded = reading.known
    if loaded is None:
        return QuarantineSight(unknown=reading.unknown)
    if loaded.note.quarantined is None:
        return QuarantineSight(unknown="no load told what it put into the quarantine")
    return QuarantineSight(loaded.note.quarantined, loaded.note.last_error, reading.as_of)


def _runs(known: Readings) -> RunsSight:
    claims = known.claims.known
    if claims is None:
        return RunsSight(unknown=known.claims.unknown)
    newest = max((shards[0].started_at for shards in claims.runs.values()), default="")
    rows = [
        _run(shards, known, alone=shards[0].started_at == newest or _state(shards) in {RUNNING, SILENT})
        for shards in list(claims.runs.values())[:SHOWN_RUNS]
    ]
    return RunsSight(tuple(rows), known.claims.as_of)


def _run(shards: tuple[ShardClaim, ...], known: Readings, *, alone: bool) -> RunSight:
    """Return one run.

    :param alone: no other run is known to have begun after it was over: what came since it began says something of it.
    """
    first = shards[0]
    begins = _begins(shards)
    published, loaded = known.published.known, known.loaded.known
    return RunSight(
        run_id=first.run_id,
        scenario=first.scenario,
        state=_state(shards),
        started_at=min(claim.started_at for claim in shards),
        shards=first.shards,
        told=tuple(
            ShardSight(
                claim.shard,
                claim.state,
                claim.generated,
                claim.acknowledged,
                claim.failed,
                None if claim.heard_s is None else moment(claim.heard_s),
            )
            for claim in shards
        ),
        planned=first.asked,
        generated=_sum([claim.generated for claim in shards]),
        acknowledged=_sum([claim.acknowledged for claim in shards]),
        failed=_sum([claim.failed for claim in shards]),
        in_topic=_since(begins, _highs(known.ends.known)) if alone else None,
        loaded=_since(begins, loaded.positions) if alone and loaded is not None and loaded.positions else None,
        published=None if published is None else published.runs.get(first.run_id, 0),
    )


def incident_sights(run: RunIncidents) -> list[IncidentSight]:
    """Return the incidents of a run that have begun."""
    return [
        IncidentSight(
            start=each.began_at,
            end=each.ended_at,
            kind=each.kind,
            target=each.target,
            text=each.text,
            back=each.back_at,
            run_id=run.run_id,
            topic=run.topic,
            fault=each.fault,
        )
        for each in run.incidents
        if each.began_at is not None
    ]


def _state(shards: tuple[ShardClaim, ...]) -> str:
    states = {claim.state for claim in shards}
    return next((state for state in (RUNNING, SILENT, INTERRUPTED) if state in states), FINISHED)


def _sum(counts: list[int | None]) -> int | None:
    """Return a sum; ``None`` if one of them is unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _begins(shards: tuple[ShardClaim, ...]) -> dict[int, int]:
    """Return where each partition ended before the first event of a run."""
    begins: dict[int, int] = {}
    for claim in shards:
        for partition, offset in claim.start_offsets.items():
            begins[partition] = min(offset, begins.get(partition, offset))
    return begins


def _highs(ends: Ends | None) -> Mapping[int, int] | None:
    return None if ends is None or not ends.exists else {p: marks.high for p, marks in ends.marks.items()}


def _since(begins: Mapping[int, int], places: Mapping[int, int] | None) -> int | None:
    """Return how many offsets lie between two places of every partition that the run knew; one that is behind has 0."""
    if places is None or not begins or any(partition not in places for partition in begins):
        return None
    return sum(max(0, places[partition] - offset) for partition, offset in begins.items())
