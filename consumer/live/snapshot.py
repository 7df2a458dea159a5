"""What is known of topics at one moment, as values: shown by the terminal and by the page, and printed as JSON.

Every part was asked for by itself, and says when. A part that could not be found out has ``unknown``, the reason in
words, instead of a number: it is shown as ``unknown`` and never as 0. What was known before is in ``last`` with its own
time, where it is worth showing at all. Times are ISO 8601 in UTC, with milliseconds.

Counts are of different things, and ``counts`` of a stage says of which:

* *generated* and *acknowledged* count events of runs, as their producers tell. A record that was sent twice is one.
* *in the topic* and *loaded* count offsets, from 0 on: with records of others, second copies, markers of transactions,
  and what retention has removed. These two are of one kind, and the gap between them is the loader's lag.
* *published* counts the events that readers see.

So the gap between two stages of different kinds may be below 0, and a gap of 0 is no proof.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

# The stages of a topic, in the order in which events go through them.
GENERATED, ACKNOWLEDGED, IN_TOPIC, LOADED, PUBLISHED = STAGES = (
    "generated",
    "acknowledged",
    "in the topic",
    "loaded",
    "published",
)
COUNTS = {
    GENERATED: "events that the producers of all runs made",
    ACKNOWLEDGED: "events that Kafka acknowledged to them",
    IN_TOPIC: "offsets of the topic: events, records of others, second copies, markers of transactions",
    LOADED: "offsets that the loader is past, as it last told its group",
    PUBLISHED: "events that readers see in the current publication on this machine",
}


@dataclass(frozen=True, slots=True)
class LastKnown:
    """A count that is out of date, and the time that it is of."""

    count: int
    as_of: str


@dataclass(frozen=True, slots=True)
class Stage:
    """How much of a topic is through one stage.

    :ivar name: one of ``STAGES``.
    :ivar counts: what is counted, in words.
    :ivar count: ``None`` where it is unknown.
    :ivar rate: a second, over the last seconds; ``None`` where it is unknown, as it is at the first look.
    :ivar gap: count of the stage before, less this one, both as of the same moment, which is the earlier of their two:
        counts that are asked for one after the other differ by what happened in between. ``None`` where either is
        unknown, and for the first stage.
    :ivar as_of: the moment that the count is of; ``None`` where it is unknown.
    :ivar unknown: why there is no count, in words; empty where there is one.
    :ivar note: what the count leaves out, in words, as ``without 1 shard that has not told yet``.
    :ivar last: what was known last, where the count is unknown now.
    """

    name: str
    counts: str
    count: int | None = None
    rate: float | None = None
    gap: int | None = None
    as_of: str | None = None
    unknown: str = ""
    note: str = ""
    last: LastKnown | None = None


@dataclass(frozen=True, slots=True)
class PartitionSight:
    """One partition: it holds the offsets ``[low, end)``, ``end`` being the last stable one.

    :ivar rate: offsets a second.
    """

    partition: int
    low: int
    end: int
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class PartitionsSight:
    """The partitions of a topic, by their numbers; ``rows`` is empty where they are unknown."""

    rows: tuple[PartitionSight, ...] = ()
    as_of: str | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class NameTotal:
    """How many events have one name."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class TotalsSight:
    """Totals by the name of events, the largest first.

    :ivar source: ``counter``: the newest record of the topic that a counter writes, ``source_topic``, which is whole.
        ``sample``: the newest records, ``sampled`` of them, and nothing is known of the others.
    :ivar field: the field that has the name; ``None`` where the counter does not say, or no sample has one.
    :ivar behind: offsets of the topic that the counter has not counted yet; ``None`` for a sample, or if unknown.
    :ivar received_at: when the counter took in the last event that it counted, as it writes it.
    """

    rows: tuple[NameTotal, ...] = ()
    source: str = "sample"
    source_topic: str | None = None
    sampled: int | None = None
    field: str | None = None
    behind: int | None = None
    received_at: str | None = None
    as_of: str | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class MemberSight:
    """A member of a group, and the partitions of this topic that it has and that it is to have.

    :ivar target: ``None`` where the group's protocol does not tell. Differing from ``owned``: a hand-over goes on.
    :ivar idle: it has none and is to have none, of any topic.
    """

    member_id: str
    client_id: str
    host: str
    owned: tuple[int, ...] = ()
    target: tuple[int, ...] | None = None
    idle: bool = False


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """How far a group is behind the end of a partition; ``None`` where it has not told a position."""

    partition: int
    position: int | None
    end: int
    lag: int | None


