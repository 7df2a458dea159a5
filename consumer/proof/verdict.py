"""What an audit says, as plain data, and the one rule that turns findings into a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["PASSED", "FAILED", "UNKNOWN"]

_SHOWN = 8
# Of a failure, in the sentence that an alert carries.
_NAMED_EVENTS = 3

# Every class of damage, in the order of the verdict table, with what it means.
CLASSES: dict[str, str] = {
    "lost": "acknowledged by Kafka, stored nowhere",
    "duplicated": "stored more than once",
    "phantom": "stored, but the run never sent it",
    "altered": "stored with other bytes than were sent",
    "undecodable": "in quarantine: it could not be decoded",
    "reordered": "stored behind a later event of its key",
    "misplaced": "stored with another place, key or time than Kafka gave it",
}


@dataclass(frozen=True, slots=True)
class Example:
    """One event, or a window of events, that a finding is about."""

    event_id: str
    shard: int | None = None
    sequence: int | None = None
    partition: int | None = None
    offset: int | None = None
    note: str = ""

    def __str__(self) -> str:
        """Return it in words: which event, and where it is."""
        names = ("shard", "sequence", "partition", "offset")
        parts = [f"{name} {value}" for name in names if (value := getattr(self, name)) is not None]
        said = " ".join([*parts, f"({self.event_id})"] if self.event_id else parts)
        return f"{said}, {self.note}" if self.note else said


@dataclass(frozen=True, slots=True)
class FaultScore:
    """One kind of fault: events that it was injected into, those of them that were found, and false alarms."""

    kind: str
    injected: int
    found: int
    false_alarms: int

    @property
    def missed(self) -> int:
        """Injected and not found."""
        return self.injected - self.found


@dataclass(frozen=True, slots=True)
class VersionAudit:
    """One version of the schema in a run that mixes them: events that were acknowledged and those that are stored."""

    version: int
    schema_id: int
    acknowledged: int
    loaded: int


@dataclass(frozen=True, slots=True)
class Unproved:
    """Events of one schema whose columns cannot be compared with their bytes, and why.

    ``columns`` are the fields of the schema, as far as its text can be read.
    """

    schema_id: int
    events: int
    why: str
    columns: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return it in words."""
        shown = ", ".join(self.columns[:_SHOWN])
        more = f" and {len(self.columns) - _SHOWN} more" if len(self.columns) > _SHOWN else ""
        columns = f"columns {shown}{more}" if shown else "the columns"
        return f"{columns} of schema id {self.schema_id} ({self.events:,} events: {self.why})"


@dataclass(frozen=True, slots=True)
class ShardAudit:
    """One shard: what its manifest says, and what is stored."""

    shard: int
    status: Literal["finished", "running", "missing"]
    generated: int = 0
    acknowledged: int = 0
    failed: int = 0
    unknown: int = 0
    unknown_stored: int = 0
    stored: int = 0
    lost: int = 0
    lost_ranges: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PartitionPosition:
    """How far a partition is loaded. The verdict needs ``next_offset`` to reach ``bound``."""

    partition: int
    next_offset: int
    bound: int
    end: int

    @property
    def behind(self) -> int:
        """Offsets below the bound that are not loaded."""
        return max(0, self.bound - self.next_offset)


