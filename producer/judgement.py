"""What a shard, or several of them, came to: nothing to say, or the error that says it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cluster.errors import DeliveryTimedOut, Interrupted, RateMissed, RecordsUndelivered, StreamproofError
from producer.send.refusals import Reason, in_order
from schemas.manifest import Manifest, count
from schemas.rates import RateReached, percent

_SHOWN_REASONS = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of events. Second records, injected copies, count among what failed and what is unknown."""

    acknowledged: int = 0
    failed: int = 0
    unknown: int = 0
    reasons: tuple[Reason, ...] = ()

    @classmethod
    def of(cls, manifest: Manifest, reasons: Iterable[Reason] = (), *, failed: int = 0, unknown: int = 0) -> Tally:
        """Return what a manifest says, with the reasons, and copies beside the events."""
        return cls(
            manifest.acknowledged,
            count(manifest.failed) + failed,
            count(manifest.unknown) + unknown,
            in_order(reasons),
        )

    def __add__(self, other: Tally) -> Tally:
        """Return what became of both."""
        return Tally(
            self.acknowledged + other.acknowledged,
            self.failed + other.failed,
            self.unknown + other.unknown,
            in_order([*self.reasons, *other.reasons]),
        )

    @property
    def open(self) -> int:
        """Events that were not acknowledged."""
        return self.failed + self.unknown


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt at a shard ended with: its manifest and tally, if it came so far, and its error, if it failed."""

    manifest: Manifest | None = None
    error: StreamproofError | None = None
    tally: Tally = field(default_factory=Tally)


def stopped(tally: Tally, *, run_id: str, where: str) -> Interrupted:
    """Return what a stop comes to."""
    rest = f", {tally.open:,} {'is' if tally.open == 1 else 'are'} sent again when it continues" if tally.open else ""
    return Interrupted(
        f"stopped after {tally.acknowledged:,} acknowledged events{rest}",
        where=where,
        hint=f"The same command with --run-id {run_id} continues",
    )


def undelivered(tally: Tally, *, run_id: str, where: str, cause: StreamproofError | None = None) -> StreamproofError:
    """Return what events come to that Kafka did not acknowledge: how many, why, and what helps.

    :class:`RecordsUndelivered` where one was refused for a reason that lasts, :class:`DeliveryTimedOut` where another
    attempt can send them all.

    :param cause: what ended the attempt, where it was ended.
    """
    said = f"{tally.open:,} events were not acknowledged ({tally.failed:,} failed, {tally.unknown:,} unknown)"
    if cause is not None:
        said += f": {cause.message}"
    elif tally.reasons:
        more = len(tally.reasons) - _SHOWN_REASONS
        said += ": " + ", ".join(map(str, tally.reasons[:_SHOWN_REASONS]))
        said += f" and {more} more reasons" if more > 0 else ""
    helps = [reason.helps for reason in tally.reasons if reason.helps]
    lasting = [reason.lasting for reason in tally.reasons]
    if not lasting or not all(lasting):
        missing = "the others" if helps else "what is missing"
        helps.append(f"The same command with --run-id {run_id} sends {missing}")
    kind = RecordsUndelivered if any(lasting) else DeliveryTimedOut
    return kind(said, where=where, hint=". ".join(helps))


def too_slow(rate: RateReached | None, required: float | None, *, run_id: str, where: str) -> RateMissed | None:
    """Return what a rate below the required share comes to; a run that is asked for again says the same.

    :param required: share of the rate that was asked for; ``None`` where none is required.
    """
    if required is None or (rate is not None and rate.share is not None and rate.share >= required):
        return None
    if rate is None or rate.share is None:
        return RateMissed(
            f"{percent(required)} of the rate was required, and the manifests of run {run_id} do not tell its rate",
            where=where,
            hint="An earlier version wrote them, or every attempt was killed; begin a new run",
        )
    why = f": {rate.cause}" if rate.cause else ""
    return RateMissed(
        f"{percent(required)} of the rate was required, {rate} reached{why}",
        where=where,
        hint=f"{rate.advice or 'Ask for less'}. The events themselves are delivered; a new run is judged anew",
    )
