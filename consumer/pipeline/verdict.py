"""The one rule that turns what was found of a pipeline into a verdict. Open :func:`judge_pipeline` first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from consumer.pipeline.found import PipelineFindings
from consumer.proof.verdict import Verdict

_SHOWN = 8
_CONTRADICTIONS = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the sentence that explains it, whether another look may change it, and what to do."""

    verdict: Verdict
    reason: str
    final: bool
    advice: str = ""


def judge_pipeline(found: PipelineFindings, place: str, as_of: str, *, expect: str | None) -> Judgement:
    """Turn findings into a verdict: the first rule that applies, else PASSED.

    1. the shards were begun with different settings: FAILED
    2. a manifest is missing, unfinished or cannot be true: UNKNOWN, for nobody says what was sent
    3. damage that no further arrival can mend (all but lost), or the place is not what it says of itself: FAILED
    4. an event is missing, or an expectation disagrees: FAILED, as of the moment; later it may be there
    5. the place changed while it was read, rows have no place in the order that was asked for, or nobody can say of
       some records which they were: UNKNOWN
    6. nothing was acknowledged, or nothing of it should arrive: UNKNOWN
    7. the counts do not give what was acknowledged: UNKNOWN, for the proof contradicts itself
    """
    moment = f", as of {as_of}"
    for verdict, reason, final, advice in _rules(found, place, moment):
        if reason:
            return Judgement(verdict, reason, final, advice)
    return Judgement("PASSED", _proved(found, place, moment, expect), final=True)


def _rules(found: PipelineFindings, place: str, moment: str) -> Iterator[tuple[Verdict, str, bool, str]]:
    """Yield verdict, reason (empty where the rule does not apply), finality and advice of each rule."""
    said = "; ".join(found.disagreements)
    yield "FAILED", f"The shards are not of one run: {said}." if said else "", True, "Produce a new run"
    yield "UNKNOWN", _unsaid(found), False, "Wait for the shards to end, or run `streamproof produce`; then look again"
    counts = found.counts
    damage = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)
    odd = _contradictions(found)
    lasting = bool(odd) or any(number for name, number in counts.items() if name != "lost")
    columns = _columns(found)
    broken = [each for each in found.expectations if each.disagreeing]
    disagree = "; ".join(f"{each.name}: {rows_disagree(each.disagreeing)}" for each in broken)
    of = f"Of {found.expected:,} events that should be in {place}: " if found.identified else ""
    parts = ". ".join(filter(None, [f"{of}{damage}{columns}" if damage else "", disagree, odd]))
    advice = "See the first events above; `--json` has more"
    yield "FAILED", f"{parts}{moment}." if lasting else "", True, advice
    late = "If the pipeline is still at work, look again with --wait 5m"
    if not found.lost:
        late = f"The rows above disagree. {late}"
    yield "FAILED", f"{parts}{moment}." if parts else "", False, late
    doubts = "; ".join(found.doubts)
    yield (
        "UNKNOWN",
        f"Nothing is known to be wrong, but it is not proved: {doubts}{moment}." if doubts else "",
        False,
        "",
    )
    if not found.acknowledged:
        nothing = "Nothing was accepted: Kafka acknowledged no event of this run."
        yield "UNKNOWN", nothing, True, "See what `streamproof produce` said of Kafka's reason"
    elif found.identified and not found.expected:
        yield "UNKNOWN", "No event of this run should arrive, so there is nothing to prove.", True, "Check --expect"
    if found.identified and found.arrived != found.expected:
        figures = f"{found.expected:,} events should be there, and {found.arrived:,} are"
        yield "UNKNOWN", f"The figures contradict each other: {figures}.", True, "Report this with the --json document"


def _contradictions(found: PipelineFindings) -> str:
    """Return what the place says of itself and does not hold, empty where it does."""
    more = len(found.contradictions) - _CONTRADICTIONS
    told = [*found.contradictions[:_CONTRADICTIONS], *([f"and {more:,} more"] if more > 0 else [])]
    return f"It is not what it says of itself: {'; '.join(told)}" if told else ""


def _columns(found: PipelineFindings) -> str:
    """Return which values differ, in how many events."""
    shown = [f"{each.column} in {each.events:,}" for each in found.columns[:_SHOWN]]
    more = f" and {len(found.columns) - _SHOWN} more columns" if len(found.columns) > _SHOWN else ""
    return f" ({', '.join(shown)}{more})" if shown else ""