@dataclass(frozen=True, slots=True)
class Balance:
    """What the manifests of a run say, in sums, and how many different identities of it are stored: ``balance.py``.

    It holds what no mistake in the findings may contradict.

    :ivar acknowledged: events that Kafka acknowledged, as the finished manifests say.
    :ivar unknown: events that may or may not have arrived.
    :ivar decoded: different identities among the events.
    :ivar undecoded: different identities that are only in quarantine or among the tombstones.
    :ivar by_design: how many events were injected so that they end there; ``None`` when the manifests do not say.
    """

    acknowledged: int
    unknown: int
    decoded: int
    undecoded: int
    by_design: int | None

    @property
    def explained(self) -> int:
        """Events that are not among the events, as was intended."""
        return self.undecoded if self.by_design is None else min(self.undecoded, self.by_design)

    @property
    def short(self) -> int:
        """How many events are not accounted for."""
        return max(0, self.acknowledged - self.decoded - self.explained)

    @property
    def beyond(self) -> int:
        """How many more identities there are than can have been written."""
        return max(0, self.decoded + self.undecoded - self.acknowledged - self.unknown)

    @property
    def holds(self) -> bool:
        """Whether a run with these figures can have passed."""
        return self.acknowledged > 0 and not self.short and not self.beyond

    def __str__(self) -> str:
        """Return the figures in words."""
        return (
            f"Kafka acknowledged {self.acknowledged:,} events, the warehouse holds {self.decoded:,} different ones of "
            f"the run, and {self.explained:,} are elsewhere by design"
        )


@dataclass(frozen=True, slots=True)
class Findings:
    """What the SQL found for one run.

    ``missing`` counts acknowledged events that are stored nowhere, ``uncompared`` acknowledged and stored events
    whose checksums could not be compared, ``unattributed`` quarantined records that carry no readable identity.
    ``explained`` says how much of a class of damage was injected on purpose, and so is none. ``disagreements`` names
    what the shards were begun with differently: then they are not of one run. ``unproved`` are events whose columns
    could not be compared with the bytes of their records. ``balance`` is made beside all this, and not from it.
    ``impossible`` are claims of manifests that the topic cannot hold: nobody looks at them.
    ``doubts`` says what in the file contradicts itself, where it is no damage to an event: a sentence each;
    ``contradictions`` what cannot be true at once of its schemas, columns and topic, and of the manifests.
    ``unplaced`` counts records whose places could not be compared, ``silent`` names shards whose manifests do
    not say where their records lie, ``unwitnessed`` schemas whose text nobody outside vouches for.
    """

    balance: Balance
    expected: int
    loaded: int
    missing: int
    duplicated: int
    phantom: int
    altered: int
    undecodable: int
    reordered: int
    uncompared: int
    unattributed: int
    shards: list[ShardAudit]
    examples: dict[str, list[Example]]
    faults: list[FaultScore] = field(default_factory=list)
    explained: dict[str, int] = field(default_factory=dict)
    versions: list[VersionAudit] = field(default_factory=list)
    truth_complete: bool = True
    disagreements: list[str] = field(default_factory=list)
    unproved: list[Unproved] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)
    misplaced: int = 0
    unplaced: int = 0
    silent: list[int] = field(default_factory=list)
    unwitnessed: list[int] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)

    @property
    def not_compared(self) -> list[str]:
        """Everything that was not looked at, in words: a verdict says it in its own sentence."""
        said = [f"the bytes of {self.uncompared:,} events"] if self.uncompared else []
        said += [str(each) for each in self.unproved]
        if self.unplaced:
            said.append(f"the places of {self.unplaced:,} records")
        if self.silent:
            shards = ", ".join(map(str, self.silent[:_SHOWN]))
            more = f" and {len(self.silent) - _SHOWN} more" if len(self.silent) > _SHOWN else ""
            whose = f"shard {shards}{more}, whose manifest does not hold them"
            said.append(f"places, keys and times of the records of {whose}")
        if self.unwitnessed:
            said.append(
                f"the text of schema id {', '.join(map(str, self.unwitnessed))} with a manifest or the registry"
            )
        return said

    @property
    def settled(self) -> bool:
        """Whether everything that was promised is stored, and every injected fault is found."""
        return self.missing == self.explained.get("lost", 0) and not any(score.missed for score in self.faults)


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The verdict on one run, with everything that it rests on. Times are ISO 8601, UTC.

    ``claims`` is the fingerprint of the manifests if all had finished when the ends of the topic were taken: as long
    as it stays, a later audit may hold the load to the same bounds. ``examples`` gives identities, ``located`` the
    same with their positions.
    """

    audit_id: str
    run_id: str
    topic: str
    audited_at: str
    verdict: Verdict
    reason: str
    expected: int
    loaded: int
    lost: int
    duplicated: int
    phantom: int
    altered: int
    reordered: int
    undecodable: int
    awaited: int
    failed: int
    unknown: int
    unknown_stored: int
    uncompared: int
    unattributed: int
    claims: str
    examples: dict[str, list[str]]
    located: dict[str, list[Example]]
    shards: list[ShardAudit]
    partitions: list[PartitionPosition]
    notes: list[str]
    seconds: float
    faults: list[FaultScore] = field(default_factory=list)
    versions: list[VersionAudit] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    unproved: list[Unproved] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    balance: Balance | None = None
    damaged: list[str] = field(default_factory=list)
    misplaced: int = 0
    not_compared: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """The reason, with the first events that it is about: what an alert carries."""
        said = self.reason.rstrip(".")
        if self.verdict != "FAILED":
            return said
        # An event that is stored twice is found in two places: it is named once.
        events: dict[str, Example] = {}
        for example in (example for name in self.damaged for example in self.located.get(name, [])):
            events.setdefault(example.event_id or str(example), example)
        first = list(events.values())[:_NAMED_EVENTS]
        return f"{said}; the first: {'; '.join(map(str, first))}" if first else said

    @property
    def advice(self) -> str:
        """What to do next, where the verdict is not PASSED."""
        if self.verdict == "FAILED":
            return f"`streamproof report {self.topic}` shows the details"
        if any(shard.status != "finished" for shard in self.shards):
            return "Wait for the shards to end, or run `streamproof produce`; then audit again"
        if any(position.behind for position in self.partitions):
            return f"Run `streamproof load {self.topic}`, then audit again"
        if not self.expected:
            return "See what `streamproof produce` said of Kafka's reason, mend it, and produce again"
        return f"`streamproof report {self.topic}` shows the details; if the file was changed, load into a new one"

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping: what ``--json`` prints and the warehouse keeps."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the sentence that explains it, how the missing events count, and the classes of damage there are."""

    verdict: Verdict
    reason: str
    lost: int
    awaited: int
    damaged: list[str] = field(default_factory=list)


