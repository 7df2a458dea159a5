"""What a verification says, as plain data: one proof for each promise, and the verdict over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from consumer.proof.verdict import Verdict

MAX_FAULTS = 20
NOTHING = "nothing"  # what a proof has looked at that does not apply: its note says why


@dataclass(frozen=True, slots=True)
class Proof:
    """One promise, what was looked at for it, and what was found.

    ``faults`` contradict the promise; ``unknown`` is what could not be looked at, and why; ``notes`` only inform.
    Each names its place. Of many, the first are kept; ``more`` counts the rest.
    """

    name: str
    promise: str
    looked_at: str
    faults: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    more: int = 0

    @classmethod
    def of(
        cls,
        name: str,
        promise: str,
        looked_at: str,
        faults: Iterable[str] = (),
        *,
        unknown: Iterable[str] = (),
        notes: Iterable[str] = (),
    ) -> Proof:
        """Keep the first faults, and count the others."""
        found, open_questions = list(faults), list(unknown)
        more = max(0, len(found) - MAX_FAULTS) + max(0, len(open_questions) - MAX_FAULTS)
        return cls(name, promise, looked_at, found[:MAX_FAULTS], open_questions[:MAX_FAULTS], list(notes), more)

    @property
    def verdict(self) -> Verdict:
        """FAILED with a fault, UNKNOWN where something could not be looked at, else PASSED."""
        return "FAILED" if self.faults else "UNKNOWN" if self.unknown else "PASSED"

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {"verdict": self.verdict} | asdict(self)


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict on a file or a folder. ``against`` says in words what of the outside was asked, and what not."""

    path: str
    kind: str
    against: str
    proofs: list[Proof]
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """The worst of the proofs."""
        found = {proof.verdict for proof in self.proofs}
        return "FAILED" if "FAILED" in found else "UNKNOWN" if "UNKNOWN" in found else "PASSED"

    @property
    def reason(self) -> str:
        """One sentence, with the first place of what is wrong."""
        bad = [proof for proof in self.proofs if proof.verdict == self.verdict and proof.verdict != "PASSED"]
        if not bad:
            idle = {proof.name: proof.notes for proof in self.proofs if proof.looked_at == NOTHING}
            held = ", ".join(proof.name for proof in self.proofs if proof.name not in idle)
            but = "".join(f"; not looked at: {name} ({'; '.join(why)})" for name, why in idle.items())
            return f"Every proof of the {self.kind} holds: {held}{but}."
        first = (bad[0].faults or bad[0].unknown)[0]
        others = f"; and {', '.join(proof.name for proof in bad[1:])}" if bad[1:] else ""
        what = "does not hold" if self.verdict == "FAILED" else "could not be looked at whole"
        return f"{bad[0].name} {what}: {first}{others}."

    def document(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {
            "path": self.path,
            "kind": self.kind,
            "verdict": self.verdict,
            "reason": self.reason,
            "against": self.against,
            "proofs": [proof.document() for proof in self.proofs],
            "seconds": self.seconds,
        }
