"""What a proof of a pipeline says: the verdict, with everything that it rests on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from consumer.pipeline.found import CLASSES, PipelineFindings
from consumer.pipeline.verdict import Judgement
from consumer.proof.found import Example
from consumer.proof.verdict import Verdict

_NAMED_EVENTS = 3


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """The verdict on what one pipeline made of one run. Times are ISO 8601, UTC.

    :ivar at: the place, without secrets.
    :ivar as_of: the moment of the place that was looked at.
    :ivar looks: how often it was looked at, where it was waited for.
    """

    run_id: str
    topic: str
    at: str
    as_of: str
    audited_at: str
    judgement: Judgement
    findings: PipelineFindings
    identity: str
    expect: str | None
    looks: int
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """PASSED, FAILED or UNKNOWN."""
        return self.judgement.verdict

    @property
    def reason(self) -> str:
        """The sentence that says what was proved, or what is wrong."""
        return self.judgement.reason

    @property
    def sentence(self) -> str:
        """The reason, with the first events that it is about: what an alert carries."""
        said = self.reason.rstrip(".")
        if self.verdict != "FAILED":
            return said
        first: dict[str, Example] = {}
        for name in CLASSES:
            for example in self.findings.examples.get(name, []):
                first.setdefault(str(example), example)
        named = "; ".join(map(str, list(first.values())[:_NAMED_EVENTS]))
        return f"{said}; the first: {named}" if named else said

    @property
    def advice(self) -> str:
        """What to do next, where the verdict is not PASSED."""
        return self.judgement.advice

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping: what ``--json`` prints."""
        found = self.findings
        located = {name: [asdict(each) for each in rows] for name, rows in found.examples.items()}
        return {
            "run_id": self.run_id,
            "topic": self.topic,
            "at": self.at,
            "as_of": self.as_of,
            "audited_at": self.audited_at,
            "verdict": self.verdict,
            "reason": self.reason,
            "identity": self.identity,
            "acknowledged": found.acknowledged,
            "expected": found.expected,
            "expect": self.expect,
            "arrived": found.arrived,
            **found.counts,
            "rows": found.rows,
            "foreign": found.foreign,
            "without_identity": found.without_identity,
            "examples": {name: [each.event_id or str(each) for each in rows] for name, rows in found.examples.items()},
            "located": located,
            "compared": found.compared,
            "summed": found.summed,
            "not_stored": found.not_stored,
            "not_comparable": found.not_comparable,
            "columns": [asdict(column) for column in found.columns],
            "expectations": [asdict(each) for each in found.expectations],
            "shards": [asdict(shard) for shard in found.shards],
            "contradictions": found.contradictions,
            "doubts": found.doubts,
            "unproved": found.unproved,
            "notes": found.notes,
            "looks": self.looks,
            "seconds": self.seconds,
        }