def judge(findings: Findings, positions: list[PartitionPosition]) -> Judgement:
    """Turn findings into a verdict: the first rule that applies (:func:`_rules`), else PASSED.

    Damage that was injected on purpose is none: a run passes when exactly what was injected is found.
    """
    behind = sum(position.behind for position in positions)
    expected_loss = findings.explained.get("lost", 0)
    lost, awaited = (0, findings.missing - expected_loss) if behind else (findings.missing, 0)
    verdict, reason = next(
        ((verdict, reason) for verdict, reason in _rules(findings, lost, awaited, behind) if reason),
        ("PASSED", ""),
    )
    return Judgement(verdict, reason or _passed_reason(findings), lost, awaited, list(_beyond(findings, lost)))


def _rules(findings: Findings, lost: int, awaited: int, behind: int) -> Iterator[tuple[Verdict, str]]:
    """Yield the verdict of each rule, and its reason where it applies; empty where it does not.

    1. the shards were begun with different settings: they are no one run, and nothing will make them one
    2. a manifest is missing or unfinished, or the truth about injected faults is: nobody says what was sent
    3. damage that no further load can mend (all but lost), or, once the load is where it must be, an acknowledged event
       that is missing; or schemas, columns and topic contradict each other or the manifests
    4. not loaded up to the bound: what is missing may be in the rest, and so nothing is called lost
    5. an injected fault was not found, or a fault was found that was not injected
    6. plain counts of what is there do not give what was acknowledged, whatever the findings say
    7. the file contradicts itself, or is the only one that says what was sent
    8. nothing was acknowledged: there is nothing to prove
    """
    yield (
        "FAILED",
        _all_of("The shards are not of one run: ", findings.disagreements, limit=len(findings.disagreements)),
    )
    yield "UNKNOWN", _all_of("Nothing can be proved: ", [unsaid] if (unsaid := _unsaid(findings)) else [])
    contradicted = _all_of("The warehouse contradicts itself: ", findings.contradictions)
    yield "FAILED", " ".join(filter(None, [_damage(findings, lost), contradicted]))
    if behind:
        what = f"; {awaited:,} acknowledged events are not loaded yet" if awaited else ""
        yield "UNKNOWN", f"The load is {behind:,} offsets behind the topic{what}."
    missed = any(score.missed or score.false_alarms for score in findings.faults)
    yield "FAILED", _score(findings.faults) if missed else ""
    balance = findings.balance
    differing = [str(balance)] if balance.short or balance.beyond else []
    yield "FAILED", _all_of("The figures contradict each other: ", differing)
    yield "UNKNOWN", _all_of("No event is known to be wrong, but it is not proved: ", findings.doubts)
    if not balance.acknowledged:
        yield "UNKNOWN", "Nothing was accepted: Kafka acknowledged no event of this run."


