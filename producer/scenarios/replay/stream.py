"""The events of a shard: rows of the staged copy in the order of the files or of time, and when each is due."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import pyarrow as pa

from producer.scenarios import BaseStream, Settings
from producer.scenarios.replay.clock import clock_of, epoch_ms, in_order_of_time, schedule_of
from producer.scenarios.replay.options import CLOCK_FROM, LONGEST_GAP, ORDER, SPEED, TIME_ORDER
from producer.scenarios.replay.staged.copy import Staged
from producer.shapes import Schedule

# Setting: the contents whose times the clock counts, beside its own.
CLOCK_OF = "clock_of"


class ReplayStream(BaseStream):
    """The rows of one shard. Blocks may be asked for in any order and by any thread.

    :param copy_of: gives the copies that share the clock, by what they are known by.
    """

    def __init__(
        self,
        staged: Staged,
        shard: int,
        shards: int,
        settings: Settings,
        copy_of: Callable[[str], Staged] | None = None,
    ) -> None:
        self.rows = staged.shard(shard, shards)
        self.limit = self.rows.rows
        self.block_events = staged.index.block_events
        self._place = (staged, shard, shards)
        self._settings = settings
        self._copy_of = copy_of
        self._order = in_order_of_time(*self._place) if settings.get(ORDER) == TIME_ORDER else None

    def block(self, number: int) -> pa.RecordBatch:
        """Return block ``number`` in the order of the files, or of time; the last may be shorter."""
        first, end = number * self.block_events, min((number + 1) * self.block_events, self.limit)
        if self._order is None:
            return self.rows.read(first, end)
        return self.rows.take(np.asarray(self._order[first:end]))

    @cached_property
    def due(self) -> Schedule | None:  # type: ignore[override]
        """When each row is due where a speed is asked for.

        :raises Misconfigured: a copy that shares the clock is not here, or no row has a time.
        """
        speed = self._settings.get(SPEED)
        if speed is None:
            return None
        contents = [content for content in str(self._settings.get(CLOCK_OF) or "").split(",") if content]
        others = [self._copy_of(content) for content in contents] if self._copy_of is not None else []
        gap, begin = self._settings.get(LONGEST_GAP), self._settings.get(CLOCK_FROM)
        clock = clock_of(
            [self._place[0], *others],
            speed=float(speed),
            longest_gap_s=None if gap is None else float(gap),
            begin_ms=None if begin is None else epoch_ms(str(begin)),
        )
        return schedule_of(*self._place, self._order, clock)
