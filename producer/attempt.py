"""One attempt at a shard: sending what is missing when it is due, and the manifest of what became of it."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cluster.connection import Connection
from cluster.errors import Misconfigured, TakenOver
from producer.plan.agreement import Agreement
from producer.plan.plan import Plan
from producer.resume.resume import Landed, rate_gaps
from producer.scenarios import EventStream
from producer.send.delivery import BATCH_BYTES, Delivery
from producer.send.event_log import EventLog
from producer.send.fault_truth import Truth
from producer.send.meter import Progress, RateMeter, seconds_before
from producer.send.pacing import Pacer, Ready
from producer.send.right import Sends
from producer.send.sending import Sending
from producer.send.supply import Supply
from producer.send.watching import Watching
from producer.shapes import Schedule
from schemas.faults import DROPPED
from schemas.formats import value_format
from schemas.manifest import Manifest, Range, count, to_ranges

# Asked when the first events can be sent; says at which second of the schedule it begins, if others decide that.
AtReady = Callable[[Ready], float | None]
# After a signal: two seconds for reports, one for the manifest; the process is to be gone within four.
_STOP_FLUSH_S = 2.0
# Who lost the shard waits so long for what is in flight: whoever has it now waits for that too.
_LOST_FLUSH_S = 3.0
# A rate over a time is a number of events; a producer that lags has this much longer to reach it.
_CATCH_UP_S = 0.8


class Attempt:
    """One attempt at a shard: what is sent, and what became of it."""

    def __init__(
        self,
        connection: Connection,
        plan: Plan,
        agreement: Agreement,
        landed: Landed,
        *,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
        began: float | None = None,
        right: Sends | None = None,
    ) -> None:
        self.plan = plan
        self.agreement = agreement
        self.landed = landed
        self.stop = stop
        self._clock = time.perf_counter
        began = self._clock() if began is None else began
        written = value_format(agreement.announced.value_format)
        # First: librdkafka takes half a second to get its producer id, while the vocabulary is built.
        self.delivery = Delivery(
            connection.kafka,
            plan.topic,
            timeout_s=plan.delivery_timeout_s,
            identity_of=written.identity,
            clock=self._clock,
            skew_s=agreement.injector.skew_s if agreement.injector else 0.0,
            batch_bytes=min(BATCH_BYTES, agreement.takes.largest_batch or BATCH_BYTES),
            keeps_times=bool(agreement.takes.keeps_times),
            placing=landed.placing,
            right=right,
        )
        announced = agreement.announced
        self._stream = agreement.scenario.open(announced.seed, announced.shard, announced.settings)
        self._encoder = written.encoder(agreement.schema.text, announced.schema_used.id)
        newer, used = agreement.newer, agreement.newer_used
        self._newer = written.encoder(newer.text, used.id) if newer and used else None
        self._truth = Truth()
        self.delivery.checksums.add(landed.there.nonzero()[0], landed.checksums[landed.there])
        schedule = _schedule(plan, self._stream)
        self._end, limit_s, whole = _bounds(plan, agreement, landed, schedule)
        self._pacer = Pacer(
            schedule,
            clock=self._clock,
            end=None if self._end is None else self._end + announced.skipped,
            first=len(landed) + announced.skipped,
            overdue=len(landed) - landed.count,
            skip=plan.catch_up == "skip" and whole,
            limit_s=limit_s,
        )
        self._meter = RateMeter(self._pacer.intended_by)
        earlier = agreement.earlier
        self._gaps = rate_gaps(earlier, landed, schedule)
        self._watch = Watching(
            self.delivery,
            self._pacer,
            self._meter,
            clock=self._clock,
            began=began,
            shard=plan.shard,
            landed=landed.count,
            before_s=seconds_before([] if earlier is None else earlier.rate_windows, self._gaps),
            end=lambda: self._known_end,
            dropped=lambda: self._dropped(len(landed)),
            timeout_s=plan.delivery_timeout_s,
            progress=progress,
        )
        self._sending = Sending(
            self.delivery, self._pacer, self._truth, landed=len(landed), stop=stop, observe=self._watch.look
        )

    @property
    def end(self) -> int | None:
        """The sequence after the last. What is skipped is never generated, so the end comes nearer."""
        return None if self._end is None else self._end - self._pacer.skipped

    @property
    def _known_end(self) -> int | None:
        """The sequence after the last as far as anybody knows: a scenario that ends by itself may say it."""
        return self._stream.limit if self.end is None and self.plan.ends_by_itself else self.end

    def send(self, at_ready: AtReady | None = None) -> None:
        """Send what is missing of ``[0, end)``, in order, when it is due."""
        announced = self.agreement.announced
        end = self._stream.limit if self.end is None else self.end
        with (
            contextlib.ExitStack() as opened,
            Supply(
                self._stream,
                self._encoder,
                run_id=announced.run_id,
                shard=announced.shard,
                key=self.agreement.scenario.key,
                end=end,
                landed=self.landed,
                identity=self.agreement.scenario.identity,
                log=self._open_log(opened),
                faults=self.agreement.injector,
                newer=self._newer,
                mixing=self.agreement.mixing,
            ) as supply,
        ):
            parts = iter(supply)
            part = next(parts, None)
            begin_s = None if at_ready is None else at_ready(self._pacer.ready)
            # Building the vocabulary is not part of the schedule.
            self._watch.begin(begin_s)
            while part is not None and self._sending.send(part):
                waited_from = self._clock()
                part = next(parts, None)
                self._watch.generated(self._clock() - waited_from)
            self._watch.end()

    def _open_log(self, opened: contextlib.ExitStack) -> EventLog | None:
        folder = self.plan.event_log
        return None if folder is None else opened.enter_context(EventLog.of(folder, self.agreement.announced))

    def settle(self) -> None:
        """Wait for the outstanding reports: for the delivery timeout, or two seconds after a stop."""
        until = time.monotonic() + self.plan.delivery_timeout_s + 5
        stopped_at: float | None = None
        lost_at: float | None = None

        def seconds_left() -> float:
            nonlocal stopped_at, lost_at
            self._watch.look()
            now = time.monotonic()
            if self.stop.is_set():
                stopped_at = stopped_at or now
                return min(until, stopped_at + _STOP_FLUSH_S) - now
            if isinstance(self.delivery.broken, TakenOver):
                lost_at = lost_at or now
                return min(until, lost_at + _LOST_FLUSH_S) - now
            return until - now

        self.delivery.settle(seconds_left)
        self._watch.look(last=True)

    @property
    def interrupted(self) -> bool:
        """Whether a signal or a failure ended the attempt before its end; a time limit is an end."""
        cut = self.stop.is_set() or self.delivery.broken is not None
        left = self._missing() or self._sending.unsent or self._sending.copies_unsent
        return cut and (self.end is None or self._next_sequence() < self.end or bool(left))

    def manifest(self) -> Manifest:
        """Return the finished manifest."""
        delivery, earlier = self.delivery, self.agreement.earlier
        failed = _union(delivery.failed, self._missing(), to_ranges(self._sending.unsent))
        away = _numbers([*failed, *delivery.unknown])
        schemas, mixing = self.agreement.schemas, self.agreement.mixing
        truth = self._truth.documents(
            self._sending.next,
            away=away,
            copies_away=np.array([*delivery.copies.failed, *self._sending.copies_unsent], dtype=np.int64),
            copies_unsure=np.array(delivery.copies.unknown, dtype=np.int64),
            skewed=self.delivery.skewed,
        )
        return Manifest.model_validate(
            self.agreement.announced.model_dump()
            | {
                "status": "finished",
                "interrupted": self.interrupted,
                "ended_at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
                # A stream that has fewer events than were asked for ends the run.
                "asked": None if self._ends_by_itself else self.agreement.announced.asked,
                "next_sequence": self._next_sequence(),
                "acknowledged": self.landed.count + delivery.acknowledged,
                "failed": failed,
                "unknown": delivery.unknown,
                "dropped": self._dropped(),
                "faults": truth,
                "injected": {each.kind: count(each.sequences) for each in truth},
                "injected_unsure": sum(count(each.unsure) for each in truth),
                "truth_complete": self.agreement.injector is None or self._sending.next >= len(self.landed),
                "versions": mixing.written(
                    schemas,
                    self._next_sequence(),
                    np.concatenate([away, self._truth.without_value(self._sending.next)]),
                )
                if mixing and schemas
                else [],
                "crc": delivery.checksums.windows(),
                "placed": delivery.placing.windows(),
                "skipped": self.agreement.announced.skipped + self._pacer.skipped,
                "rate_windows": self._meter.windows(earlier.rate_windows if earlier else [], self._gaps),
                "rate_gaps": self._gaps,
                "sending": [*(earlier.sending if earlier else []), self._watch.sending()],
                "publish_delay_ms": delivery.delays.percentiles_ms(),
            }
        )

    @property
    def _ends_by_itself(self) -> bool:
        return self._end is not None and self._stream.limit < self._end

    def _dropped(self, first: int = 0) -> int:
        """Return how many events were left out on purpose, from sequence ``first`` on."""
        return int((self._truth.of(DROPPED, self._sending.next) >= first).sum())

    def _next_sequence(self) -> int:
        return max(self._sending.next, len(self.landed))

    def _missing(self) -> list[Range]:
        """Return sequences below the last that landed, which this attempt did not come to send: not written."""
        return to_ranges(self.landed.missing(min(self._sending.next, len(self.landed)), len(self.landed)).tolist())


def _schedule(plan: Plan, stream: EventStream) -> Schedule | None:
    """Return when the events of the shard are due: by the plan, or at their own times."""
    if not plan.own_times:
        return plan.schedule
    if stream.due is None:
        raise Misconfigured(
            f"scenario {Path(plan.scenario).stem} does not say when its events are due",
            hint="Its stream needs `due` where an option with own_times is asked for",
        )
    return stream.due


def _bounds(
    plan: Plan, agreement: Agreement, landed: Landed, schedule: Schedule | None
) -> tuple[int | None, float | None, bool]:
    """Return the sequence after the last, the seconds that this attempt may take, and whether it may skip.

    An attempt that ran to its time limit and lost events is repaired: its missing events are sent, without a limit.
    One that was stopped has the rest of its time; of one that was killed it is known only from the schedule.
    """
    earlier, skipped = agreement.earlier, agreement.announced.skipped
    if earlier is not None and earlier.status == "finished" and not earlier.interrupted:
        return max(earlier.next_sequence, len(landed)), None, False
    target = plan.target
    if plan.own_times and schedule is not None and schedule.planned is not None:
        own = schedule.planned if plan.seconds is None else schedule.before(plan.seconds)
        target = own if target is None else min(target, own)
    end = None if target is None else max(len(landed), target - skipped)
    if plan.seconds is None:
        return end, None, True
    if schedule is not None:
        first = len(landed) + skipped
        used = min(plan.seconds, schedule.at(first)) if first else 0.0
        return end, plan.seconds - used + _CATCH_UP_S, True
    last = earlier.rate_windows[-1] if earlier is not None and earlier.rate_windows else None
    used = 0.0 if last is None else float(last.second + last.seconds)
    return end, max(0.0, plan.seconds - used), True


def _numbers(ranges: list[Range]) -> NDArray[np.int64]:
    parts = [np.arange(start, end, dtype=np.int64) for start, end in ranges]
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def _union(*lists: list[Range]) -> list[Range]:
    return to_ranges([sequence for ranges in lists for start, end in ranges for sequence in range(start, end)])
