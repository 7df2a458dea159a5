"""What follows from many steps of the tables: sessions that are let run, and what they show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from producer.scenarios.customer_events.behaviour import sessions
from producer.scenarios.customer_events.world import population
from producer.scenarios.customer_events.world.catalogue import Catalogue
from producer.scenarios.customer_events.world.daytime import window
from producer.scenarios.customer_events.world.tables import RHYTHM
from producer.toolkit.draws import Floats, Ints

_QUARTER_MS = 900_000
# Sessions that are let run.
_SESSIONS = 40_000
_EARLY_PERCENT = 12.0


@dataclass(frozen=True, slots=True)
class Declared:
    """What follows from letting sessions run, which end after three hours: so long plays are seen less often.

    ``delays`` are the shares of events by quarter hours since their session began; ``last_ms`` is when the last event
    of each session happens. ``follows`` is how often the next episode is played after a completed one.
    """

    mix: dict[str, float]
    completed: float
    abandoned: float
    follows: float
    delays: Floats
    last_ms: Ints

    def hours(self) -> Floats:
        """Return the share of events in each hour of the customers' clock: the rhythm, moved by the delays."""
        begins = np.repeat(np.array(RHYTHM) / sum(RHYTHM) / 4, 4)
        moved = sum(share * np.roll(begins, later) for later, share in enumerate(self.delays.tolist()))
        hours: Floats = np.asarray(moved).reshape(24, 4).sum(axis=1)
        return hours


def declare(people: population.Population, catalogue: Catalogue, from_ms: int) -> Declared:
    """Let sessions run that nothing cuts short."""
    rng = np.random.default_rng(0)
    open_end = window(from_ms, from_ms + 2 * sessions.SESSION_MS, lead_ms=0)
    users = rng.integers(0, len(people.activity), _SESSIONS)
    began = np.zeros(_SESSIONS, dtype=np.int64)
    events = sessions.simulate(rng, users, people, catalogue, open_end, started_ms=began)
    counts = np.bincount(events.kind, minlength=len(sessions.EVENT_TYPES)) / len(events)
    last = np.zeros(_SESSIONS, dtype=np.int64)
    np.maximum.at(last, events.session, events.at_ms)
    seen = np.flatnonzero(events.play >= 0)
    went = events.plays.take(events.play[seen])
    title, session = events.content[seen], events.session[seen]
    goes_on = (session[1:] == session[:-1]) & went.completed[:-1] & (catalogue.following[title[:-1]] >= 0)
    followed = title[1:] == catalogue.following[title[:-1]]
    return Declared(
        mix=dict(zip(sessions.EVENT_TYPES, counts.tolist(), strict=True)),
        completed=float(went.completed.mean()),
        abandoned=float((went.percentage < _EARLY_PERCENT).mean()),
        follows=float(followed[goes_on].mean()) if goes_on.any() else sessions.FOLLOWS_SHARE,
        delays=np.bincount(events.at_ms // _QUARTER_MS) / len(events),
        last_ms=last,
    )
