"""Putting faults into a block of events, and saying exactly which events got one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from producer.faults import alter
from producer.faults.choice import Choice, placed, skew_s
from producer.faults.spec import Fault
from producer.faults.targets import FaultTargets, possible
from producer.toolkit.chance import chances
from schemas.faults import DROPPED, DUPLICATE, HOT_KEY, KINDS, LATE, OUT_OF_ORDER, TOMBSTONE
from schemas.formats import Breaker

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_KIND_NAMES = tuple(KINDS)
_NONE = -1
_FUTURE, _NEGATIVE, _TEXT = "altered.future_date", "altered.negative_duration", "altered.unknown_text"
_NOT_UTF8 = "undecodable.invalid_utf8"
# Rows that are encoded and sent as one part: large enough to be quick, small enough that the first event leaves soon.
# No fault moves a record out of its part.
SLICE_ROWS = 8192
# A copy follows within so many events.
_COPY_WITHIN = 50
_LEAST_LATE_MS = 60_000
_MOST_LATE_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Injected:
    """A block of events as it is sent.

    ``rows`` are the rows of ``block`` in the order of sending, ``copies`` marks those that are sent a second time.
    Once record ``i`` is handed over, every row below ``reach[i]`` is sent, left out on purpose, or still to come.
    ``broken`` gives the kind of each row whose value is taken away or made undecodable. ``truth`` has the sequences
    of each kind.
    """

    block: pa.RecordBatch
    rows: Ints
    copies: Bools
    reach: Ints
    broken: dict[int, str] = field(default_factory=dict)
    truth: dict[str, Ints] = field(default_factory=dict)

    def within(self, start: int, end: int) -> slice:
        """Return which records belong to the rows ``[start, end)``, a part."""
        part = self.rows // SLICE_ROWS
        return slice(*np.searchsorted(part, [start // SLICE_ROWS, -(-end // SLICE_ROWS)]).tolist())


class Injector:
    """The faults of one shard.

    :param target: events of this shard, ``None`` when only time or a signal ends it.
    :param break_value: makes a value undecodable, in the ways that ``breaks`` names.
    :raises Misconfigured: the scenario has nothing to put a fault into, or a number of faults cannot be spread.
    """

    def __init__(
        self,
        faults: tuple[Fault, ...],
        targets: FaultTargets,
        *,
        scenario: str,
        key: str | None,
        seed: int,
        shard: int,
        shards: int,
        target: int | None,
        break_value: Breaker,
        breaks: Collection[str],
    ) -> None:
        kinds = possible(faults, targets, scenario, breaks=breaks, has_key=key is not None)
        self._choice = Choice(faults, kinds, seed, shard, shards, target)
        self.targets = targets
        self._break_value = break_value
        self._key = key
        self._seed = seed
        self._shard = shard
        self._late_mean_s = next((fault.seconds or 0.0 for fault in faults if fault.name == LATE), 0.0)
        self.skew_s = skew_s(faults, seed, shard, shards)

    def inject(self, block: pa.RecordBatch, first: int, count: int) -> Injected:
        """Put the faults into the first ``count`` rows of a block that begins with sequence ``first``.

        1. choose: each row has one fault at most; one that cannot be put into its row moves to the next that can
        2. alter: what changes the event itself
        3. order: what changes when, and how often, it is sent
        """
        block = block.slice(0, count)
        # 1. choose
        kind, partner = self._choose(block, first)
        # 2. alter
        block = self._altered(block, first, kind)
        # 3. order
        rows, copies = self._order(kind, partner, first)
        dropped = kind == _number(DROPPED)
        truth = {_KIND_NAMES[n]: np.flatnonzero(kind == n) + first for n in np.unique(kind[kind != _NONE]).tolist()}
        broken_kinds = [n for n, name in enumerate(_KIND_NAMES) if name == TOMBSTONE or name.startswith("undecodable.")]
        broken = {int(row): _KIND_NAMES[kind[row]] for row in np.flatnonzero(np.isin(kind, broken_kinds))}
        return Injected(block, rows, copies, _reach(rows, dropped), broken, truth)

    def broken_value(self, kind: str, value: bytes, sequence: int) -> bytes | None:
        """Return what is sent instead of a value: ``None`` for a tombstone."""
        if kind == TOMBSTONE:
            return None
        chance = float(self._chance("value", np.array([sequence]))[0])
        return self._break_value(kind, value, chance)

    def _choose(self, block: pa.RecordBatch, first: int) -> tuple[Ints, Ints]:
        """Return the number of each row's kind, and for each row the next one of its key, -1 for none."""
        size = len(block)
        wanted = self._choice.of(first, size)
        kind = np.full(size, _NONE, dtype=np.int64)
        partner = np.full(size, -1, dtype=np.int64)
        altered = {_NEGATIVE: self.targets.duration, _TEXT: self.targets.choice, _FUTURE: self.targets.date}
        for name in KINDS:
            rows = wanted.get(name)
            if rows is None or not len(rows):
                continue
            open_rows = kind == _NONE
            if name == OUT_OF_ORDER:
                partner = _next_of_key(block, self._key or "")
                open_rows &= (partner >= 0) & (partner // SLICE_ROWS == np.arange(size) // SLICE_ROWS)
                open_rows[open_rows] &= kind[partner[open_rows]] == _NONE
            elif name == LATE:
                open_rows &= np.arange(size) > 0
            elif name == _NOT_UTF8:
                open_rows &= alter.has_text(block, self.targets.text or "")
            elif path := altered.get(name):
                open_rows &= alter.has_value(block, path)
            rows = _held(rows, open_rows, partner) if name == OUT_OF_ORDER else placed(rows, open_rows)
            kind[rows] = _number(name)
        return self._with_a_clean_one_before(kind), partner

    @staticmethod
    def _with_a_clean_one_before(kind: Ints) -> Ints:
        """Take lateness back where no event before it shows the time."""
        late = np.flatnonzero(kind == _number(LATE))
        clean = _shows_time(kind)
        first_clean = int(np.argmax(clean)) if clean.any() else len(kind)
        kind[late[late < first_clean]] = _NONE
        return kind

    def _altered(self, block: pa.RecordBatch, first: int, kind: Ints) -> pa.RecordBatch:
        present = set(np.unique(kind).tolist())

        def rows_of(name: str) -> Bools | None:
            return kind == _number(name) if _number(name) in present else None

        targets = self.targets
        if (rows := rows_of(_NEGATIVE)) is not None and targets.duration:
            block = alter.with_negative(block, targets.duration, rows)
        if (rows := rows_of(_TEXT)) is not None and targets.choice:
            block = alter.with_text(block, targets.choice, rows, alter.unknown_text(targets.choices))
        if (rows := rows_of(HOT_KEY)) is not None:
            block = alter.with_hot_key(block, self._key or "", rows)
        by_ms = np.full(len(block), round(1000 * self.skew_s), dtype=np.int64)
        ahead_ms = by_ms.copy()
        if (rows := rows_of(_FUTURE)) is not None:
            ahead_ms[rows] += alter.CENTURY_MS
        if targets.event_time and rows_of(LATE) is not None:
            by_ms -= self._lateness_ms(alter.milliseconds(block, targets.event_time), first, kind)
        if targets.event_time == targets.date:
            by_ms = by_ms + ahead_ms - round(1000 * self.skew_s)
        elif targets.date and ahead_ms.any():
            block = alter.moved(block, targets.date, ahead_ms)
        return alter.moved(block, targets.event_time, by_ms) if targets.event_time and by_ms.any() else block

    def _lateness_ms(self, times: Ints, first: int, kind: Ints) -> Ints:
        """Return how far each event goes back: late ones behind the newest before, a minute and more; others by 0."""
        late = np.flatnonzero(kind == _number(LATE))
        shown = np.where(_shows_time(kind), times, np.iinfo(np.int64).min)
        newest = np.maximum.accumulate(shown)
        chance = self._chance("late/by", late + first)
        behind = _LEAST_LATE_MS + np.rint(-1000 * self._late_mean_s * np.log1p(-chance)).astype(np.int64)
        lateness = np.zeros(len(times), dtype=np.int64)
        lateness[late] = times[late] - newest[late - 1] + np.minimum(behind, _MOST_LATE_MS)
        return lateness

    def _order(self, kind: Ints, partner: Ints, first: int) -> tuple[Ints, Bools]:
        """Return the rows in the order of sending, and which of these records are copies."""
        size = len(kind)
        place = np.arange(size, dtype=np.float64)
        held = kind == _number(OUT_OF_ORDER)
        place[held] = partner[held] + 0.5
        sent = np.flatnonzero(kind != _number(DROPPED))
        twice = np.flatnonzero(kind == _number(DUPLICATE))
        gap = 1 + (self._chance("duplicate/gap", twice + first) * _COPY_WITHIN).astype(np.int64)
        last = np.minimum((twice // SLICE_ROWS + 1) * SLICE_ROWS, size) - 1
        copy_place = np.minimum(twice + gap, last) + 0.75
        rows = np.concatenate([sent, twice])
        order = np.argsort(np.concatenate([place[sent], copy_place]), kind="stable")
        copies = np.arange(len(rows)) >= len(sent)
        return rows[order], copies[order]

    def _chance(self, stream: str, sequences: Ints) -> NDArray[np.float64]:
        return chances(self._seed, self._shard, stream, sequences)


def _held(wanted: Ints, open_rows: Bools, partner: Ints) -> Ints:
    """Return which rows are held back, so that none of them is what another waits for."""
    rows = np.zeros(0, dtype=np.int64)
    while len(wanted):
        fresh = placed(wanted, open_rows)
        clash = np.isin(partner[fresh], fresh)
        rows = np.union1d(rows, fresh[~clash])
        open_rows = open_rows.copy()
        open_rows[rows] = False
        open_rows[partner[rows]] = False
        open_rows &= ~np.isin(partner, rows)
        # Those of a clash move on; where nothing is open any more, they are left out.
        wanted = fresh[clash] if open_rows.any() else fresh[:0]
    return rows


def _number(name: str) -> int:
    return _KIND_NAMES.index(name)


def _shows_time(kind: Ints) -> Bools:
    """Return the rows whose event arrives, readable, with its right time."""
    hidden = [
        number
        for number, name in enumerate(_KIND_NAMES)
        if name in (DROPPED, TOMBSTONE, LATE, _FUTURE) or name.startswith("undecodable.")
    ]
    return ~np.isin(kind, hidden)


def _next_of_key(block: pa.RecordBatch, key: str) -> Ints:
    """Return for each row the next one with the same key, -1 where there is none."""
    codes: Ints = block.column(key).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    following = np.full(len(codes), -1, dtype=np.int64)
    same = codes[order[1:]] == codes[order[:-1]]
    following[order[:-1][same]] = order[1:][same]
    return following


def _reach(rows: Ints, dropped: Bools) -> Ints:
    """Return for each record the row after the last that is settled with it: its own, and dropped ones behind it."""
    if not len(rows):
        return rows
    size = len(dropped)
    # The next row at or behind each that is not dropped.
    kept = np.where(dropped, size, np.arange(size))
    next_kept = np.append(np.minimum.accumulate(kept[::-1])[::-1], size)
    reach: Ints = np.maximum.accumulate(next_kept[rows + 1])
    return reach
