"""The popularity of titles: Zipf's exponent, fitted to plays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from producer.scenarios.customer_events.world.catalogue import ZIPF_EXPONENT, Catalogue
from producer.toolkit.arrays import plain
from producer.toolkit.figures import STANDARD_ERRORS, Curve, Figure


def fit_popularity(found: dict[str, int], catalogue: Catalogue) -> tuple[Figure, Curve]:
    """Fit Zipf's exponent to the plays of titles that are not series: those that follow one another are a series'."""
    titles = plain(catalogue.contents.field("title"))
    ids = plain(catalogue.ids)
    # The catalogue lists titles by popularity, the episodes of a series in a row.
    rank = np.cumsum([before != title for before, title in zip([None, *titles], titles, strict=False)])
    single = np.flatnonzero(catalogue.first < 0)
    ranks = rank[single].astype(np.float64)
    counts = np.array([found.get(ids[place], 0) for place in single.tolist()], dtype=np.float64)
    total = counts.sum()
    classes = np.floor(np.log2(ranks)).astype(np.int64)
    labels = [f"{2**n:,}" for n in range(int(classes.max()) + 1)]
    zipf = ranks**-ZIPF_EXPONENT
    curve = Curve(
        "popularity",
        "Plays by popularity of the title",
        "rank of the title, from",
        labels,
        _shares(np.bincount(classes, weights=zipf)),
        _shares(np.bincount(classes, weights=counts)),
    )
    if not total:
        return Figure("popularity, exponent", ZIPF_EXPONENT, None, 0.04), curve
    mean = float(counts @ np.log(ranks) / total)
    logs = np.log(ranks)

    def expected(exponent: float) -> float:
        weights = ranks**-exponent
        return float(weights @ logs / weights.sum())

    exponent = _solve(lambda value: mean - expected(value), 0.0, 4.0)
    spread = float((zipf @ logs**2) / zipf.sum() - expected(ZIPF_EXPONENT) ** 2)
    error = STANDARD_ERRORS / math.sqrt(total * spread)
    return Figure("popularity, exponent", ZIPF_EXPONENT, exponent, 0.04 + error), curve


def _shares(weights: NDArray[Any]) -> list[float]:
    total = float(weights.sum()) or 1.0
    return [float(weight) / total for weight in weights]


def _solve(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function passes 0, by halving."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
