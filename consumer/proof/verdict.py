"""The one rule that turns findings into a verdict. Open :func:`judge` first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from consumer.proof.found import CLASSES, FaultScore, Findings, PartitionPosition

Verdict = Literal["PASSED", "FAILED", "UNKNOWN"]


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

    Damage that was injected on purpose does not count: a run passes when exactly what was injected is found.
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

    1. the shards were begun with different settings: they are not one run, and nothing will make them one
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
