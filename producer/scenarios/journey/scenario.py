"""The scenario: a block is a number of whole sessions, laid beside each other in time, in order of time."""

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
from producer.scenarios.journey.options import OPTIONS
from producer.scenarios.journey.paths import (
    BUTTON,
    EVENT_TYPES,
    FORM,
    PAGE,
    SCROLL,
    SCROLLS,
    SEARCHED,
    URL,
    VIDEO,
    draw_paths,
    stays_s,
)
from producer.scenarios.journey.people import DEVICES, PEOPLE, draw_people, draw_sessions
from producer.scenarios.journey.site import BUTTONS, FORMS, KINDS, LINKS_AT, build_site
from producer.toolkit.arrays import column, taken, timestamps
from producer.toolkit.draws import spread
from producer.toolkit.past import begins_at_ms
from producer.toolkit.visits import in_order_of_time, whole_visits

Ints = NDArray[np.int64]

BLOCK_EVENTS = 8_192
PACE = 1.0  # events a second and shard: one event each second, as the program that this replaces
STEP_MS = 1_000
HORIZON_MS = 10 * 365 * 86_400_000
MAX_BLOCKS = HORIZON_MS // (BLOCK_EVENTS * STEP_MS)
COMPLETED = 0.95
_LEAD_S = 120.0
_SITE, _PATHS, _PEOPLE, _BLOCK = range(4)


class Journey(BaseScenario):
    """People on a web site."""

    name = "journey"
    version = 1
    contract = "journey"
    key = "user_id"
    identity: Identity = "field"
    options = OPTIONS
    pace = PACE
    mix = "event_type"
    event_time = "occurred_at"
    fault_targets = FaultTargets(event_time="occurred_at", duration="video.watched_s")
    most = MAX_BLOCKS * BLOCK_EVENTS

    def settings(
        self, planned: int | None, started_at_ms: int, asked: Asked = NOTHING_MORE
    ) -> dict[str, int | float | str | None]:
        """Return the start of event time.

        At the pace of the scenario the run is a live one; at any other rate its event time ends when it starts.

        :raises Misconfigured: more events than ten years of event time hold.
        """
        live = asked.rate == PACE * asked.shards
        begins_ms = begins_at_ms(self.name, started_at_ms, planned, most=self.most, step_ms=STEP_MS, live=live)
        return {"event_time_start_ms": begins_ms, **self.libraries()}

    def libraries(self) -> dict[str, str]:
        """Return the version that the numbers depend on: NumPy allows itself to change streams between them."""
        return {"numpy": version("numpy")}

    def open(self, seed: int, shard: int, settings: Settings) -> JourneyStream:
        """Build the site, and draw the people and the paths (about half a second)."""
        start_ms = settings.get("event_time_start_ms")
        if not isinstance(start_ms, int):
            raise Misconfigured(f"the settings of {self.name} lack event_time_start_ms")
        return JourneyStream(seed, shard, start_ms)

    def examine(
        self, connection: Any, source: str, run: Examined, progress: Callable[[Rule], None] | None = None, /
    ) -> dict[str, Any]:
        """Check events of one run against docs/realism.md, and count what it declares."""
        from producer.scenarios.journey.examine import examine  # deferred: to generate takes none of it

        return examine(connection, source, run, progress).document()


