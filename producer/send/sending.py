"""Sending the parts of a shard when they are due: plain ones, and those with injected faults."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from producer.send.delivery import Delivery
from producer.send.fault_truth import Truth
from producer.send.pacing import TICK_S, Pacer
from producer.send.supply import Marks, Part
from schemas.faults import OUT_OF_ORDER


class Sending:
    """How far a shard has been sent.

    ``next`` is the sequence that follows the last one that is settled. ``unsent`` are events of a part that was cut
    off, which others of it overtook; ``copies_unsent`` are the events whose second record was cut off.

    :param landed: the sequence after the last that landed in earlier attempts.
    :param observe: called after each step, to note figures.
    """

    def __init__(
        self,
        delivery: Delivery,
        pacer: Pacer,
        truth: Truth,
        *,
        landed: int,
        stop: threading.Event,
        observe: Callable[[], None],
    ) -> None:
        self._delivery = delivery
        self._pacer = pacer
        self._truth = truth
        self._landed = landed
        self._stop = stop
        self._observe = observe
        self.next = 0
        self.unsent: list[int] = []
        self.copies_unsent: list[int] = []

    def send(self, part: Part) -> bool:
        """Send one part; return whether to go on."""
        place, size = 0, len(part.values)
        delivery, pacer = self._delivery, self._pacer
        if size and part.sequences[0] >= self._landed:
            pacer.caught_up()
        if part.marks is not None:
            return self._send_marked(part, part.marks)
        while place < size:
            if self._stop.is_set() or delivery.broken or pacer.over():
                return False
            due = min(pacer.allowance(), size - place)
            if due:
                went = self._hand_over(part, place, due)
                pacer.took(went)
                place += went
                if went:
                    self.next = int(part.sequences[place - 1]) + 1
            delivery.poll(0.0 if due else TICK_S)
            self._observe()
        return True

    def _send_marked(self, part: Part, marks: Marks) -> bool:
        """Send one part with injected faults; return whether to go on.

        A record that settles no further sequence has no slot in the schedule: a copy, or an event that was held back.
        It goes with the record before it. When the schedule or the time is over, those that are due still go.
        """
        self._truth.note(marks.truth)
        place, size = 0, len(part.values)
        delivery, pacer = self._delivery, self._pacer
        # reached[i] is where the records before i reach.
        reached = np.maximum.accumulate(np.concatenate([[self.next], marks.reach]))
        own = ~marks.copies & (marks.reach > reached[:-1])
        alone = np.union1d(np.flatnonzero(~own), list(marks.special)).astype(np.int64)
        over = False
        while place < size and not (self._stop.is_set() or delivery.broken):
            if not over and own[place] and pacer.over():
                over = True
                # What is held back waits for an event that does not come any more: it goes in its order.
                left, first = part.sequences[place:], ~own[place:] & ~marks.copies[place:]
                self._truth.take_back(OUT_OF_ORDER, left[first])
            if over and (own[place] or part.sequences[place] >= self.next):
                place = size if not (rest := self._still_due(part, own, place)) else rest
                continue
            due = pacer.allowance() if own[place] else 1
            if due:
                until = int(alone[np.searchsorted(alone, place)]) if len(alone) and alone[-1] >= place else size
                went = self._hand_over_marked(part, marks, place, max(1, min(due, until - place)))
                place += went
                if went and own[place - 1]:
                    settled = int(reached[place])
                    # What landed earlier has had its slots; what was dropped between two events has one of its own.
                    new = settled - max(self.next, self._landed)
                    pacer.took(new if part.sequences[place - 1] >= self._landed else went)
                    self.next = settled
            delivery.poll(0.0 if due else TICK_S)
            self._observe()
        if place == size and not over:
            self.next = max(self.next, marks.until)
            return True
        if place < size:
            left, copies = part.sequences[place:], marks.copies[place:]
            self.unsent = [int(sequence) for sequence in left[~copies] if sequence < self.next]
            self.copies_unsent = left[copies].tolist()
        return False

    def _still_due(self, part: Part, own: NDArray[np.bool_], place: int) -> int | None:
        """Return the next record that goes although the run is over: one whose place in the order has passed."""
        due = np.flatnonzero(~own[place:] & (part.sequences[place:] < self.next))
        return place + int(due[0]) if len(due) else None

    def _hand_over_marked(self, part: Part, marks: Marks, place: int, many: int) -> int:
        """Hand over one special record, or ``many`` plain ones, and return how many went."""
        if place not in marks.special:
            return self._hand_over(part, place, many)
        sequence, copy = int(part.sequences[place]), bool(marks.copies[place])
        value, identity = marks.special[place].value, marks.special[place].identity
        return int(self._delivery.send_special(sequence, part.keys[place], value, identity, copy=copy))

    def _hand_over(self, part: Part, place: int, many: int) -> int:
        """Hand over ``many`` plain events, and return how many went."""
        events = part.cut(place, place + many)
        due = self._pacer.intended(many)
        return self._delivery.send(events.sequences, events.keys, events.values, due, ids=events.ids)