def _unsaid(found: PipelineFindings) -> str:
    """Return what the manifests do not say, empty if they say everything."""
    parts = [f"a manifest claims what cannot be ({claim})" for claim in found.impossible[:3]]
    parts += found.unsettled[:_SHOWN]
    for status, what in (
        () if found.unsettled else (("missing", "left no manifest"), ("running", "has only begun, or was cut off"))
    ):
        numbers = [str(shard.shard) for shard in found.shards if shard.status == status]
        if numbers:
            more = " and more" if len(numbers) > _SHOWN else ""
            parts.append(f"shard {', '.join(numbers[:_SHOWN])}{more} of {len(found.shards)} {what}")
    unknown = 0 if found.identified else sum(shard.unknown for shard in found.shards)
    if unknown:
        # Where no row is an event, nobody can see whether these are among them.
        parts.append(f"{unknown:,} events were sent, and neither acknowledged nor refused: they may count or not")
    if not parts and not found.truth_complete:
        parts.append("the manifests do not say everything that was injected")
    return f"Nothing can be proved: {'; '.join(parts)}." if parts else ""


def _proved(found: PipelineFindings, place: str, moment: str, expect: str | None) -> str:
    """Return exactly what was proved: which events, which values, and what was not looked at."""
    parts = []
    if found.identified:
        parts.append(_arrived(found, place, expect))
        parts.append(_values(found))
        if found.summed:
            parts.append(f"the checksums of {found.summed:,} values, as they came, add up to what was sent")
        if found.ordered:
            parts.append("in the order of their keys")
    else:
        parts.append(f"no row of {place} was held against an event by itself, as none has an id")
    # What says in words what it proves comes first: where no row is an event, it is the proof.
    said = [f"{each.proved} ({each.name})" for each in found.expectations if each.proved]
    parts = [*parts, *said] if found.identified else [*said, *parts]
    unsaid = [each.name for each in found.expectations if not each.proved]
    if unsaid:
        parts.append(f"{_number(len(unsaid), 'expectation')} hold{_s(len(unsaid))} ({', '.join(unsaid)})")
    if found.unproved:
        parts.append(f"not held against what was sent: {'; '.join(found.unproved)}")
    proved = "; ".join(parts)
    return f"{proved[:1].upper()}{proved[1:]}{moment}."


def _arrived(found: PipelineFindings, place: str, expect: str | None) -> str:
    if expect is not None:
        share = f"{100 * found.expected / found.acknowledged:.1f} %" if found.acknowledged else "none"
        which = f"{found.expected:,} of {found.acknowledged:,} acknowledged events ({share}) should arrive ({expect})"
        return f"{which}, and each is in {place} once, and none of the others"
    if found.expected != found.acknowledged:
        apart = found.acknowledged - found.expected
        return (
            f"All {found.expected:,} acknowledged events are in {place}, once; "
            f"{apart:,} were made unreadable on purpose and do not count"
        )
    return f"All {found.expected:,} acknowledged events are in {place}, once"


def _values(found: PipelineFindings) -> str:
    if found.compared is None:
        return "their values were not compared"
    names = ", ".join(found.compared[:_SHOWN])
    more = f" and {len(found.compared) - _SHOWN} more" if len(found.compared) > _SHOWN else ""
    said = (
        f"{_number(len(found.compared), 'value')} of each equal{'' if len(found.compared) > 1 else 's'} what was sent"
    )
    said = f"{said} ({names}{more})"
    if found.not_stored:
        shown = ", ".join(found.not_stored[:_SHOWN])
        rest = f" and {len(found.not_stored) - _SHOWN} more" if len(found.not_stored) > _SHOWN else ""
        said = f"{said}; not stored, and so not compared: {shown}{rest}"
    if found.not_comparable:
        said = f"{said}; not comparable: {', '.join(found.not_comparable)}"
    return said


def rows_disagree(number: int) -> str:
    """Say how many rows disagree with an expectation."""
    return f"{_number(number, 'row')} disagree{_s(number)}"


def _number(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _s(number: int) -> str:
    return "s" if number == 1 else ""
