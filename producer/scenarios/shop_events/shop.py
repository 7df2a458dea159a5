"""Who comes, and what there is to buy: shoppers who return, products of which some are viewed more than others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from producer.toolkit.draws import Floats, cumulative, draw
from producer.toolkit.ids import letters, scrambled

Ints = NDArray[np.int64]

SHOPPERS = 8_192  # of one shard
ACTIVITY_SIGMA = 1.2  # of the log-normal share of visits that a shopper has
POPULARITY = 0.9  # exponent of Zipf's law over the products
_ID_LENGTH = 15
_MOST_DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class Shoppers:
    """The shoppers of one shard: their ids are apart from those of every other shard of the seed."""

    ids: Any  # Arrow
    log_activity: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Products:
    """What there is to buy, the most popular first; the same for all shards."""

    ids: Any  # Arrow
    popularity: Floats  # cumulative


def draw_shoppers(rng: np.random.Generator, seed: int, shard: int) -> Shoppers:
    """Draw the shoppers of a shard."""
    return Shoppers(
        ids=scrambled(shard * SHOPPERS + np.arange(SHOPPERS), seed),
        log_activity=(ACTIVITY_SIGMA * rng.standard_normal(SHOPPERS)).astype(np.float32),
    )


def draw_products(rng: np.random.Generator, count: int) -> Products:
    """Draw the products."""
    return Products(letters(rng, count, _ID_LENGTH), cumulative(np.arange(1, count + 1) ** -POPULARITY))


def draw_looked_at(rng: np.random.Generator, products: Products, lengths: Ints) -> Ints:
    """Draw for each visit the products that it looks at, by popularity, and none twice in a visit.

    :param lengths: how many each visit looks at.
    :return: rows of the products, visit after visit.
    """
    visit = np.repeat(np.arange(len(lengths)), lengths)
    rows = draw(rng, products.popularity, len(visit))
    for _ in range(_MOST_DRAWS):
        place = np.argsort(visit * len(products.popularity) + rows, kind="stable")
        again = place[1:][(visit[place[1:]] == visit[place[:-1]]) & (rows[place[1:]] == rows[place[:-1]])]
        if not len(again):
            return rows
        rows[again] = draw(rng, products.popularity, len(again))
    raise RuntimeError("a visit looks at more products than there are")
