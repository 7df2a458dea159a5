"""What is found of one run, as plain data. Nothing here judges: that is ``verdict.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

_SHOWN = 8
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
    ``explained`` says how much of a class of damage was injected on purpose, and so does not count. ``disagreements``
    names what the shards were begun with differently: then they are not of one run. ``unproved`` are events whose
    columns could not be compared with the bytes of their records. ``balance`` is made beside all this, and not from
    it.
    ``impossible`` are claims of manifests that the topic cannot hold: nobody looks at them.
    ``doubts`` says what in the file contradicts itself, where it does no damage to an event: a sentence each;
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
