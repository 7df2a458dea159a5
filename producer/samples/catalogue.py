"""The articles: an archive of years, and what is published while the clicks happen. News fades, some articles stay.

The weight of an article falls by the same share each hour, so the weights of all that exist keep their proportions: one
sum over the articles in the order of their creation answers every moment (:meth:`Catalogue.read_at`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from producer.samples.readers import Numbers

Floats = NDArray[np.float64]

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
# What is read of an article falls to 1/e in this many hours: of news, and of what stays.
_NEWS_HOURS, _STAYING_HOURS = 9.0, 24.0 * 40
_OF_NEWS = 0.85
# Sigma of the logarithm of how much an article is liked.
_APPEAL = 1.5
_MOST_OF_NOW = 0.3
_A_DAY = 420.0  # articles a day, at most
_RECENT, _RECENT_DAYS, _ARCHIVE_DAYS = 0.6, 12.0, 8 * 365
_MOST_WORDS = 6_690
_PUBLISHERS, _CATEGORIES = 70, 461


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Articles by their number, and what of them is read when.

    ``columns`` are those of the file, int64. ``order`` are article numbers by creation, ``created`` their times.
    """

    columns: dict[str, Numbers]
    order: Numbers
    created: Numbers
    news: Floats
    staying: Floats

    def read_at(self, at_ms: Numbers, draws: Floats) -> Numbers:
        """Return an article for each moment, of those that exist by then.

        :param draws: two numbers of [0, 1) for each, as a column each.
        """
        there = np.searchsorted(self.created, at_ms, side="right")
        found = np.zeros(len(at_ms), dtype=np.int64)
        for sums, mine in ((self.news, draws[0] < _OF_NEWS), (self.staying, draws[0] >= _OF_NEWS)):
            own = there[mine]
            places = np.searchsorted(sums, draws[1][mine] * sums[own - 1], side="right")
            found[mine] = np.minimum(places, own - 1)
        return self.order[found]


def make_catalogue(articles: int, *, begin_ms: int, hours: int, random: np.random.Generator) -> Catalogue:
    """Return a catalogue of ``articles``; at least one of them exists at the beginning."""
    now = min(int(articles * _MOST_OF_NOW), round(_A_DAY * hours / 24), articles - 1)
    archive = articles - now
    recent = random.exponential(_RECENT_DAYS * _DAY_MS, archive)
    old = random.random(archive) * _ARCHIVE_DAYS * _DAY_MS
    ages = np.where(random.random(archive) < _RECENT, recent, old)
    created = np.concatenate([begin_ms - 1000 - ages, begin_ms + random.random(now) * hours * _HOUR_MS])
    created = (created // 1000 * 1000).astype(np.int64)
    random.shuffle(created)
    columns = {"article_id": np.arange(articles, dtype=np.int64), **_sections(articles, random)}
    columns["created_at_ts"] = created
    words = np.exp(random.normal(5.1, 0.55, articles)).astype(np.int64)
    columns["words_count"] = np.where(random.random(articles) < 0.001, 0, np.clip(words, 10, _MOST_WORDS))
    order = np.argsort(created, kind="stable").astype(np.int64)
    appeal = np.exp(random.normal(0.0, _APPEAL, articles))
    in_order = created[order]
    hours_in = (in_order - begin_ms) / _HOUR_MS

    def summed(fades_in: float) -> Floats:
        # Far back the weight would be nothing at all; a floor leaves every article to be found.
        return np.asarray(np.cumsum(appeal[order] * np.exp(np.maximum(hours_in / fades_in, -30.0))))

    return Catalogue(columns, order, in_order, summed(_NEWS_HOURS), summed(_STAYING_HOURS))


def _sections(articles: int, random: np.random.Generator) -> dict[str, Numbers]:
    """Return a category for each article and the publisher of each: a category belongs to one publisher."""
    categories = int(np.clip(articles // 60, min(articles, 12), _CATEGORIES))
    publishers = int(np.clip(articles // 700, min(categories, 4), _PUBLISHERS))
    shares = 1 / np.arange(1, categories + 1) ** 0.8
    random.shuffle(shares)
    # Articles are numbered by category, as in the public files.
    edges = np.round(np.cumsum(shares) / shares.sum() * articles).astype(np.int64)
    category = np.searchsorted(edges, np.arange(articles), side="right").astype(np.int64)
    publisher_of = np.floor(publishers * random.random(categories) ** 2).astype(np.int64)
    return {"category_id": category, "publisher_id": publisher_of[category]}
