"""The rate that was asked for and the rate that was reached: a promise that is judged like the others.

The share is that of the rate: events that were due by a moment against events that were acknowledged in time, not of
all events. Who took twice as long as asked reached half, although not one event is missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cluster.errors import Misconfigured
from schemas.manifest import Manifest, Sending

# An acknowledgement takes its time; this much after the last event was due is in time, and never more than this share
# of the schedule: what takes longer than the whole of it would hide any rate, however wrong.
IN_TIME_S = 0.1
_IN_TIME_SHARE = 0.1
# Below this share of the rate that was asked for, a run is warned of.
MISSED_BELOW = 0.95

Cause = Literal["short", "late start", "generator", "kafka", "process", "lost", "skipped"]

_CAUSES: dict[Cause, tuple[str, str]] = {
    "short": (
        "its schedule took {schedule_ms:.3g} ms, and the last acknowledgement alone may take {in_time_ms:.0f} ms",
        "Send for a second or longer to see which rate is reached, or ask for less",
    ),
    "late start": (
        "its shards began up to {late:.1f} s apart",
        "Run its shards side by side: fewer shards, or more tasks at a time",
    ),
    "generator": (
        "generating and encoding is the limit, {seconds:.1f} s were spent waiting for it",
        "Give it more shards while there are cores, or ask for less; `preview --calibrate` measures one process",
    ),
    "kafka": (
        "Kafka is the limit, {seconds:.1f} s were spent waiting for it",
        "Look at the load, the disk and the network of the brokers, give the topic more partitions, or ask for less",
    ),
    "process": (
        "one process hands over no more on this machine",
        "Give it more shards while there are cores, stop what else runs there, or ask for less",
    ),
    "lost": ("{lost:,} events were not acknowledged", "See why Kafka did not take them"),
    "skipped": (
        "{skipped:,} events were given up after a stall, as catch-up was to skip",
        "Find what stalled, or send late what a stall holds up (--catch-up report)",
    ),
}


@dataclass(frozen=True, slots=True)
class RateReached:
    """The rate of a run, over its shards.

    :param asked: events a second; ``None`` for as fast as possible.
    :param reached: acknowledged events a second.
    :param share: of what was due, how much was acknowledged in time; ``None`` where nothing was asked for.
    :param seconds: of sending, from the first due moment to the last acknowledgement.
    :param startup_s: before it, of the slowest shard.
    :param cause: what kept the rate down, where it was missed: in words, and what to do.
    """

    asked: float | None
    reached: float
    share: float | None
    seconds: float
    startup_s: float
    cause: str = ""
    advice: str = ""

    @property
    def missed(self) -> bool:
        """Whether it was missed by so much that somebody should know."""
        return self.share is not None and self.share < MISSED_BELOW

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "asked": None if self.asked is None else round(self.asked, 3),
            "reached": round(self.reached, 3),
            "percent": None if self.share is None else round(100 * self.share, 2),
            "missed": self.missed,
            "cause": self.cause or None,
            "says": str(self),
        }

    def warning(self) -> str:
        """Return what to tell of a rate that was missed."""
        return f"the rate was missed, {self}: {self.cause}. {self.advice}"

    def __str__(self) -> str:
        """Return it in words: 11,111/s of 20,000/s asked (55.6 %)."""
        reached = f"{per_second(self.reached)}/s"
        if self.asked is None or self.share is None:
            return reached
        return f"{reached} of {per_second(self.asked)}/s asked ({percent(self.share)})"


def rate_reached(manifests: Sequence[Manifest]) -> RateReached | None:
    """Return the rate of a run by its manifests; ``None`` where none of them tells it.

    Attempts of a shard come one after the other: they are added up, and what was between them counts for none.
    """
    shards = [manifest.sending for manifest in manifests if manifest.sending]
    if not shards:
        return None
    sent = [each for shard in shards for each in shard]
    due, done = sum(each.due for each in sent), sum(each.acknowledged for each in sent)
    due_s = max(sum(each.due_s for each in shard) for shard in shards)
    late_s = _late_start_s(shards)
    seconds = _seconds(shards)
    startup_s = max(each.startup_s for each in sent)
    in_time_s = max(due_s, seconds - min(IN_TIME_S, _IN_TIME_SHARE * due_s))
    # Stopped at once: the first event is due at the first moment, and tells no rate.
    hardly = due <= len(sent) and done < due
    if not due or not due_s or hardly:
        return RateReached(None, done / seconds if seconds else 0.0, None, seconds, startup_s)
    reached = done / in_time_s
    asked = due / due_s
    rate = RateReached(asked, reached, min(1.0, reached / asked), seconds, startup_s)
    if not rate.missed:
        return rate
    cause, words = _cause(manifests, sent, late_s, lost=max(0, due - done))
    text, advice = _CAUSES[cause]
    return RateReached(asked, reached, rate.share, seconds, startup_s, text.format(**words), advice)


def share_of(text: str) -> float:
    """Return the share that a text such as ``95%`` says.

    :raises Misconfigured: it is not a percentage above 0 and up to 100.
    """
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = math.nan
    if not 0 < value <= 100:
        raise Misconfigured(
            f"{text!r} is not a share of the rate: it is a percentage above 0 and up to 100",
            hint="Give it as 95%",
        )
    return value / 100


def per_second(rate: float) -> str:
    """Return a rate as it reads: whole from 10 on, with what is behind the point below."""
    return f"{rate:,.0f}" if rate >= 9.95 else f"{rate:.2g}"


def percent(share: float) -> str:
    """Return a share; one that is not whole never reads as 100 %."""
    return f"{min(share * 100, 99.9) if share < 1 else 100:.1f} %"


def _late_start_s(shards: Sequence[Sequence[Sending]]) -> float:
    """Return how far apart the shards began; 0 where one of them has several attempts."""
    if any(len(shard) > 1 for shard in shards):
        return 0.0
    began = [datetime.fromisoformat(shard[0].began_at) for shard in shards]
    return (max(began) - min(began)).total_seconds()


def _seconds(shards: Sequence[Sequence[Sending]]) -> float:
    """Return how long the shards took together, from the first that began to the last that ended."""
    if any(len(shard) > 1 for shard in shards):
        return max(sum(each.seconds for each in shard) for shard in shards)
    first = min(datetime.fromisoformat(shard[0].began_at) for shard in shards)
    return max(
        (datetime.fromisoformat(shard[0].began_at) - first).total_seconds() + shard[0].seconds for shard in shards
    )


def _cause(
    manifests: Sequence[Manifest], sent: Sequence[Sending], late_s: float, *, lost: int
) -> tuple[Cause, dict[str, float | int]]:
    """Return what weighs most of what was measured: seconds that were lost to each, or events that did not come."""
    skipped = sum(manifest.skipped for manifest in manifests)
    over_s = sum(max(0.0, each.seconds - each.due_s) for each in sent)
    generator_s = sum(each.generator_s for each in sent)
    kafka_s = sum(each.kafka_s for each in sent)
    weights: dict[Cause, float] = {
        "generator": generator_s,
        "kafka": kafka_s,
        "late start": late_s,
        "process": max(0.0, over_s - generator_s - kafka_s),
    }
    heaviest = max(weights, key=lambda cause: weights[cause])
    schedule_s = max(each.due_s for each in sent)
    if not lost and max(each.seconds - each.due_s for each in sent) + late_s <= IN_TIME_S:
        # Nothing is later than an acknowledgement may be: what was measured names no one who held it up.
        heaviest = "short"
    due, due_s = sum(each.due for each in sent), max(sum(each.due_s for each in sent) / len(sent), 1e-9)
    # Events as seconds of the schedule, so that both can be compared.
    if skipped and skipped * due_s / due >= weights[heaviest]:
        heaviest = "skipped"
    elif lost > skipped and lost * due_s / due >= weights[heaviest]:
        heaviest = "lost"
    words = {"seconds": weights.get(heaviest, 0.0), "late": late_s, "lost": lost, "skipped": skipped}
    return heaviest, words | {"schedule_ms": 1000 * schedule_s, "in_time_ms": 1000 * IN_TIME_S}
