"""What connects the events of a session: pages looked at before a play, clicks that lead on, searches that find."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from producer.scenarios.customer_events.behaviour.sessions import BROWSE, PLAY, SEARCH, Events
from producer.scenarios.customer_events.world.catalogue import QUERIES_PER_TITLE, Catalogue
from producer.toolkit.draws import Ints, draw

# A customer who browses and then plays was looking at that title; otherwise some title, or the home page.
LOOKS_BEFORE_PLAY = 0.75
_LOOKS_OTHERWISE = 0.3
# From the home page, what comes next was opened from a recommendation.
CLICK_SHARE = 0.65
# Shortest and longest list of recommendations: home page, title page, end of a completed play.
_OFFERED = {"home": (9, 15), "title": (7, 11), "played": (5, 8)}


@dataclass(frozen=True, slots=True)
class Story:
    """Connections, a row for each event; ``query`` and ``searched_ms`` have a row for each search instead.

    ``opened`` is the title that a click led to, -1 for none. ``first_search`` and ``searches`` are the range of
    searches that the session had made when the event happened.
    """

    offered: Ints
    opened: Ints
    first_search: Ints
    searches: Ints
    query: Ints
    searched_ms: Ints


def tell(rng: np.random.Generator, events: Events, catalogue: Catalogue) -> tuple[Events, Story]:
    """Return the events with the titles that were looked at, and what connects them."""
    following, same = events.next_in_session()
    browse, play = events.kind == BROWSE, events.kind == PLAY
    chance = rng.random((3, len(events)))
    leads_to_play = same & play[following]
    any_title = draw(rng, catalogue.overall, len(events))
    looked_at = np.where(
        leads_to_play & (chance[0] < LOOKS_BEFORE_PLAY),
        events.content[following],
        np.where(~leads_to_play & (chance[0] < _LOOKS_OTHERWISE), any_title, -1),
    )
    content = np.where(browse, looked_at, events.content)

    then = np.where(same, content[following], -1)
    home = browse & (content < 0)
    opened = np.where(home & (chance[1] < CLICK_SHARE), then, -1)
    offered = np.zeros(len(events), dtype=np.int64)
    completed = np.zeros(len(events), dtype=np.bool_)
    completed[play] = events.plays.completed[events.play[play]]
    for rows, name in ((home, "home"), (browse & ~home, "title"), (completed, "played")):
        shortest, longest = _OFFERED[name]
        offered[rows] = shortest + (chance[2, rows] * (longest - shortest + 1)).astype(np.int64)

    search = events.kind == SEARCH
    found = np.where(then >= 0, then, any_title)[search]
    made = np.cumsum(search)
    opens = np.flatnonzero(np.diff(events.session, prepend=-1))
    first_search = np.repeat((made - search)[opens], np.diff(opens, append=len(events)))
    return replace(events, content=content), Story(
        offered=offered,
        opened=opened,
        first_search=first_search,
        searches=made - first_search,
        query=found * QUERIES_PER_TITLE + rng.integers(0, QUERIES_PER_TITLE, len(found)),
        searched_ms=events.at_ms[search],
    )


def in_order_of_time(events: Events, story: Story) -> tuple[Events, Story]:
    """Return both by event time; events of one session at the same millisecond keep their order."""
    order = np.argsort(events.at_ms, kind="stable")
    whole_tables = {"plays", "query", "searched_ms"}
    return (
        replace(
            events, **{f.name: getattr(events, f.name)[order] for f in fields(events) if f.name not in whole_tables}
        ),
        replace(story, **{f.name: getattr(story, f.name)[order] for f in fields(story) if f.name not in whole_tables}),
    )