@dataclass(frozen=True, slots=True)
class GroupSight:
    """A group that reads the topic, or has told a position in it.

    :ivar type: ``consumer``, ``classic``, ``share`` ..., as Kafka calls it.
    :ivar lag: offsets over all partitions whose position is known; ``None`` where none is.
    :ivar rate: offsets a second that its positions moved; ``None`` while unknown. Positions trail what was processed.
    :ivar zero_lag_s: seconds until it has caught up, if both rates stay; 0 without lag; ``None`` where the lag does not
        shrink or is unknown.
    :ivar unknown: why something of the group is missing, in words.
    """

    name: str
    type: str
    state: str
    members: tuple[MemberSight, ...] = ()
    lags: tuple[PartitionLag, ...] = ()
    lag: int | None = None
    rate: float | None = None
    zero_lag_s: float | None = None
    as_of: str | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class GroupsSight:
    """The groups of a topic, by name."""

    rows: tuple[GroupSight, ...] = ()
    as_of: str | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class RecordSight:
    """One of the newest records. Key and value are text from outside, shortened: never markup, never a command.

    :ivar at: its time, as the record carries it; ``None`` without one.
    :ivar schema: how the value names its schema, as ``customer_events-value v2 (id 7)``; empty where it names none.
    :ivar value: compact JSON where it could be decoded, else its first bytes in hexadecimal; ``None``: a tombstone.
    :ivar fault: why the value could not be decoded, in words; empty where it could.
    """

    partition: int
    offset: int
    at: str | None
    key: str | None
    schema_id: int | None
    schema_version: int | None
    schema: str
    format: str | None
    value: str | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class NewestSight:
    """The newest records that were fetched, the latest first; by far not every record is."""

    rows: tuple[RecordSight, ...] = ()
    as_of: str | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class QuarantineSight:
    """What could not be decoded, as the loader last told.

    :ivar count: records in the quarantine of the warehouse; ``None`` where it is unknown.
    :ivar last_error: the class of the last one, or what went wrong last; empty where nothing did.
    """

    count: int | None = None
    last_error: str = ""
    as_of: str | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class ShardSight:
    """A shard of a run.

    :ivar state: ``running``; ``finished``; ``interrupted``, which the same command continues; ``silent``: it says that
        it runs, and has told nothing for some seconds.
    :ivar generated: ``None`` where a shard that runs has not told yet, or is of a version that does not tell.
    :ivar as_of: when the shard told this.
    """

    shard: int
    state: str
    generated: int | None = None
    acknowledged: int | None = None
    failed: int | None = None
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class RunSight:
    """A run whose shards tell of themselves in the control topic.

    :ivar state: ``running`` while one of its shards is; ``silent``, ``interrupted`` or ``finished`` else.
    :ivar shards: how many it has; ``told`` are those that have told anything.
    :ivar planned: events that the whole run was asked for; ``None`` where something else ends it.
    :ivar in_topic: offsets that the topic gained since the run began, whoever wrote them; ``None`` if later runs did.
    :ivar loaded: of these, how many the loader is past.
    :ivar published: events of this run that readers see.
    """

    run_id: str
    scenario: str
    state: str
    started_at: str
    shards: int
    told: tuple[ShardSight, ...] = ()
    planned: int | None = None
    generated: int | None = None
    acknowledged: int | None = None
    failed: int | None = None
    in_topic: int | None = None
    loaded: int | None = None
    published: int | None = None


