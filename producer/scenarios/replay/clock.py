"""The original timing of a replay: the order and the times of its events, on a clock that all feeds of a run share.

Arrays of eight bytes a row lie beside the staged copy and are mapped, so that a shard of any size takes little memory
once they are made; making one takes all of it at once.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cluster.errors import Misconfigured
from producer.scenarios.replay.staged.copy import Staged, StagedShard
from producer.scenarios.replay.staged.storing import sync, writing
from producer.scenarios.replay.staged.times import MOST_MS
from producer.shapes.recorded import Clock, RecordedSchedule

Numbers = NDArray[np.int64]
_NUMBER = re.compile(r"-?[0-9]{1,19}")


def epoch_ms(text: str) -> int:
    """Return the milliseconds since 1970 of an event time: ISO 8601, in UTC unless it says otherwise, or milliseconds.

    :raises Misconfigured: it is neither.
    """
    wrong = Misconfigured(
        f"clock_from is {text!r}, which is no time", hint="Write it as 2017-10-01T03:00:00Z, or in milliseconds"
    )
    if _NUMBER.fullmatch(text):
        if abs(int(text)) > MOST_MS:
            raise wrong
        return int(text)
    try:
        told = dt.datetime.fromisoformat(text)
    except ValueError:
        raise wrong from None
    at = told if told.tzinfo else told.replace(tzinfo=dt.UTC)
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def in_order_of_time(staged: Staged, shard: int, shards: int) -> Numbers | None:
    """Return the rows of a shard in the order of their times, those of one time as in the files; ``None`` if they are.

    :raises Misconfigured: no field is known to be the event's time.
    """
    rows = _timed(staged).shard(shard, shards)
    if rows.in_order or not rows.rows:
        return None
    name = f"order-{shard}-of-{shards}.i64"
    return _kept(staged.folder / name, rows.rows, lambda: np.argsort(_times(rows), kind="stable"))


def schedule_of(staged: Staged, shard: int, shards: int, order: Numbers | None, clock: Clock) -> RecordedSchedule:
    """Return when the events of a shard are due.

    One that is behind a later one in the order is due with that one.
    """
    rows = staged.shard(shard, shards)
    name = f"due-{shard}-of-{shards}{'' if order is None else '-by-time'}.i64"

    def running() -> Numbers:
        times = _times(rows)
        return np.asarray(np.maximum.accumulate(times if order is None else times[order]))

    return RecordedSchedule(_kept(staged.folder / name, rows.rows, running), clock)


def clock_of(copies: Sequence[Staged], *, speed: float, longest_gap_s: float | None, begin_ms: int | None) -> Clock:
    """Return the clock of several copies: their earliest time is second 0, unless another one is told.

    :raises Misconfigured: no row has a time.
    """
    if longest_gap_s is None:
        ranges = [found for staged in copies if (found := _timed(staged).whole.event_time_range) is not None]
        parts: Iterator[Numbers] = (np.array(found, dtype=np.int64) for found in ranges)
    else:
        parts = (part for staged in copies for part in _blocks(_timed(staged).whole))
    try:
        return Clock.of(parts, speed=speed, longest_gap_s=longest_gap_s, begin_ms=begin_ms)
    except ValueError:
        raise Misconfigured("no row has an event time", hint="Leave --speed out, or give a --rate") from None


def _timed(staged: Staged) -> Staged:
    if staged.index.event_time is None:
        raise Misconfigured(
            "no field is known to be the event's time, so that there is no original timing",
            where=str(staged.folder),
            hint="Name it as event_time in the scenario's file",
        )
    return staged


def _blocks(rows: StagedShard) -> Iterator[Numbers]:
    size = rows.staged.index.block_events
    for first in range(0, rows.rows, size):
        yield rows.event_times(first, min(first + size, rows.rows))


def _times(rows: StagedShard) -> Numbers:
    found = np.zeros(rows.rows, dtype=np.int64)
    first = 0
    for part in _blocks(rows):
        found[first : first + len(part)] = part
        first += len(part)
    return found


def _kept(path: Path, many: int, make: Callable[[], Numbers]) -> Numbers:
    """Return an array of so many numbers that is mapped from a file, made now unless it is there and whole.

    :raises StoreFull: no room for it.
    :raises StoreFailed: it cannot be written.
    """
    if not many:
        return np.zeros(0, dtype=np.int64)
    if not path.exists() or path.stat().st_size != 8 * many:
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        with writing(path.parent):
            try:
                with unfinished.open("wb") as file:
                    file.write(make().astype(np.int64).data)
                sync(unfinished)
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
    return np.memmap(path, dtype=np.int64, mode="r")