def _all_of(what: str, parts: list[str], *, limit: int = 3) -> str:
    """Return a sentence with the first few of its parts, empty if there are none."""
    more = f"; and {len(parts) - limit} more" if len(parts) > limit else ""
    return f"{what}{'; '.join(parts[:limit])}{more}." if parts else ""


def _damage(findings: Findings, lost: int) -> str:
    """Return what is wrong with events beyond what was injected, empty if nothing is."""
    damage = ", ".join(f"{number:,} {name}" for name, number in _beyond(findings, lost).items())
    if not damage:
        return ""
    suffix = " beyond what was injected" if findings.explained else ""
    return f"Of {findings.expected:,} acknowledged events: {damage}{suffix}."


def _beyond(findings: Findings, lost: int) -> dict[str, int]:
    """Return how many events of each class of damage there are that were not injected."""
    counts = {name: lost if name == "lost" else int(getattr(findings, name)) for name in CLASSES}
    beyond = {name: number - min(number, findings.explained.get(name, 0)) for name, number in counts.items()}
    return {name: number for name, number in beyond.items() if number}


def _score(faults: list[FaultScore]) -> str:
    injected, found = sum(score.injected for score in faults), sum(score.found for score in faults)
    alarms = sum(score.false_alarms for score in faults)
    return f"Of {injected:,} injected faults {found:,} were found, with {alarms:,} false alarms."


def _unsaid(findings: Findings) -> str:
    """Return what the manifests do not say, empty if they say everything."""
    parts = [f"a manifest claims what cannot be ({claim})" for claim in findings.impossible[:3]]
    for status, what in (("missing", "left no manifest"), ("running", "has only begun, or was cut off")):
        numbers = [str(shard.shard) for shard in findings.shards if shard.status == status]
        if numbers:
            shown = ", ".join(numbers[:10]) + (" and more" if len(numbers) > 10 else "")
            parts.append(f"shard {shown} of {len(findings.shards)} {what}")
    if not parts and not findings.truth_complete:
        parts.append("the manifests do not say everything that was injected")
    return "; ".join(parts)


def _passed_reason(findings: Findings) -> str:
    if findings.uncompared:
        how = "though not every byte could be compared"
    else:
        how = "their bytes unaltered" if findings.unproved else "unaltered"
    but = f"; not compared: {'; '.join(findings.not_compared)}" if findings.not_compared else ""
    if any(score.injected for score in findings.faults):
        return f"{_score(findings.faults)} Every other event is in the warehouse, once, {how}{but}."
    if findings.expected == 1:
        return f"The one acknowledged event is in the warehouse, once, {how}{but}."
    return f"All {findings.expected:,} acknowledged events are in the warehouse, once, {how}{but}."