@dataclass(frozen=True, slots=True)
class RunsSight:
    """The runs of a topic: those in progress first, then the newest; a few of them."""

    rows: tuple[RunSight, ...] = ()
    as_of: str | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """Rates of the last minutes, for small plots.

    :ivar times: seconds since 1970, ascending, one for each point.
    :ivar rates: a list as long as ``times`` for each stage; ``None`` where the rate was unknown: a gap in the plot.
    """

    times: tuple[float, ...] = ()
    rates: dict[str, tuple[float | None, ...]] = field(default_factory=dict)

    def after(self, since: float) -> History:
        """Return the points that are later than ``since``, seconds since 1970."""
        first = next((place for place, at in enumerate(self.times) if at > since), len(self.times))
        return History(self.times[first:], {name: rates[first:] for name, rates in self.rates.items()})


@dataclass(frozen=True, slots=True)
class TopicSight:
    """All that is known of one topic.

    :ivar exists: ``None`` where that could not be found out.
    :ivar rate_in: offsets a second that it grew; ``rate_out``: that all groups together moved, as far as they tell.
    """

    name: str
    exists: bool | None = None
    stages: tuple[Stage, ...] = ()
    rate_in: float | None = None
    rate_out: float | None = None
    partitions: PartitionsSight = PartitionsSight()
    totals: TotalsSight = TotalsSight()
    groups: GroupsSight = GroupsSight()
    newest: NewestSight = NewestSight()
    quarantine: QuarantineSight = QuarantineSight()
    runs: RunsSight = RunsSight()
    history: History = History()


@dataclass(frozen=True, slots=True)
class IncidentSight:
    """Something that was done to the local stack on purpose, while a run went.

    :ivar end: ``None`` while it goes on.
    :ivar kind: ``stop``, ``kill`` or ``freeze``; ``target`` is what it was done to, as ``broker 2`` or ``registry``.
    :ivar text: as it was asked for: ``30s: stop broker 2 for 20s``, in seconds of the run.
    :ivar back: when what was away answered again; ``None`` while it does not.
    :ivar fault: why it did not end as it should; empty where nothing is wrong.
    """

    start: str
    end: str | None
    kind: str
    target: str
    text: str
    back: str | None = None
    run_id: str = ""
    topic: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known at one moment.

    :ivar number: grows by one with each snapshot of a poller.
    :ivar as_of: when it was put together; its parts are at most as new.
    :ivar address: of the brokers, as it is shown.
    :ivar incidents: those that have begun, in that order, whichever topic their run writes to.
    :ivar unshown: how many topics there are beside these that could be shown; those that are named are shown.
    :ivar whole: every question about them has had an answer; it is not so for the first moments of a poller.
    :ivar problem: what keeps the poller from finding out anything, in words; empty where nothing does.
    """

    number: int
    as_of: str
    address: str
    topics: tuple[TopicSight, ...] = ()
    incidents: tuple[IncidentSight, ...] = ()
    unshown: int = 0
    whole: bool = True
    problem: str = ""

    def of(self, topics: frozenset[str]) -> Snapshot:
        """Return the part about some topics."""
        kept = tuple(topic for topic in self.topics if topic.name in topics)
        return replace(self, topics=kept)

    def as_json(self, *, history_after: float = 0.0) -> dict[str, Any]:
        """Return a JSON-ready document: the members as they are named here, ``null`` where there is nothing.

        :param history_after: leave out points of the history up to this time, seconds since 1970: who has them already
            needs no more than what is new.
        """
        return {
            "number": self.number,
            "as_of": self.as_of,
            "address": self.address,
            "problem": self.problem,
            "unshown": self.unshown,
            "whole": self.whole,
            "topics": [_topic(topic, history_after) for topic in self.topics],
            "incidents": [asdict(incident) for incident in self.incidents],
        }


def _topic(topic: TopicSight, history_after: float) -> dict[str, Any]:
    parts = ("stages", "partitions", "totals", "groups", "newest", "quarantine", "runs")
    history = topic.history.after(history_after)
    return {
        "name": topic.name,
        "exists": topic.exists,
        "rate_in": topic.rate_in,
        "rate_out": topic.rate_out,
        **{name: _document(getattr(topic, name)) for name in parts},
        "history": {"times": history.times, "rates": history.rates},
    }


def _document(part: Any) -> Any:
    return [asdict(row) for row in part] if isinstance(part, tuple) else asdict(part)
