"""What is found of one run in what a pipeline stored, as plain data. Nothing here judges: see ``verdict.py``."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as default
from typing import Any

from consumer.proof.found import Example, ShardAudit

# Every class of damage, in the order of the verdict's table, with what it means.
CLASSES: dict[str, str] = {
    "lost": "acknowledged by Kafka, and not there",
    "duplicated": "there more than once",
    "phantom": "there with an id of the run, and the run never sent it",
    "unexpected": "there, and not among those that should arrive",
    "altered": "there with other values than were sent",
    "reordered": "behind a later event of its key",
}


@dataclass(frozen=True, slots=True)
class ValueExample:
    """One value that differs. ``sent`` and ``stored`` are texts, ``None`` where values are not shown."""

    shard: int
    sequence: int
    where: str
    sent: str | None
    stored: str | None
    looks: str


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    """A stored value that differs from its field in some events.

    :ivar events: in how many.
    :ivar looks: what became of those that were looked at, with their numbers.
    """

    column: str
    field: str
    type: str
    events: int
    looks: dict[str, int] = default(default_factory=dict)
    examples: list[ValueExample] = default(default_factory=list)


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """One query over ``truth`` and ``sink``: how many rows disagree, and the first of them.

    :ivar proved: what that proves, in the words of the query, where none does and it says so.
    """

    name: str
    description: str
    disagreeing: int
    rows: list[dict[str, Any]] = default(default_factory=list)
    proved: str = ""


@dataclass(frozen=True, slots=True)
class PipelineFindings:
    """What the SQL found.

    :ivar acknowledged: events that Kafka acknowledged, as the finished manifests say.
    :ivar expected: those of them that should be there: less what was made unreadable on purpose, and what ``--expect``
        leaves out.
    :ivar arrived: different ones of those that are there.
    :ivar rows: rows of the place, whosever they are.
    :ivar identified: whether identities were looked at; not where only aggregates were asked for.
    :ivar compared: what is compared by value, in words; ``None`` where values were not asked for.
    :ivar summed: events whose checksums, as they came from Kafka, add up to what the manifests say, where they do;
        ``None`` where no row has one.
    :ivar not_stored: fields of an event that no column holds; ``not_comparable``: columns that cannot be compared.
    :ivar unordered: rows that have nothing in the column of the order.
    :ivar unproved: what of the events that were told again could not be held against the manifests.
    :ivar impossible: claims of manifests that the topic cannot hold.
    :ivar unsettled: shards of several runs that did not end, a sentence each; of one run its shards say it.
    :ivar contradictions: what the place says of itself and does not hold.
    :ivar doubts: why what was found may not be what is there.
    """

    acknowledged: int = 0
    expected: int = 0
    arrived: int = 0
    lost: int = 0
    duplicated: int = 0
    phantom: int = 0
    unexpected: int = 0
    altered: int = 0
    reordered: int = 0
    rows: int = 0
    foreign: int = 0
    without_identity: int = 0
    identified: bool = True
    ordered: bool = False
    compared: list[str] | None = None
    summed: int | None = None
    not_stored: list[str] = default(default_factory=list)
    not_comparable: list[str] = default(default_factory=list)
    shards: list[ShardAudit] = default(default_factory=list)
    examples: dict[str, list[Example]] = default(default_factory=dict)
    columns: list[ColumnDifference] = default(default_factory=list)
    expectations: list[ExpectationResult] = default(default_factory=list)
    disagreements: list[str] = default(default_factory=list)
    impossible: list[str] = default(default_factory=list)
    unsettled: list[str] = default(default_factory=list)
    truth_complete: bool = True
    unproved: list[str] = default(default_factory=list)
    unordered: int = 0
    contradictions: list[str] = default(default_factory=list)
    doubts: list[str] = default(default_factory=list)
    notes: list[str] = default(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Events of each class of damage."""
        return {name: int(getattr(self, name)) for name in CLASSES}
