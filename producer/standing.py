"""How a run stands, over its shards: what a line of progress says, and the rate since the line before it.

A rate is counted from one acknowledgement to another, not from one look to another: Kafka acknowledges in batches, and
a look falls somewhere between two of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from producer.send.meter import Progress
from schemas.rates import per_second

LIVE_S = 5.0
# Events that are this much late are on their way; later is behind.
BEHIND_S = 0.5
# While something waits, this long without an acknowledgement is time in which nothing was acknowledged.
_PAUSE_S = 0.5
# A rate over one line is known to about this share: acknowledgements do not come evenly.
_NOISE = 0.03


@dataclass(frozen=True, slots=True)
class Line:
    """One line of progress.

    :param rate: acknowledged events a second; ``None`` while there is nothing to tell it from.
    :param asked: events a second that the schedule asks for over the same time; ``None`` without one.
    :param behind: events that are due and have no answer yet, those on their way included.
    :param behind_s: for how long the first of them has been due.
    :param delay_ms: the longest publish delay; ``None`` where nothing was acknowledged.
    """

    acknowledged: int
    target: int | None
    failed: int
    queued: int
    rate: float | None
    asked: float | None
    behind: int
    behind_s: float
    delay_ms: float | None
    seconds_left: float | None

    @property
    def on_schedule(self) -> bool:
        """Whether what is due is at most on its way."""
        return self.behind_s <= BEHIND_S

    @property
    def as_asked(self) -> bool:
        """Whether the rate is the one that is asked for, as near as acknowledgements can tell."""
        return bool(self.asked and self.rate and self.on_schedule and abs(self.rate / self.asked - 1) <= _NOISE)

    def pace(self) -> str:
        """Return the rate against the rate asked for: ``500/s as asked``, ``354/s of 500/s asked``."""
        if self.rate is None:
            return ""
        if self.as_asked:
            return f"{per_second(self.asked or 0.0)}/s as asked"
        asked = f" of {per_second(self.asked)}/s asked" if self.asked else ""
        return f"{per_second(self.rate)}/s{asked}"

    def short_pace(self) -> str:
        """Return the same for a narrow place: ``500/s``, ``354 of 500/s``."""
        return self.pace().replace("/s of ", " of ").removesuffix(" asked").removesuffix(" as")

    def words(self) -> str:
        """Return the line for a log."""
        of = "" if self.target is None else f" of {self.target:,}"
        parts = [f"{self.acknowledged:,}{of} acknowledged", self.pace()]
        if self.asked is not None:
            late = f"{self.behind_s:,.1f} s behind, {self.behind:,} events"
            parts.append("on schedule" if self.on_schedule else late)
        if self.failed:
            parts.append(f"{self.failed:,} not delivered")
        if self.delay_ms is not None:
            parts.append(f"delay up to {delay(self.delay_ms)}")
        return ", ".join(filter(None, parts))


@dataclass(slots=True)
class _Shard:
    """The last that was heard of a shard, and the marks that rates are counted from.

    ``answered`` is (seconds, acknowledged) at an acknowledgement; ``asked`` are (seconds, events) since the last line:
    what the schedule asked for while it was not over.
    """

    last: Progress
    answered: tuple[float, int] | None = None
    asked: tuple[float, float] = (0.0, 0.0)
    seen: tuple[float, float] = (0.0, 0.0)
    rate: float | None = None
    asked_rate: float | None = None
    recent: deque[tuple[float, int]] = field(default_factory=deque)

    def take(self, progress: Progress) -> None:
        self.last = progress
        now = _moment(progress)
        if progress.asked is not None:
            before_s, before = self.seen
            self.seen = (progress.elapsed_s, progress.asked)
            if not progress.over:
                self.asked = (self.asked[0] + progress.elapsed_s - before_s, self.asked[1] + progress.asked - before)
        if self.answered is None and progress.acknowledged > progress.landed:
            # From here on acknowledgements come as events are due; the first comes later by what Kafka takes.
            self.answered = now
        if not self.recent or now > self.recent[-1]:
            self.recent.append(now)
        while len(self.recent) > 2 and self.recent[1][0] <= now[0] - LIVE_S:
            self.recent.popleft()

    def turn(self) -> None:
        """Count the rates from the line before to this one, and begin anew."""
        last = self.last
        self.asked_rate, self.asked = self.asked_so_far(), (0.0, 0.0)
        if self.answered is None:
            self.rate = 0.0 if last.queued and last.elapsed_s > _PAUSE_S else None
            return
        at_s, acknowledged = _moment(last)
        before_s, before = self.answered
        if at_s > before_s:  # else nothing was due and nothing came: what was said of it holds
            self.rate = (acknowledged - before) / (at_s - before_s)
            self.answered = (at_s, acknowledged)

    def live(self) -> float | None:
        """Return the rate over the last seconds."""
        if len(self.recent) < 2:
            return None
        (first_s, first), (last_s, last) = self.recent[0], self.recent[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else None

    def asked_so_far(self) -> float | None:
        """Return what was asked for since the line before; of a schedule that is over, what was asked for last."""
        seconds, events = self.asked
        return events / seconds if seconds > 0 else self.asked_rate


class Standing:
    """The sums over the shards of a run.

    :param targets: events of each shard; ``None`` where nobody knows.
    """

    def __init__(self, targets: Sequence[int | None]) -> None:
        self._shards: dict[int, _Shard] = {}
        known = [target for target in targets if target is not None]
        self._target = sum(known) if len(known) == len(targets) else None
        self._delay_ms: float | None = None

    def add(self, progress: Progress) -> None:
        """Take the progress of one shard. All of it counts, also what is heard between two lines."""
        shard = self._shards.get(progress.shard)
        if shard is None:
            shard = self._shards[progress.shard] = _Shard(progress)
        shard.take(progress)
        if progress.delay_ms is not None:
            self._delay_ms = max(self._delay_ms or 0.0, progress.delay_ms)

    def line(self) -> Line:
        """Return the line of this moment; its rate is that since the line before."""
        for shard in self._shards.values():
            shard.turn()
        shards = self._shards.values()
        line = self._line([shard.rate for shard in shards], [shard.asked_rate for shard in shards])
        self._delay_ms = None
        return line

    def live(self) -> Line:
        """Return the same with the rate over the last seconds; the next line is counted as if this were not."""
        shards = self._shards.values()
        return self._line([shard.live() for shard in shards], [shard.asked_so_far() for shard in shards])

    def _line(self, rates: Sequence[float | None], asked_rates: Sequence[float | None]) -> Line:
        shards = [shard.last for shard in self._shards.values()]
        known = [rate for rate in rates if rate is not None]
        asked = [rate for rate in asked_rates if rate is not None]
        left = [each.seconds_left for each in shards if each.seconds_left is not None]
        return Line(
            acknowledged=sum(each.acknowledged for each in shards),
            target=self._target,
            failed=sum(each.failed for each in shards),
            queued=sum(each.queued for each in shards),
            rate=sum(known) if known else None,
            asked=sum(asked) if asked else None,
            behind=sum(each.behind for each in shards),
            behind_s=max((each.behind_s for each in shards), default=0.0),
            delay_ms=self._delay_ms,
            seconds_left=max(left, default=None),
        )


def delay(value_ms: float) -> str:
    """Return a delay as it reads: 31 ms, 4.2 s."""
    return f"{value_ms:,.0f} ms" if value_ms < 1000 else f"{value_ms / 1000:,.1f} s"


def _moment(progress: Progress) -> tuple[float, int]:
    """Return when it was that so many were acknowledged: at the last answer, or now, if that lets wait."""
    silent_s = progress.elapsed_s - progress.answered_s
    # Between two events of a slow schedule nothing waits, and silence says nothing.
    waited_s = silent_s if progress.asked is None else min(silent_s, progress.behind_s)
    paused = progress.queued and waited_s > _PAUSE_S
    return progress.elapsed_s if paused else progress.answered_s, progress.acknowledged
