"""What an audit says, as plain data, and the one rule that turns findings into a verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["PASSED", "FAILED", "UNKNOWN"]

# Every class of damage, in the order of the verdict table, with what it means.
CLASSES: dict[str, str] = {
    "lost": "acknowledged by Kafka, stored nowhere",
    "duplicated": "stored more than once",
    "phantom": "stored, but the run never sent it",
    "altered": "stored with other bytes than were sent",
    "undecodable": "in quarantine: it could not be decoded",
    "reordered": "stored behind a later event of its key",
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
    """Events of one schema whose columns cannot be compared with their bytes, and why."""

    schema_id: int
    events: int
    why: str


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
class Findings:
    """What the SQL found for one run.

    ``missing`` counts acknowledged events that are stored nowhere, ``uncompared`` acknowledged and stored events
    whose checksums could not be compared, ``unattributed`` quarantined records that carry no readable identity.
    ``explained`` says how much of a class of damage was injected on purpose, and so is none. ``disagreements`` names
    what the shards were begun with differently: then they are not of one run. ``unproved`` are events whose columns
    could not be compared with the bytes of their records.
    """

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

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping: what ``--json`` prints and the warehouse keeps."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the sentence that explains it, and how the missing events count."""

    verdict: Verdict
    reason: str
    lost: int
    awaited: int


def judge(findings: Findings, positions: list[PartitionPosition]) -> Judgement:
    """Turn findings into a verdict. The rules, first that applies:

    1. the shards were begun with different settings: FAILED, as they are no one run, and nothing will make them one
    2. a manifest is missing or unfinished, or the truth about injected faults is: UNKNOWN, as nobody says what was sent
    3. damage that no further load can mend (duplicated, phantom, altered, undecodable, reordered): FAILED
    4. not loaded up to the bound: UNKNOWN; what is missing may be in the rest, and so nothing is called lost
    5. an acknowledged event is missing: FAILED
    6. an injected fault was not found, or a fault was found that was not injected: FAILED
    7. PASSED

    Damage that was injected on purpose is none: a run passes when exactly what was injected is found.
    """
    behind = sum(position.behind for position in positions)
    explained = findings.explained
    lost, awaited = (0, findings.missing - explained.get("lost", 0)) if behind else (findings.missing, 0)
    if findings.disagreements:
        reason = f"The shards are not of one run: {'; '.join(findings.disagreements)}."
        return Judgement("FAILED", reason, lost, awaited)
    if unsaid := _unsaid(findings):
        return Judgement("UNKNOWN", f"Nothing can be proved: {unsaid}.", lost, awaited)
    counts = {name: lost if name == "lost" else int(getattr(findings, name)) for name in CLASSES}
    beyond = {name: count - min(count, explained.get(name, 0)) for name, count in counts.items()}
    damage = ", ".join(f"{count:,} {name}" for name, count in beyond.items() if count)
    if damage:
        what = f"Of {findings.expected:,} acknowledged events: {damage}"
        return Judgement("FAILED", f"{what}{' beyond what was injected' if explained else ''}.", lost, awaited)
    if behind:
        what = f"; {awaited:,} acknowledged events are not loaded yet" if awaited else ""
        return Judgement("UNKNOWN", f"The load is {behind:,} offsets behind the topic{what}.", lost, awaited)
    if any(score.missed or score.false_alarms for score in findings.faults):
        return Judgement("FAILED", _score(findings.faults), lost, awaited)
    return Judgement("PASSED", _passed_reason(findings), lost, awaited)


def _score(faults: list[FaultScore]) -> str:
    injected, found = sum(score.injected for score in faults), sum(score.found for score in faults)
    alarms = sum(score.false_alarms for score in faults)
    return f"Of {injected:,} injected faults {found:,} were found, with {alarms:,} false alarms."


def _unsaid(findings: Findings) -> str:
    """Return what the manifests do not say, empty if they say everything."""
    parts = []
    for status, what in (("missing", "left no manifest"), ("running", "has only begun, or was cut off")):
        numbers = [str(shard.shard) for shard in findings.shards if shard.status == status]
        if numbers:
            shown = ", ".join(numbers[:10]) + (" and more" if len(numbers) > 10 else "")
            parts.append(f"shard {shown} of {len(findings.shards)} {what}")
    if not parts and not findings.truth_complete:
        parts.append("the manifests do not say everything that was injected")
    return "; ".join(parts)


def _passed_reason(findings: Findings) -> str:
    if any(score.injected for score in findings.faults):
        return f"{_score(findings.faults)} Every other event is in the warehouse, once, unaltered."
    if findings.expected == 0:
        return "Nothing was acknowledged, and nothing is stored."
    bytes_too = "unaltered" if not findings.uncompared else "though not every byte could be compared"
    if findings.expected == 1:
        return f"The one acknowledged event is in the warehouse, once, {bytes_too}."
    return f"All {findings.expected:,} acknowledged events are in the warehouse, once, {bytes_too}."
