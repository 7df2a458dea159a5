"""Where a person goes next: what is done on a page, which page follows, and a pool of paths through the site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from producer.scenarios.journey.site import (
    ARTICLE,
    BLOG,
    CONTACT,
    DEMO,
    DOCS,
    FEATURE,
    HOME,
    KINDS,
    LEARN,
    PRICING,
    SEARCH,
    SIGN_UP,
    TUTORIAL,
    WELCOME,
    Site,
)
from producer.toolkit.draws import cumulative, draw, draw_by_row

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EVENT_TYPES = (
    *("PageViewed", "ButtonClicked", "UrlClicked", "VideoPlayed"),
    *("Scrolled", "Searched", "FormSubmitted", "SignedUp"),
)
PAGE, BUTTON, URL, VIDEO, SCROLL, SEARCHED, FORM, SIGNED_UP = range(len(EVENT_TYPES))
END = len(EVENT_TYPES)  # no event

# Where people come in.
ENTRIES = {HOME: 0.45, ARTICLE: 0.20, TUTORIAL: 0.14, DOCS: 0.08, FEATURE: 0.05, PRICING: 0.04, DEMO: 0.04}
# What is done on a page.
ACTS: dict[int, dict[int, float]] = {
    HOME: {SCROLL: 0.28, BUTTON: 0.08, URL: 0.44, SEARCHED: 0.06, END: 0.14},
    FEATURE: {SCROLL: 0.26, VIDEO: 0.18, BUTTON: 0.10, URL: 0.30, END: 0.16},
    PRICING: {SCROLL: 0.22, BUTTON: 0.22, URL: 0.36, END: 0.20},
    BLOG: {SCROLL: 0.28, BUTTON: 0.03, URL: 0.51, SEARCHED: 0.06, END: 0.12},
    ARTICLE: {SCROLL: 0.50, BUTTON: 0.08, URL: 0.20, END: 0.22},
    LEARN: {SCROLL: 0.20, BUTTON: 0.06, URL: 0.55, SEARCHED: 0.08, END: 0.11},
    TUTORIAL: {VIDEO: 0.58, SCROLL: 0.12, BUTTON: 0.06, URL: 0.12, END: 0.12},
    DEMO: {VIDEO: 0.60, SCROLL: 0.08, BUTTON: 0.08, URL: 0.14, END: 0.10},
    DOCS: {SCROLL: 0.46, BUTTON: 0.10, URL: 0.24, SEARCHED: 0.06, END: 0.14},
    SEARCH: {BUTTON: 0.06, URL: 0.72, SEARCHED: 0.10, END: 0.12},
    SIGN_UP: {FORM: 0.42, BUTTON: 0.08, URL: 0.12, END: 0.38},
    WELCOME: {BUTTON: 0.20, URL: 0.60, END: 0.20},
    CONTACT: {FORM: 0.42, SCROLL: 0.06, BUTTON: 0.05, URL: 0.15, END: 0.32},
}
# What was done last makes the same less likely.
AGAIN = {PAGE: 1.0, BUTTON: 0.3, VIDEO: 0.0, SCROLL: 0.7, FORM: 0.0}
# Where links lead.
LINKS: dict[int, dict[int, float]] = {
    HOME: {FEATURE: 0.30, PRICING: 0.18, BLOG: 0.14, LEARN: 0.14, DEMO: 0.12, SIGN_UP: 0.07, DOCS: 0.03, CONTACT: 0.02},
    FEATURE: {FEATURE: 0.30, PRICING: 0.22, DEMO: 0.14, TUTORIAL: 0.14, SIGN_UP: 0.10, DOCS: 0.06, HOME: 0.04},
    PRICING: {SIGN_UP: 0.34, FEATURE: 0.26, CONTACT: 0.16, DEMO: 0.12, HOME: 0.12},
    BLOG: {ARTICLE: 0.90, HOME: 0.06, LEARN: 0.04},
    ARTICLE: {ARTICLE: 0.42, BLOG: 0.20, FEATURE: 0.14, TUTORIAL: 0.12, HOME: 0.08, SIGN_UP: 0.04},
    LEARN: {TUTORIAL: 0.92, DOCS: 0.05, HOME: 0.03},
    TUTORIAL: {TUTORIAL: 0.52, LEARN: 0.18, DOCS: 0.12, FEATURE: 0.10, SIGN_UP: 0.05, HOME: 0.03},
    DEMO: {PRICING: 0.34, SIGN_UP: 0.26, FEATURE: 0.28, HOME: 0.12},
    DOCS: {DOCS: 0.66, TUTORIAL: 0.16, HOME: 0.08, CONTACT: 0.10},
    SEARCH: {ARTICLE: 0.34, TUTORIAL: 0.28, DOCS: 0.28, FEATURE: 0.10},
    SIGN_UP: {PRICING: 0.55, HOME: 0.45},
    WELCOME: {TUTORIAL: 0.50, DOCS: 0.30, LEARN: 0.20},
    CONTACT: {HOME: 0.60, DOCS: 0.40},
}
# Seconds until the next event: medians, by what is done now. How long a page is read before anything is done follows
# from its kind; the spread is log-normal.
MEDIAN_S = np.array([14.0, 5.0, 1.0, 8.0, 11.0, 1.0, 2.0, 1.0])
READING_S = {ARTICLE: 26.0, DOCS: 24.0, PRICING: 20.0, FEATURE: 16.0, SEARCH: 7.0, HOME: 8.0, TUTORIAL: 7.0, DEMO: 6.0}
FILLING_IN_S = 35.0  # before a form is submitted
SIGMA = 0.6
# How much of a video is played: of so many all, of the others a share between these, evenly.
WHOLE_SHARE, PART = 0.45, (0.05, 0.9)
_STAYS_ON = 1.25  # of the length of a video that is played to its end, until the next click
SCROLLS = (25, 50, 75, 100)

POOL_PATHS = 16_384
_MOST_STEPS = 120


@dataclass(frozen=True, slots=True)
class Paths:
    """Sessions to draw from, one after the other: where each begins, how long it is, its events and their pages.

    ``scrolled`` counts the scrolls on a page up to the event. ``next_page`` is the page of the event after it.
    """

    starts: Ints
    lengths: Ints
    signs_up: Bools
    events: NDArray[np.int8]
    pages: NDArray[np.int16]
    next_pages: NDArray[np.int16]
    scrolled: NDArray[np.int8]


def draw_paths(rng: np.random.Generator, site: Site) -> Paths:
    """Let ``POOL_PATHS`` people go through the site. One who is still there after 120 events leaves."""
    acts, links = _tables()
    event: Ints = np.full(POOL_PATHS, PAGE)
    kinds = np.array(list(ENTRIES))
    page = _page_of(rng, site, kinds[draw(rng, cumulative(list(ENTRIES.values())), POOL_PATHS)])
    scrolled, done, signed = (
        np.zeros(POOL_PATHS, dtype=np.int64),
        np.zeros(POOL_PATHS, bool),
        np.zeros(POOL_PATHS, bool),
    )
    seen = [(event, page, scrolled)]
    for _ in range(_MOST_STEPS):
        kind = site.kind[page]
        event = draw_by_row(rng, acts, event * len(KINDS) + kind)
        # A video is played once on a page, a form submitted once, and a page ends somewhere.
        over = np.isin(event, (VIDEO, FORM)) & done | (event == SCROLL) & (scrolled == len(SCROLLS))
        event = np.where(over, URL, event)
        led = np.where(seen[-1][0] == SEARCHED, SEARCH, np.where(seen[-1][0] == SIGNED_UP, WELCOME, -1))
        to = np.where(led >= 0, led, draw_by_row(rng, links, kind))
        to = np.where((to == SIGN_UP) & signed, FEATURE, to)
        turned = event == PAGE
        page = np.where(turned, _other_page(rng, site, to, page), page)
        scrolled = np.where(turned, 0, scrolled + (event == SCROLL))
        done = ~turned & (done | np.isin(event, (VIDEO, FORM)))
        signed = signed | (event == SIGNED_UP)
        seen.append((event, page, scrolled))
        if bool(np.all(event == END)):
            break
    events, pages, scrolls = (np.stack(part, axis=1) for part in zip(*seen, strict=True))
    return _laid_out(events, pages, scrolls, signed)


def stays_s(rng: np.random.Generator, site: Site, paths: Paths, at: Ints) -> NDArray[np.float64]:
    """Return the seconds from each event to the next one: ``at`` are events of the pool, session after session."""
    events, pages = paths.events[at], paths.pages[at]
    medians = MEDIAN_S[events]
    reading = np.array([READING_S.get(kind, MEDIAN_S[PAGE]) for kind in range(len(KINDS))])
    medians = np.where(events == PAGE, reading[site.kind[pages]], medians)
    following = np.append(events[1:], PAGE)
    medians = np.where(following == FORM, FILLING_IN_S, medians)
    stay = medians * np.exp(np.float32(SIGMA) * rng.standard_normal(len(at), dtype=np.float32))
    share = np.where(rng.random(len(at)) < WHOLE_SHARE, _STAYS_ON, rng.uniform(*PART, len(at)))
    played: NDArray[np.float64] = np.where(following == VIDEO, 1 + share * site.duration_s[pages], stay)
    return played


def _tables() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what follows by event and kind of page, and where links lead by kind: rows of ``cumulative``."""
    acts = np.zeros((END + 1, len(KINDS), END + 1))
    for (kind, weights), (last, again) in ((a, b) for a in ACTS.items() for b in AGAIN.items()):
        acts[last, kind, list(weights)] = list(weights.values())
        acts[last, kind, last] *= again
    for last in (URL, SEARCHED, SIGNED_UP):
        acts[last, :, PAGE] = 1.0
    acts[FORM, SIGN_UP] = np.eye(END + 1)[SIGNED_UP]
    acts[END, :, END] = 1.0
    links = np.zeros((len(KINDS), len(KINDS)))
    for kind, weights in LINKS.items():
        links[kind, list(weights)] = list(weights.values())
    return cumulative(acts.reshape(-1, END + 1)), cumulative(links)


