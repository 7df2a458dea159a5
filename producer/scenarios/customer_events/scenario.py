"""The scenario: a block is who (population), what (catalogue), then sessions, then columns, in order of event time."""

from __future__ import annotations

import datetime as dt
from importlib.metadata import version

import numpy as np
import pyarrow as pa

from cluster.errors import Misconfigured
from producer.arrays import taken, timestamps
from producer.ids import numbered
from producer.scenarios import NOTHING_MORE, Asked, Identity, Settings
from producer.scenarios.customer_events import columns
from producer.scenarios.customer_events.catalogue import build_catalogue
from producer.scenarios.customer_events.population import build_population
from producer.scenarios.customer_events.sessions import EVENT_TYPES, SPAN_MS, Events, draw_events
from producer.scenarios.customer_events.story import Story, in_order_of_time, tell

BLOCK_EVENTS = 65_536
# Event time may reach back ten years: 10,950 blocks, 717 million events for a shard.
HORIZON_MS = 10 * 365 * 86_400_000
MAX_BLOCKS = HORIZON_MS // SPAN_MS
_BLOCK_STREAM = 3
_DAY_MS = 86_400_000


class CustomerEvents:
    """Customers of a media streaming service who browse, search and play."""

    name = "customer_events"
    version = 1
    contract = "customer_events"
    key = "user_id"
    identity: Identity = "field"
    options: frozenset[str] = frozenset()
    pace = 0.0
    mix = "event_type"
    event_time = "timestamp"
    most = MAX_BLOCKS * BLOCK_EVENTS

    def settings(
        self, planned: int | None, started_at_ms: int, _asked: Asked = NOTHING_MORE
    ) -> dict[str, int | float | str | None]:
        """Return block size and start of event time.

        Blocks are of equal size, so that the last one is as complete as the others. Event time ends when the run
        starts: nothing is dated later than it is sent, and the newest events are fresh. A run without a known number
        of events begins as long ago as it is allowed to.

        :raises Misconfigured: more events than fit between the horizon and now.
        """
        if planned is not None and planned > self.most:
            raise Misconfigured(
                f"a shard of {self.name} holds at most {self.most:,} events, {planned:,} were asked for",
                hint=f"Use at least {-(-planned // self.most)} times as many shards",
            )
        blocks = MAX_BLOCKS if planned is None else max(1, -(-planned // BLOCK_EVENTS))
        block_events = BLOCK_EVENTS if planned is None else max(1, -(-planned // blocks))
        return {
            "block_events": block_events,
            "event_time_start_ms": started_at_ms - blocks * SPAN_MS,
            **self.libraries(),
        }

    def libraries(self) -> dict[str, str]:
        """Return the versions that the numbers depend on: NumPy allows itself to change streams between them."""
        return {"numpy": version("numpy"), "faker": version("faker")}

    def open(self, seed: int, shard: int, settings: Settings) -> CustomerStream:
        """Build the catalogue and the customers of one shard (about half a second)."""
        start_ms = settings["event_time_start_ms"]
        block_events = settings["block_events"]
        if not isinstance(start_ms, int) or not isinstance(block_events, int):
            raise Misconfigured("the settings of customer_events lack event_time_start_ms or block_events")
        return CustomerStream(seed, shard, start_ms, block_events)


class CustomerStream:
    """The events of one shard. Blocks may be asked for in any order and by any thread."""

    def __init__(self, seed: int, shard: int, event_time_start_ms: int, block_events: int) -> None:
        start = dt.datetime.fromtimestamp(event_time_start_ms / 1000, dt.UTC)
        self.block_events = block_events
        self.limit = MAX_BLOCKS * block_events
        self._seed = seed
        self._shard = shard
        self._start_ms = event_time_start_ms
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
        events = draw_events(rng, self.population, self.catalogue, half=number % 2, count=self.block_events)
        return self._columns(rng, number, *in_order_of_time(*tell(rng, events, self.catalogue)))

    def _columns(self, rng: np.random.Generator, number: int, events: Events, story: Story) -> pa.RecordBatch:
        """Return the columns of the contract, in its order, without ``event_id``."""
        epoch_ms = self._start_ms + number * SPAN_MS
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
                taken(self.population.subscriptions, events.user),
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
            names=[
                "event_type",
                "user_id",
                "session_id",
                "timestamp",
                "device",
                "location",
                "content",
                "subscription",
                "details",
                "actions",
                "recommendations",
                "search_history",
            ],
        )
