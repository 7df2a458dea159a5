"""The web site: its pages by kind, what can be clicked on them, and which have a video."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from producer.toolkit.arrays import column
from producer.toolkit.draws import Floats, cumulative

Ints = NDArray[np.int64]

KINDS = (
    *("home", "feature", "pricing", "blog", "article", "learn", "tutorial"),
    *("demo", "docs", "search", "sign_up", "welcome", "contact"),
)
HOME, FEATURE, PRICING, BLOG, ARTICLE, LEARN, TUTORIAL, DEMO, DOCS, SEARCH, SIGN_UP, WELCOME, CONTACT = range(
    len(KINDS)
)
WITH_VIDEO = (FEATURE, TUTORIAL, DEMO)

_ACTS = ("plan", "track", "share", "review", "automate", "compare", "import", "export")
_THINGS = ("budgets", "tasks", "reports", "invoices", "campaigns")
_ONE_PAGE = {
    HOME: ("/", "Home"),
    PRICING: ("/pricing", "Pricing"),
    BLOG: ("/blog", "Blog"),
    LEARN: ("/learn", "Learn"),
    DEMO: ("/demo", "See it work"),
    SIGN_UP: ("/sign-up", "Sign up"),
    WELCOME: ("/welcome", "Welcome"),
    CONTACT: ("/contact", "Contact"),
}
_SHARED_FOLDER = {FEATURE: "features", ARTICLE: "blog", TUTORIAL: "learn", DOCS: "docs"}
BUTTONS = {
    HOME: ("cookie-accept", "language"),
    FEATURE: ("show-example", "copy-link"),
    PRICING: ("monthly-yearly", "compare-plans", "show-taxes"),
    BLOG: ("subscribe",),
    ARTICLE: ("like", "share", "copy-link"),
    LEARN: ("filter",),
    TUTORIAL: ("captions", "share"),
    DEMO: ("captions", "full-screen"),
    DOCS: ("copy-code", "was-this-helpful"),
    SEARCH: ("filter",),
    SIGN_UP: ("show-password",),
    WELCOME: ("start-tour",),
    CONTACT: ("show-map",),
}
FORMS = {SIGN_UP: "sign-up-form", CONTACT: "contact-form"}
LINKS_AT = ("navigation", "body", "footer")
POPULARITY = 0.8  # exponent of Zipf's law over the pages of a kind
_SHORTEST_S, _LONGEST_S = 20, 300


@dataclass(frozen=True, slots=True)
class Site:
    """All pages, kind after kind: pages of a kind begin at ``starts[kind]``, the most viewed first.

    ``duration_s`` is 0 for a page without a video.
    """

    kind: Ints
    starts: Ints
    counts: Ints
    popularity: tuple[Floats, ...]  # cumulative, by kind
    duration_s: Ints
    urls: Any  # Arrow, as the next three
    titles: Any
    videos: Any
    queries: Any  # what a page of results is for; null elsewhere


def build_site(rng: np.random.Generator) -> Site:
    """Return the site. The order in which pages of a kind are viewed most, and the length of videos, are drawn."""
    pages: list[tuple[int, str, str, str | None]] = []
    for kind in range(len(KINDS)):
        found = _pages_of(kind)
        pages += [(kind, *found[place]) for place in rng.permutation(len(found)).tolist()]
    kinds = np.array([page[0] for page in pages], dtype=np.int64)
    counts = np.bincount(kinds, minlength=len(KINDS))
    lengths = np.exp(rng.normal(np.log(75), 0.6, len(pages))).astype(np.int64)
    has_video = np.isin(kinds, WITH_VIDEO)
    ids = [f"v{number:04d}" if shown else None for number, shown in enumerate(has_video.tolist())]
    return Site(
        kind=kinds,
        starts=np.cumsum(counts) - counts,
        counts=counts,
        popularity=tuple(cumulative(np.arange(1, count + 1) ** -POPULARITY) for count in counts.tolist()),
        duration_s=np.where(has_video, np.clip(lengths, _SHORTEST_S, _LONGEST_S), 0),
        urls=column(np.array([page[1] for page in pages], dtype=object)),
        titles=column(np.array([page[2] for page in pages], dtype=object)),
        videos=pa.array(ids, pa.string()),
        queries=pa.array([page[3] for page in pages], pa.string()),
    )


def _pages_of(kind: int) -> list[tuple[str, str, str | None]]:
    """Return path, title, and what is searched for, of all pages of a kind."""
    if kind in _ONE_PAGE:
        return [(*_ONE_PAGE[kind], None)]
    if kind == FEATURE:
        return [(f"/features/{thing}", thing.capitalize(), None) for thing in _THINGS]
    words = [f"{act} {thing}" for act, thing in product(_ACTS, _THINGS)]
    if kind == SEARCH:
        return [(f"/search?q={text.replace(' ', '+')}", f"Results for {text}", text) for text in words]
    folder = _SHARED_FOLDER[kind]
    return [(f"/{folder}/{text.replace(' ', '-')}", text.capitalize(), None) for text in words]
