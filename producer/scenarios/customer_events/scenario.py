"""The scenario: a block is who (population), what (catalogue), then sessions, then columns, in order of event time."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa

from cluster.errors import Misconfigured
from producer.faults.targets import FaultTargets
from producer.scenarios import NOTHING_MORE, Asked, BaseScenario, BaseStream, Examined, Identity, Rule, Settings
from producer.scenarios.customer_events import columns
from producer.scenarios.customer_events.behaviour.sessions import EVENT_TYPES, SESSION_MS, Events, draw_events
from producer.scenarios.customer_events.behaviour.story import Story, in_order_of_time, tell
from producer.scenarios.customer_events.next_version import later_columns
from producer.scenarios.customer_events.options import OPTIONS
from producer.scenarios.customer_events.world.catalogue import build_catalogue
from producer.scenarios.customer_events.world.daytime import Daytime, window
from producer.scenarios.customer_events.world.population import build_population
from producer.toolkit.arrays import taken, timestamps
from producer.toolkit.ids import numbered

BLOCK_EVENTS = 65_536
# Event time of a block at average activity, and the events that the customers of a shard then make at most.
SPAN_MS = 8 * 3_600_000
# Event time may reach back ten years: 10,950 blocks, 717 million events for a shard.
HORIZON_MS = 10 * 365 * 86_400_000
MAX_BLOCKS = HORIZON_MS // SPAN_MS
_BLOCK_STREAM = 3
_DAY_MS = 86_400_000


class CustomerEvents(BaseScenario):
    """Customers of a media streaming service who browse, search and play."""

    name = "customer_events"
    version = 2
    contract = "customer_events"
    key = "user_id"
    identity: Identity = "field"
    options = OPTIONS
    mix = "event_type"
    event_time = "timestamp"
    fault_targets = FaultTargets(
        event_time="timestamp", duration="details.play_duration", choice="event_type", choices=EVENT_TYPES
    )
    most = MAX_BLOCKS * BLOCK_EVENTS

    def settings(
        self, planned: int | None, started_at_ms: int, asked: Asked = NOTHING_MORE
    ) -> dict[str, int | float | str | None]:
        """Return block size and the start and end of event time.

        Blocks are of equal size, so that the last one is as complete as the others. Event time ends when the run
        starts: nothing is dated later than it is sent, and the newest events are fresh. A run without a known number
        of events begins as long ago as it is allowed to.

        :raises Misconfigured: more events than fit between the horizon and now, or a time compression that the
            customers of a shard cannot fill with events.
        """
        if planned is not None and planned > self.most:
            raise Misconfigured(
                f"a shard of {self.name} holds at most {self.most:,} events, {planned:,} were asked for",
                hint=f"Use at least {-(-planned // self.most)} times as many shards",
            )
        blocks, block_events, span_ms = _compressed(planned, asked) or _evenly(planned)
        return {
            "block_events": block_events,
            "block_span_ms": span_ms,
            "event_time_start_ms": Daytime(started_at_ms).start_ms(started_at_ms, blocks * span_ms),
            "event_time_end_ms": started_at_ms,
            **self.libraries(),
        }

    def libraries(self) -> dict[str, str]:
        """Return the versions that the numbers depend on: NumPy allows itself to change streams between them."""
        return {"numpy": version("numpy"), "faker": version("faker"), "tzdata": version("tzdata")}

    def open(self, seed: int, shard: int, settings: Settings) -> CustomerStream:
        """Build the catalogue and the customers of one shard (about half a second)."""
        start_ms, end_ms = settings["event_time_start_ms"], settings["event_time_end_ms"]
        block_events, span_ms = settings["block_events"], settings["block_span_ms"]
        if not (isinstance(start_ms, int) and isinstance(end_ms, int) and isinstance(block_events, int)):
            raise Misconfigured("the settings of customer_events lack event_time_start_ms or block_events")
        return CustomerStream(
            seed,
            shard,
            event_time_start_ms=start_ms,
            event_time_end_ms=end_ms,
            block_events=block_events,
            span_ms=float(span_ms or SPAN_MS),
        )

    def examine(
        self, connection: Any, source: str, run: Examined, progress: Callable[[Rule], None] | None = None, /
    ) -> dict[str, Any]:
        """Check events of one run against docs/realism.md, and fit the distributions that it declares."""
        from producer.scenarios.customer_events.realism.examine import examine  # deferred: to generate takes none of it

        found = examine(connection, source, seed=run.seed, sent_at=run.sent_at, began=run.began, progress=progress)
        return found.document()


def _evenly(planned: int | None) -> tuple[int, int, float]:
    """Return the number of blocks, their events, and their span when nothing is asked for."""
    blocks = MAX_BLOCKS if planned is None else max(1, -(-planned // BLOCK_EVENTS))
    block_events = BLOCK_EVENTS if planned is None else max(1, -(-planned // blocks))
    return blocks, block_events, float(SPAN_MS)


def _compressed(planned: int | None, asked: Asked) -> tuple[int, int, float] | None:
    """Return the same for a time compression: how much faster event time passes than sending, at the asked rate.

    :raises Misconfigured: without a rate, or with more events in a time than the customers of a shard make.
    """
    compression = asked.options.get("time_compression")
    if compression is None:
        return None
    if not isinstance(compression, int | float) or not compression > 0 or not asked.rate > 0:
        raise Misconfigured(
            f"time compression {compression} needs a number above 0 and a rate",
            hint="Give --rate with --time-compression",
        )
    per_ms = asked.rate / asked.shards / compression / 1000
    if per_ms * SPAN_MS > BLOCK_EVENTS:
        least = compression * per_ms * SPAN_MS / BLOCK_EVENTS
        raise Misconfigured(
            f"time compression {compression:g} asks the customers of a shard for {per_ms * SPAN_MS:,.0f} events in "
            f"eight hours; they make {BLOCK_EVENTS:,}",
            hint=f"Use a time compression of at least {math.ceil(least):,}, or {math.ceil(least / compression)} times "
            "as many shards",
        )
    block_events = max(1, int(per_ms * SPAN_MS))
    if planned is not None and planned <= block_events:
        block_events = max(1, planned)
    blocks = MAX_BLOCKS if planned is None else max(1, -(-planned // block_events))
    return min(blocks, MAX_BLOCKS), block_events, block_events / per_ms


class CustomerStream(BaseStream):
    """The events of one shard. Blocks may be asked for in any order and by any thread."""

    def __init__(
        self,
        seed: int,
        shard: int,
        *,
        event_time_start_ms: int,
        event_time_end_ms: int,
        block_events: int,
        span_ms: float,
    ) -> None:
        start = dt.datetime.fromtimestamp(event_time_start_ms / 1000, dt.UTC)
        self.block_events = block_events
        self.limit = MAX_BLOCKS * block_events
        self._seed = seed
        self._shard = shard
        self._start_ms = event_time_start_ms
        self._span_ms = span_ms
        self._daytime = Daytime(event_time_end_ms)
        self.catalogue = build_catalogue(seed, before_year=start.year)
        self.population = build_population(
            seed,
            shard,
            genre_weights=self.catalogue.genre_weights,
            first_day=event_time_start_ms // _DAY_MS,
        )

    def block(self, number: int) -> pa.RecordBatch:
        """Return block ``number``: ``block_events`` rows in order of event time, without ``event_id``."""
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, self._shard, number, _BLOCK_STREAM]))
        bounds = self._daytime.bounds_ms(self._start_ms, number, self._span_ms)
        opened = window(*bounds, lead_ms=SESSION_MS)
        drawn = draw_events(rng, self.population, self.catalogue, opened, half=number % 2, count=self.block_events)
        told = tell(rng, drawn, self.catalogue)
        del drawn  # columns take as much room again
        events, story = in_order_of_time(*told)
        del told
        return self._columns(rng, number, bounds[0], events, story)

    def later_columns(self, number: int, block: pa.RecordBatch) -> dict[str, Any]:
        """Return what later versions of the schema add to block ``number``."""
        return later_columns(self._seed, self._shard, number * self.block_events, block)

    def _columns(
        self, rng: np.random.Generator, number: int, epoch_ms: int, events: Events, story: Story
    ) -> pa.RecordBatch:
        """Return the columns of the contract, in its order, without ``event_id``."""
        prefix = f"{self._shard:03x}-{number:05x}-"
        offered, clicked = columns.recommendations(
            rng, self.catalogue, offered=story.offered, own=events.content, opened=story.opened
        )
        return pa.RecordBatch.from_arrays(
            [
                taken(pa.array(EVENT_TYPES), events.kind),
                taken(self.population.user_ids, events.user),
                numbered(f"s{prefix}", events.session, 5),
                timestamps(events.at_ms + epoch_ms),
                taken(self.population.device_pool, events.device),
                taken(self.population.location_pool, self.population.city[events.user]),
                taken(self.catalogue.contents, events.content, missing=events.content < 0),
                taken(self.population.subscriptions, events.subscription),
                columns.details(events.plays, events.play, events.network),
                columns.actions(events.plays, events.play, events.at_ms, clicked, epoch_ms),
                offered,
                columns.searches(
                    self.catalogue,
                    first=story.first_search,
                    lengths=story.searches,
                    query=story.query,
                    moment=story.searched_ms + epoch_ms,
                    numbers=np.arange(len(story.query)),
                    prefix=f"q{prefix}",
                ),
            ],
            names=list(columns.NAMES),
        )