def _page_of(rng: np.random.Generator, site: Site, kinds: Ints) -> Ints:
    """Draw a page of each kind, by popularity."""
    chance, place = rng.random(len(kinds)), np.zeros(len(kinds), dtype=np.int64)
    for kind, popularity in enumerate(site.popularity):
        at = np.flatnonzero(kinds == kind)
        place[at] = np.searchsorted(popularity, chance[at], side="right")
    pages: Ints = site.starts[kinds] + place
    return pages


def _other_page(rng: np.random.Generator, site: Site, kinds: Ints, now: Ints) -> Ints:
    """Draw a page of each kind that is not the one at hand."""
    page = _page_of(rng, site, kinds)
    following = site.starts[kinds] + (page - site.starts[kinds] + 1) % site.counts[kinds]
    other: Ints = np.where(page == now, following, page)
    return other


def _laid_out(events: Ints, pages: Ints, scrolled: Ints, signs_up: Bools) -> Paths:
    """Return paths one after the other. One that breaks off after a click on a link ends before it."""
    happens = events != END
    lengths = happens.sum(axis=1)
    last = events[np.arange(POOL_PATHS), lengths - 1]
    cut = np.isin(last, (URL, SEARCHED))
    happens[np.flatnonzero(cut), lengths[cut] - 1] = False
    lengths = happens.sum(axis=1)
    following = np.concatenate([pages[:, 1:], pages[:, -1:]], axis=1)
    return Paths(
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        signs_up=signs_up,
        events=events[happens].astype(np.int8),
        pages=pages[happens].astype(np.int16),
        next_pages=following[happens].astype(np.int16),
        scrolled=scrolled[happens].astype(np.int8),
    )
