"""Clicks and articles, a few, as rows; and what a table of clicks by category says of them, counted by plain Python."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

BEGAN = datetime(2026, 11, 26, 22, tzinfo=UTC)
Counted = dict[tuple[Any, ...], tuple[int, int, int]]


@dataclass(frozen=True)
class Click:
    """A click, as far as it is counted."""

    user: int
    session: int
    article: int
    device: int
    at: datetime

    @property
    def hour(self) -> str:
        """The hour that it is in: ``2026-11-27/07``."""
        return self.at.strftime("%Y-%m-%d/%H")


@dataclass(frozen=True)
class Article:
    """An article."""

    article: int
    category: int
    publisher: int


def some_clicks(dice: random.Random, number: int, *, articles: int, hours: Sequence[int]) -> list[Click]:
    """Return clicks in so many hours after :data:`BEGAN`."""
    return [
        Click(
            dice.randrange(20),
            dice.randrange(40),
            dice.randrange(articles),
            dice.choice((1, 3)),
            BEGAN + timedelta(hours=dice.choice(hours), seconds=dice.randrange(3600)),
        )
        for _ in range(number)
    ]


def click_rows(clicks: Sequence[Click]) -> pa.Table:
    """Return clicks as rows of the contract, with a few of its columns."""
    return pa.table(
        {
            "user_id": pa.array([each.user for each in clicks], pa.int64()),
            "session_id": pa.array([each.session for each in clicks], pa.int64()),
            "click_article_id": pa.array([each.article for each in clicks], pa.int64()),
            "click_timestamp": pa.array([each.at for each in clicks], pa.timestamp("us", tz="UTC")),
            "click_deviceGroup": pa.array([each.device for each in clicks], pa.int64()),
        }
    )


def article_rows(articles: Sequence[Article]) -> pa.Table:
    """Return articles as rows of the contract."""
    return pa.table(
        {
            "article_id": pa.array([each.article for each in articles], pa.int64()),
            "category_id": pa.array([each.category for each in articles], pa.int64()),
            "publisher_id": pa.array([each.publisher for each in articles], pa.int64()),
            "words_count": pa.array([100 + each.article for each in articles], pa.int64()),
        }
    )


def counted(clicks: Sequence[Click], articles: Sequence[Article]) -> Counted:
    """Return clicks, users and sessions by category, publisher, device and hour; the last article of an id counts."""
    last = {each.article: each for each in articles}
    groups: dict[tuple[Any, ...], list[Click]] = defaultdict(list)
    for each in clicks:
        known = last.get(each.article)
        day, _, hour = each.hour.partition("/")
        category, publisher = (known.category, known.publisher) if known else (None, None)
        groups[category, publisher, each.device, day, int(hour)].append(each)
    return {
        key: (len(group), len({each.user for each in group}), len({each.session for each in group}))
        for key, group in groups.items()
    }
