"""What a reader of an audit must know beside the figures, a sentence each."""

from __future__ import annotations

from consumer.proof.found import Findings
from schemas.control_topic import ControlTopic
from schemas.manifest import Manifest, RateGap

_SHOWN_CONTRADICTIONS = 20


def notes_on(findings: Findings, manifests: list[Manifest], control: ControlTopic) -> list[str]:
    """Return what a reader must know beside the figures."""
    notes = []
    failed = sum(shard.failed for shard in findings.shards)
    unknown = sum(shard.unknown for shard in findings.shards)
    arrived = sum(shard.unknown_stored for shard in findings.shards)
    if failed:
        notes.append(f"{failed:,} events were refused by Kafka and never written; the producer reported them.")
    if unknown:
        notes.append(
            f"{unknown:,} events were sent and neither acknowledged nor refused; {arrived:,} of them arrived. "
            "Either is right, so they do not count."
        )
    short = ", ".join(str(manifest.shard) for manifest in manifests if manifest.interrupted)
    if short:
        notes.append(f"Shard {short} was cut short; the verdict is about what was sent. `produce` continues it.")
    notes += [
        f"Shard {manifest.shard}: the rates {_when(gap)} are not known ({gap.events:,} events). "
        "An attempt was killed, and its figures with it."
        for manifest in manifests
        for gap in manifest.rate_gaps
    ]
    if any(score.injected for score in findings.faults):
        notes.append("Faults were injected on purpose; they count as what they are, and are scored as found or not.")
    if findings.uncompared:
        notes.append(
            f"The bytes of {findings.uncompared:,} stored events could not be compared: their checksum is missing, "
            "or covers a window of sequences from which events are missing or stored twice with different bytes."
        )
    if findings.unattributed:
        notes.append(
            f"{findings.unattributed:,} records in quarantine carry no readable identity; "
            "a lost event may be among them."
        )
    notes += [f"Not compared: {each}." for each in findings.not_compared]
    notes += [f"The warehouse contradicts itself: {each}." for each in findings.contradictions[:_SHOWN_CONTRADICTIONS]]
    notes += [f"A manifest cannot be read: {position}." for position in control.unreadable[:5]]
    notes += [
        f"A manifest of run {run_id}, shard {shard}, cannot be true and is not looked at: {claim}."
        for (run_id, shard), claim in list(control.impossible.items())[:5]
    ]
    return notes


def _when(gap: RateGap) -> str:
    return f"of seconds {gap.second} to {gap.second + gap.seconds - 1}" if gap.seconds else f"after second {gap.second}"
