"""The scenario: a block is a number of whole visits, laid beside each other in time, in order of time."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cluster.errors import Misconfigured
from producer.faults.targets import FaultTargets
from producer.scenarios import NOTHING_MORE, Asked, BaseScenario, BaseStream, Examined, Identity, Rule, Settings
from producer.scenarios.shop_events.baskets import NAMES, SIGMA, VIEW, draw_visits, medians_s
from producer.scenarios.shop_events.options import OPTIONS
from producer.scenarios.shop_events.shop import SHOPPERS, draw_looked_at, draw_products, draw_shoppers
from producer.toolkit.arrays import strings, taken
from producer.toolkit.draws import spread
from producer.toolkit.past import begins_at_ms
from producer.toolkit.visits import draw_distinct, in_order_of_time, whole_visits
from schemas.formats import PLAIN_JSON_NAME

Ints = NDArray[np.int64]

BLOCK_EVENTS = 16_384
PACE = 2.0  # events a second and shard: the program that this replaces waits up to half a second after each
STEP_MS = 500  # event time between two events of a shard, at that pace
HORIZON_MS = 10 * 365 * 86_400_000
MAX_BLOCKS = HORIZON_MS // (BLOCK_EVENTS * STEP_MS)
_LEAD_S = 60.0
_VISITS, _SHOPPERS, _BLOCK, _PRODUCTS = range(4)


class ShopEvents(BaseScenario):
    """Shoppers of a web shop, by what they do with its products."""

    name = "shop_events"
    version = 1
    contract = "shop_events"
    key = "userId"
    identity: Identity = "header"
    format = PLAIN_JSON_NAME
    options = OPTIONS
    pace = PACE
    mix = "eventName"
    event_time = "date"
    fault_targets = FaultTargets(event_time="date", text="productId")
    most = MAX_BLOCKS * BLOCK_EVENTS

    def settings(
        self, planned: int | None, started_at_ms: int, asked: Asked = NOTHING_MORE
    ) -> dict[str, int | float | str | None]:
        """Return the number of products and the start of event time.

        At the pace of the scenario the run is a live one; at any other rate its event time ends when it starts.

        :raises Misconfigured: more events than ten years of event time hold.
        """
        live = asked.rate == PACE * asked.shards
        begins_ms = begins_at_ms(self.name, started_at_ms, planned, most=self.most, step_ms=STEP_MS, live=live)
        return {
            "products": asked.options.get("products") or OPTIONS[0].default,
            "event_time_start_ms": begins_ms,
            **self.libraries(),
        }

    def libraries(self) -> dict[str, str]:
        """Return the version that the numbers depend on: NumPy allows itself to change streams between them."""
        return {"numpy": version("numpy")}

    def open(self, seed: int, shard: int, settings: Settings) -> ShopStream:
        """Draw the shoppers, the products and the visits (about 0.1 s)."""
        start_ms, products = settings.get("event_time_start_ms"), settings.get("products")
        if not isinstance(start_ms, int) or not isinstance(products, int):
            raise Misconfigured(f"the settings of {self.name} lack event_time_start_ms or products")
        return ShopStream(seed, shard, products, start_ms)

    def examine(
        self, connection: Any, source: str, run: Examined, progress: Callable[[Rule], None] | None = None, /
    ) -> dict[str, Any]:
        """Check events of one run against docs/realism.md, and count what it declares."""
        from producer.scenarios.shop_events.examine import examine  # deferred: to generate takes none of it

        return examine(connection, source, run, progress).document()


class ShopStream(BaseStream):
    """The events of one shard. Blocks may be asked for in any order and by any thread."""

    block_events = BLOCK_EVENTS
    limit = MAX_BLOCKS * BLOCK_EVENTS

    def __init__(self, seed: int, shard: int, products: int, start_ms: int) -> None:
        self._seed = seed
        self._shard = shard
        self._start_ms = start_ms
        self._visits = draw_visits(self._rng(0, _VISITS))
        self._shoppers = draw_shoppers(self._rng(0, _SHOPPERS), seed, shard)
        self._products = draw_products(np.random.default_rng(np.random.SeedSequence([seed, _PRODUCTS])), products)

    def block(self, number: int) -> pa.RecordBatch:
        """Return block ``number``: the columns of the contract, in its order, in order of event time."""
        rng = self._rng(number, _BLOCK)
        lengths, views, names, slots = self._whole_visits(rng)
        shoppers = draw_distinct(rng, self._shoppers.log_activity, len(lengths))
        looked_at = draw_looked_at(rng, self._products, views)
        product = looked_at[np.repeat(np.cumsum(views) - views, lengths) + slots]

        noise = rng.standard_normal(BLOCK_EVENTS, dtype=np.float32)
        stay = medians_s(names) * np.exp(np.float32(SIGMA) * noise)
        stay[np.cumsum(lengths) - 1] = 0.0
        order = in_order_of_time(rng, stay, lengths, BLOCK_EVENTS * STEP_MS / 1000, lead_s=_LEAD_S)
        numbers = number * BLOCK_EVENTS + np.arange(BLOCK_EVENTS)
        return pa.RecordBatch.from_arrays(
            [
                dates(self._start_ms + numbers * STEP_MS),
                taken(self._products.ids, product[order]),
                taken(_NAMES, names[order]),
                taken(self._shoppers.ids, np.repeat(shoppers, lengths)[order]),
            ],
            names=["date", "productId", "eventName", "userId"],
        )

    def _rng(self, number: int, purpose: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence([self._seed, self._shard, number, purpose])))

    def _whole_visits(self, rng: np.random.Generator) -> tuple[Ints, Ints, NDArray[np.int8], NDArray[np.int8]]:
        """Return the visits of a block: events and products of each, and of each event its name and its slot.

        No basket may be left filled at the end of a block, where its shopper may come again. So visits are whole; what
        is left of the block has visits that look at one product and leave.
        """
        pool = self._visits
        drawn, left = whole_visits(rng, pool.lengths, BLOCK_EVENTS)
        if len(drawn) + left > SHOPPERS:
            raise RuntimeError("a block has more visits than shoppers")
        short = np.ones(left, dtype=np.int64)
        event = spread(pool.starts[drawn], pool.lengths[drawn])
        return (
            np.concatenate([pool.lengths[drawn], short]),
            np.concatenate([pool.products[drawn], short]),
            np.concatenate([pool.names[event], np.full(left, VIEW, dtype=np.int8)]),
            np.concatenate([pool.slots[event], np.zeros(left, dtype=np.int8)]),
        )


def dates(milliseconds: Ints) -> Any:
    """Return times as ``2020-03-25T19:05:49UTC``."""
    seconds: Any = pa.array(milliseconds // 1000).cast(pa.timestamp("s")).cast(pa.string())
    width = len("2020-03-25 19:05:49")
    text = np.frombuffer(seconds.buffers()[2], dtype=np.uint8, count=len(seconds) * width).reshape(-1, width)
    zoned = np.empty((len(text), width + len(_ZONE)), dtype=np.uint8)
    zoned[:, :width], zoned[:, width:] = text, np.frombuffer(_ZONE, dtype=np.uint8)
    zoned[:, len("2020-03-25")] = ord("T")
    return strings(zoned)


_ZONE = b"UTC"
_NAMES = pa.array(NAMES)