class JourneyStream(BaseStream):
    """The events of one shard. Blocks may be asked for in any order and by any thread."""

    block_events = BLOCK_EVENTS
    limit = MAX_BLOCKS * BLOCK_EVENTS

    def __init__(self, seed: int, shard: int, start_ms: int) -> None:
        self._seed = seed
        self._shard = shard
        self._start_ms = start_ms
        self._site = build_site(np.random.default_rng(np.random.SeedSequence([seed, _SITE])))
        self._paths = draw_paths(self._rng(0, _PATHS), self._site)
        self._bounces = np.flatnonzero(self._paths.lengths == 1)
        self._people = draw_people(self._rng(0, _PEOPLE), shard)

    def block(self, number: int) -> pa.RecordBatch:
        """Return block ``number``: the columns of the contract, in its order, without ``event_id``, in order of time.

        Whatever depends on time is made of the time that events have in the end: a video is not watched longer than
        since the event before it.
        """
        rng, paths = self._rng(number, _BLOCK), self._paths
        drawn, left = whole_visits(rng, paths.lengths, BLOCK_EVENTS)
        drawn = np.concatenate([drawn, rng.choice(self._bounces, left)])
        if len(drawn) > PEOPLE:
            raise RuntimeError("a block has more sessions than people")
        lengths = paths.lengths[drawn]
        at = spread(paths.starts[drawn], lengths)
        sessions = draw_sessions(rng, self._people, number, paths.signs_up[drawn])
        stay = stays_s(rng, self._site, paths, at)
        first = np.cumsum(lengths) - lengths
        stay[first + lengths - 1] = 0.0
        order = in_order_of_time(rng, stay, lengths, BLOCK_EVENTS * STEP_MS / 1000, lead_s=_LEAD_S)
        second: Ints = np.empty(BLOCK_EVENTS, dtype=np.int64)
        second[order] = np.arange(BLOCK_EVENTS) * STEP_MS // 1000
        passed = np.diff(second, prepend=0)  # since the event before; of the first of a session it says nothing

        session = np.repeat(np.arange(len(drawn)), lengths)
        columns = {
            "user_id": taken(sessions.user_ids, session[order]),
            "session_id": taken(sessions.session_ids, session[order]),
            "number": column((np.arange(BLOCK_EVENTS) - np.repeat(first, lengths) + 1)[order].astype(np.int32)),
            "event_type": taken(_TYPES, paths.events[at][order]),
            "occurred_at": timestamps(self._start_ms + (number * BLOCK_EVENTS + np.arange(BLOCK_EVENTS)) * STEP_MS),
            "session_second": column((second - np.repeat(second[first], lengths))[order].astype(np.int32)),
            "device": taken(_DEVICES, sessions.device[session][order]),
        }
        columns |= self._of_the_page(rng, at[order], np.isin(np.arange(BLOCK_EVENTS), first)[order], passed[order])
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

    def _of_the_page(
        self, rng: np.random.Generator, at: Ints, opens: NDArray[np.bool_], passed: Ints
    ) -> dict[str, Any]:
        """Return the columns of where an event happens and of what it is about.

        :param at: events of the pool.
        :param opens: whether an event is the first of its session.
        :param passed: seconds since the event before in its session.
        """
        paths, site = self._paths, self._site
        events, pages, following = paths.events[at], paths.pages[at], paths.next_pages[at]
        kinds = site.kind[pages]
        clicks, chance = np.isin(events, (BUTTON, URL, FORM)), rng.random(len(at))
        links = len(_ELEMENTS) - len(LINKS_AT) + (chance * len(LINKS_AT)).astype(np.int64)
        buttons = _FIRST_BUTTON[kinds] + (chance * _BUTTON_COUNT[kinds]).astype(np.int64)
        element = np.where(events == URL, links, np.where(events == FORM, _FORM[kinds], buttons))
        duration = np.maximum(site.duration_s[pages], 1)
        watched = np.clip(passed, 1, duration)
        video = pa.StructArray.from_arrays(
            [
                taken(site.videos, pages).fill_null(""),
                column(duration.astype(np.int32)),
                column(watched.astype(np.int32)),
                column(watched >= COMPLETED * duration),
            ],
            names=["video_id", "duration_s", "watched_s", "completed"],
            mask=column(events != VIDEO),
        )
        return {
            "page_url": taken(site.urls, pages),
            "page_title": taken(site.titles, pages),
            "referrer": taken(site.urls, paths.pages[np.maximum(at - 1, 0)], missing=(events != PAGE) | opens),
            "element": taken(_ELEMENT_NAMES, element, missing=~clicks),
            "target_url": taken(site.urls, following, missing=events != URL),
            "search_query": taken(site.queries, following, missing=events != SEARCHED),
            "scroll_percent": column(_SCROLLS[paths.scrolled[at]], missing=events != SCROLL),
            "video": video,
        }

    def _rng(self, number: int, purpose: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence([self._seed, self._shard, number, purpose])))


_TYPES, _DEVICES = pa.array(EVENT_TYPES), pa.array(DEVICES)
_BUTTON_COUNT = np.array([len(BUTTONS[kind]) for kind in range(len(KINDS))])
_FIRST_BUTTON = np.cumsum(_BUTTON_COUNT) - _BUTTON_COUNT
_ELEMENTS = (*(name for kind in range(len(KINDS)) for name in BUTTONS[kind]), *FORMS.values(), *LINKS_AT)
_ELEMENT_NAMES = pa.array(_ELEMENTS)
_FORM = np.array([_ELEMENTS.index(FORMS[kind]) if kind in FORMS else 0 for kind in range(len(KINDS))])
_SCROLLS = np.array([0, *SCROLLS], dtype=np.int32)
