"""Watching an attempt while it sends: progress for whoever looks, silence of Kafka, and what its rate is judged by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from cluster.silence import Silence
from producer.send.delivery import Delivery
from producer.send.meter import Progress, RateMeter
from producer.send.pacing import Pacer
from schemas.manifest import Sending
from schemas.rates import IN_TIME_S

_PROGRESS_EVERY_S = 0.2
_LATE_S = 0.5


class Watching:
    """The figures of one attempt as they come.

    :param clock: seconds, monotonic; the pacer's clock.
    :param began: when the attempt began, by that clock: what is before the schedule is start-up.
    :param landed: events of earlier attempts.
    :param end: sequence after the last, asked again and again, as skipped events bring it nearer.
    :param before_s: seconds of the run that earlier attempts took.
    :param dropped: events that were left out on purpose, of those that this attempt came to.
    """

    def __init__(
        self,
        delivery: Delivery,
        pacer: Pacer,
        meter: RateMeter,
        *,
        clock: Callable[[], float],
        began: float,
        shard: int,
        landed: int,
        before_s: float,
        end: Callable[[], int | None],
        dropped: Callable[[], int],
        timeout_s: float,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._delivery = delivery
        self._pacer = pacer
        self._meter = meter
        self._clock = clock
        self._began = began
        self._shard = shard
        self._landed = landed
        self._before_s = before_s
        self._end = end
        self._dropped = dropped
        self._progress = progress
        self._silence = Silence("Kafka", until_s=timeout_s)
        self._reported_s = -1.0  # so that the first look is shown at once
        self._answered = (0, 0.0)
        self._generator_s = 0.0
        self._ended_s = self._asked_for_s = 0.0
        self._began_at = dt.datetime.now(dt.UTC)

    def begin(self, begin_s: float | None = None) -> None:
        """Let the schedule begin now, at a second of it if one is given."""
        self._pacer.begin(begin_s)
        self._began_at = dt.datetime.now(dt.UTC)

    def generated(self, waited_s: float) -> None:
        """Note that events were waited for: it counts from the moment at which the first of them was late."""
        scheduled = self._pacer.asked_by(0.0) is not None
        self._generator_s += min(waited_s, self._pacer.late_s()) if scheduled else waited_s

    def end(self) -> None:
        """Note that nothing is sent any more, so that nothing is intended either."""
        self._ended_s, self._asked_for_s = self._pacer.elapsed_s(), self._pacer.asked_for_s()
        self._meter.end(self._ended_s)

    def look(self, *, last: bool = False) -> None:
        """Take a look, many times a second."""
        delivery, elapsed_s = self._delivery, self._pacer.elapsed_s()
        acknowledged = delivery.acknowledged
        self._meter.observe(
            elapsed_s,
            acknowledged,
            sent=delivery.handed_over,
            skipped=self._pacer.skipped,
            delay_ms=delivery.delays.longest_ms("window"),
        )
        if acknowledged != self._answered[0]:
            self._answered = (acknowledged, elapsed_s)
        self._silence.look(elapsed_s, acknowledged + delivery.copies.acknowledged, delivery.unsettled)
        if self._progress is None or (elapsed_s - self._reported_s < _PROGRESS_EVERY_S and not last):
            return
        self._reported_s = elapsed_s
        self._progress(self._standing(elapsed_s))

    def sending(self) -> Sending:
        """Return what the attempt's rate is judged by."""
        acknowledged, answered_s = self._answered
        last_answers_s = max(0.0, answered_s - self._ended_s - IN_TIME_S)
        return Sending(
            began_at=self._began_at.isoformat(timespec="milliseconds"),
            startup_s=round(max(0.0, self._pacer.start - self._began), 3),
            seconds=round(answered_s if acknowledged else self._ended_s, 3),
            due_s=self._asked_for_s,
            due=self._pacer.intended_by(self._asked_for_s),
            acknowledged=acknowledged + self._dropped(),
            generator_s=round(self._generator_s, 3),
            kafka_s=round(self._delivery.waited_for_room_s + last_answers_s, 3),
        )

    def _standing(self, elapsed_s: float) -> Progress:
        delivery, pacer, end = self._delivery, self._pacer, self._end()
        answered = max(0, pacer.taken - delivery.unsettled)
        asked = pacer.asked_by(elapsed_s)
        return Progress(
            shard=self._shard,
            elapsed_s=elapsed_s,
            answered_s=self._answered[1],
            generated=self._landed + delivery.handed_over,
            acknowledged=self._landed + delivery.acknowledged,
            landed=self._landed,
            failed=delivery.not_delivered,
            queued=delivery.unsettled,
            asked=asked,
            over=pacer.asks_no_more(elapsed_s),
            behind=0 if asked is None else max(0, round(asked) - answered),
            behind_s=pacer.late_s(answered),
            delay_ms=delivery.delays.longest_ms(),
            target=end,
            seconds_left=self._seconds_left(end),
            run_s=self._before_s + elapsed_s,
        )

    def _seconds_left(self, end: int | None) -> float | None:
        left_s, sent, elapsed_s = self._pacer.seconds_left(), self._delivery.handed_over, self._pacer.elapsed_s()
        # Who is late does not end with the schedule.
        late = left_s is None or self._pacer.late_s() > _LATE_S
        if late and end is not None and elapsed_s > 0 and sent:
            left_s = max(left_s or 0.0, max(0, end - self._landed - sent) * elapsed_s / sent)
        return left_s
