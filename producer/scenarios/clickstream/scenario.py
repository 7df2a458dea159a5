"""The scenario: a block is a number of sessions, laid beside each other in time, in order of time.

``globalseq`` of event ``n`` of a shard is ``n * shards + shard + 1``. Shares of a run differ by one event at most, the
larger ones first, so the numbers of a run with a known count are dense from 1, over all shards, without any shard
asking another.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.errors import Misconfigured
from producer.faults.targets import FaultTargets
from producer.scenarios import NOTHING_MORE, Asked, BaseScenario, BaseStream, Identity, Settings
from producer.scenarios.clickstream.graph import MEDIAN_S, PRODUCT_NAMES, SIGMA, STATES, draw_paths
from producer.scenarios.clickstream.options import OPTIONS
from producer.scenarios.clickstream.visitors import DEVICES, VISITORS, draw_visitors, draw_visits
from producer.toolkit.arrays import column, taken
from producer.toolkit.draws import spread
from producer.toolkit.visits import in_order_of_time

Ints = NDArray[np.int64]

BLOCK_EVENTS = 65_536
PACE = 125.0  # events a second and shard: two shards are as fast as the sample producer's two threads
STEP_MS = 8  # event time between two events of a shard, at that pace
NO_DELAY_STEP_MS = 1
MAX_BLOCKS = 10 * 365 * 86_400_000 // (BLOCK_EVENTS * STEP_MS)
_MEAN_LENGTH_AT_LEAST = 4
_PATHS, _VISITORS, _SESSIONS, _BLOCK = range(4)


class Clickstream(BaseScenario):
    """Visitors of a web shop."""

    name = "clickstream"
    version = 1
    contract = "clickstream"
    key = "userid"
    identity: Identity = "header"
    options = OPTIONS
    pace = PACE
    mix = "event_type"
    event_time = "eventtimestamp"
    fault_targets = FaultTargets(event_time="eventtimestamp", choice="event_type", choices=STATES)
    most = MAX_BLOCKS * BLOCK_EVENTS

    def settings(
        self, planned: int | None, started_at_ms: int, asked: Asked = NOTHING_MORE
    ) -> dict[str, int | float | str | None]:
        """Return number of shards and start of event time.

        At the pace of the scenario, event time is the time of sending. At any other rate it ends when the run starts,
        so that nothing is dated later than it is sent.

        :raises Misconfigured: more events than ten years of event time hold.
        """
        if planned is not None and planned > self.most:
            raise Misconfigured(
                f"a shard of {self.name} holds at most {self.most:,} events, {planned:,} were asked for"
            )
        no_delay = int(bool(asked.options.get("no_delay")))
        users = asked.options.get("users")
        live = not no_delay and asked.rate == PACE * asked.shards
        back_ms = 0 if live else (planned or 0) * (NO_DELAY_STEP_MS if no_delay else STEP_MS)
        return {
            "shards": asked.shards,
            "event_time_start_ms": started_at_ms - back_ms,
            **({"no_delay": no_delay} if no_delay else {}),
            **({"users": users} if users is not None else {}),
            **self.libraries(),
        }

    def libraries(self) -> dict[str, str]:
        """Return the version that the numbers depend on: NumPy allows itself to change streams between them."""
        return {"numpy": version("numpy")}

    def open(self, seed: int, shard: int, settings: Settings) -> ClickstreamStream:
        """Draw the visitors and the paths (about 0.1 s)."""
        start_ms, shards, users = settings["event_time_start_ms"], settings["shards"], settings.get("users")
        if not isinstance(start_ms, int) or not isinstance(shards, int) or not isinstance(users, int | None):
            raise Misconfigured("the settings of clickstream lack event_time_start_ms or shards")
        return ClickstreamStream(seed, shard, shards, start_ms, users=users, no_delay=bool(settings.get("no_delay")))


class ClickstreamStream(BaseStream):
    """The events of one shard. Blocks may be asked for in any order and by any thread."""

    block_events = BLOCK_EVENTS

    def __init__(
        self, seed: int, shard: int, shards: int, start_ms: int, *, users: int | None = None, no_delay: bool = False
    ) -> None:
        self._seed = seed
        self._shard = shard
        self._shards = shards
        self._start_ms = start_ms
        self._no_delay = no_delay
        self._step_ms = NO_DELAY_STEP_MS if no_delay else STEP_MS
        self._paths = draw_paths(self._rng(0, _PATHS))
        self._visitors = draw_visitors(self._rng(0, _VISITORS), shard, shards)
        self._last: tuple[int, int] | None = None  # of a run that ends by its users: last block, sessions in it
        self.limit = MAX_BLOCKS * BLOCK_EVENTS if users is None else self._limit(users)

    def block(self, number: int) -> pa.RecordBatch:
        """Return block ``number``: the columns of the contract, in its order, in order of event time."""
        paths, lengths = self._sessions(number)
        if self._last is not None and number == self._last[0]:
            paths, lengths = paths[: self._last[1]], lengths[: self._last[1]]
        size = int(lengths.sum())
        rng = self._rng(number, _BLOCK)
        visits = draw_visits(rng, self._visitors, len(paths))
        click = spread(self._paths.starts[paths], lengths)
        session = np.repeat(np.arange(len(paths)), lengths)
        states = self._paths.states[click]
        order = np.arange(size) if self._no_delay else self._in_order_of_time(rng, states, lengths)
        rank = np.empty(size, dtype=np.int64)
        rank[order] = np.arange(size)

        sequence = (number * BLOCK_EVENTS + np.arange(size)) * self._shards + self._shard + 1
        before = np.zeros(size, dtype=np.int64)
        before[1:] = sequence[rank[:-1]]
        before[np.cumsum(lengths) - lengths] = 0
        visit, click = session[order], click[order]
        return pa.RecordBatch.from_arrays(
            [
                taken(self._visitors.addresses, visits.address[visit]),
                column(self._start_ms + (sequence - 1) * self._step_ms // self._shards),
                taken(_DEVICE_NAMES, visits.device[visit]),
                taken(_STATE_NAMES, states[order]),
                taken(_PRODUCT_NAMES, self._paths.products[click]),
                column(visits.user[visit]),
                column(sequence),
                column(before[order]),
            ],
            names=[
                *("ip", "eventtimestamp", "devicetype", "event_type", "product_type"),
                *("userid", "globalseq", "prevglobalseq"),
            ],
        )

    def _rng(self, number: int, purpose: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence([self._seed, self._shard, number, purpose])))

    def _sessions(self, number: int) -> tuple[Ints, Ints]:
        """Return the paths of a block's sessions and how many events of each are in it: the last one breaks off."""
        rng = self._rng(number, _SESSIONS)
        paths = rng.integers(0, len(self._paths.lengths), BLOCK_EVENTS // _MEAN_LENGTH_AT_LEAST)
        lengths = self._paths.lengths[paths]
        ends = np.cumsum(lengths)
        count = int(np.searchsorted(ends, BLOCK_EVENTS)) + 1
        if count > min(len(paths), VISITORS):
            raise RuntimeError("the sessions of the graph are shorter than a block has room for")
        lengths = lengths[:count].copy()
        lengths[-1] -= ends[count - 1] - BLOCK_EVENTS
        return paths[:count], lengths

    def _limit(self, users: int) -> int:
        """Return how many events the first ``users`` sessions have."""
        number, left = 0, users
        while number < MAX_BLOCKS:
            _, lengths = self._sessions(number)
            if left <= len(lengths):
                self._last = (number, left)
                return number * BLOCK_EVENTS + int(lengths[:left].sum())
            left -= len(lengths)
            number += 1
        raise Misconfigured(f"{users:,} users are more than a shard holds", hint="Use more shards")

    def _in_order_of_time(self, rng: np.random.Generator, states: NDArray[np.int8], lengths: Ints) -> Any:
        """Return the order of the clicks of all sessions when each runs at its own time within the block.

        A session lies wholly inside its block, which is nine minutes long, with 1,500 others: the delays of a session
        are those drawn here, to a few hundredths.
        """
        noise = rng.standard_normal(len(states), dtype=np.float32)
        stay = MEDIAN_S[states] * np.exp(np.float32(SIGMA) * noise)
        stay[np.cumsum(lengths) - 1] = 0.0
        return in_order_of_time(rng, stay, lengths, BLOCK_EVENTS * STEP_MS / 1000)


_DEVICE_NAMES = pa.array(DEVICES)
_STATE_NAMES = pa.array(STATES)
_PRODUCT_NAMES = pa.array(PRODUCT_NAMES)
