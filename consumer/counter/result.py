"""What a count says about itself: while it runs, and at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from consumer.counter.totals import REASONS

# Why it ended, all of them ordinary: the time was over, what was there is counted, or somebody stopped it.
Ended = Literal["time", "end", "stop"]


@dataclass(frozen=True, slots=True)
class CountProgress:
    """How far a count is.

    :ivar totals: of every name, those of earlier counts included; ``apart``: records that are in none, by the reason.
    :ivar events: counted by this process; ``outputs``: committed by it; ``transactions``: that it took.
    :ivar lag: offsets that are there and not counted; ``None`` when nobody knows.
    :ivar rate: events a second since the progress before.
    """

    totals: dict[str, int] = field(default_factory=dict)
    apart: dict[str, int] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)
    events: int = 0
    outputs: int = 0
    transactions: int = 0
    lag: int | None = None
    rate: float = 0.0
    seconds: float = 0.0

    def words(self) -> str:
        """Return it as a line of a log."""
        apart = sum(self.apart.values())
        parts = [f"{self.events:,} events counted, {self.rate:,.0f} events/s"]
        parts += [f"lag {self.lag:,}"] if self.lag is not None else []
        parts += [f"{apart:,} in no total"] if apart else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class CountResult:
    """What one process counted, and what the totals are now."""

    topic: str
    output: str
    field: str
    ended: Ended
    progress: CountProgress
    went_on_from: int | None

    @property
    def apart(self) -> dict[str, int]:
        """Records in no total, by the reason, where there are any."""
        return {reason: number for reason, number in self.progress.apart.items() if number}

    def apart_in_words(self) -> list[str]:
        """Return a sentence for each reason."""
        return [f"{number:,} records {REASONS.get(reason, reason)}" for reason, number in self.apart.items()]

    def document(self) -> dict[str, Any]:
        """Return the result as ``count --json`` prints it."""
        done = self.progress
        return {
            "topic": self.topic,
            "output": self.output,
            "field": self.field,
            "ended": self.ended,
            "totals": done.totals,
            "events_in_totals": sum(done.totals.values()),
            "apart": self.apart,
            "positions": {str(partition): at for partition, at in sorted(done.positions.items())},
            "lag": done.lag,
            "events": done.events,
            "outputs": done.outputs,
            "transactions": done.transactions,
            "went_on_from": self.went_on_from,
            "seconds": round(done.seconds, 3),
            "events_per_second": round(done.events / done.seconds, 1) if done.seconds else 0.0,
        }
