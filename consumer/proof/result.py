"""What an audit says: the verdict on a run, with everything that it rests on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from consumer.proof.found import Balance, Example, FaultScore, PartitionPosition, ShardAudit, Unproved, VersionAudit
from consumer.proof.verdict import Verdict

# Of a failure, in the sentence that an alert carries.
_NAMED_EVENTS = 3


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The verdict on one run, with everything that it rests on. Times are ISO 8601, UTC.

    ``claims`` is the fingerprint of the manifests if all had finished when the ends of the topic were taken: as long
    as it stays, a later audit may hold the load to the same bounds. ``examples`` gives identities, ``located`` the
    same with their positions. ``incidents`` are what was done to the local stack meanwhile, as ``schemas/incidents.py``
    has them: the verdict does not look at them.
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
    incidents: list[dict[str, Any]] = field(default_factory=list)

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
